#include <random>
#include <string>
#include <vector>

#include "rr/base/clock.h"
#include "rr/base/json.h"
#include "tests/shared_data.h"
#include "tests/synthesis_fixture.h"

// The way from topics to training files as a user goes it, with a recorded teacher.

namespace rr {
namespace {

class RecordedTeacher : public Synthesis {
 protected:
  // Topics, and a teacher's replies to them: each fifth topic has no positive, each seventh is
  // answered in prose, and the order is right in two of three.
  void write_inputs(std::size_t num_topics) const {
    write_topics(num_topics);
    std::string replies;
    for (std::size_t topic = 0; topic < num_topics; ++topic) {
      const auto reply = [&](const char* step, const std::string& text) {
        replies += to_json_line({{"qid", fmt::format("t{}", topic)},
                                 {"step", step},
                                 {"batch", 0},
                                 {"reply", text}}) +
                   "\n";
      };
      std::string pick = "[2] [5]";
      if (topic % 5 == 0) pick = "None";
      if (topic % 7 == 0) pick = "I am sorry, I cannot do that.";
      reply("positives", pick);
      std::string order;
      for (std::size_t i = 0; i < kRetrieved; ++i) {
        order += fmt::format("{}[{}]", i == 0 ? "" : " > ", (i + topic) % kRetrieved + 1);
      }
      reply("ranking", fmt::format("<think>topic {} needs thought</think>{}", topic, order));
    }
    write("replies.jsonl", replies);
  }

  static std::string synthesize(const std::string& output) {
    return synthesize_into(output) + " --replay replies.jsonl";
  }
};

TEST_F(RecordedTeacher, GoesFromTopicsToTrainingFiles) {
  write_inputs(70);
  const Outcome made = run(synthesize("work"));
  ASSERT_EQ(made.exit_code, 0) << made.err;
  EXPECT_THAT(made.err,
              HasSubstr("70 topics: 48 samples, 12 no_positive, 10 unreadable_selection"));
  EXPECT_FALSE(fs::exists(directory_ / "work/synthesis.partial"));
  const auto samples = json_lines(read("work/samples.jsonl"));
  ASSERT_EQ(samples.size(), 48u);
  EXPECT_EQ(json_lines(read("work/dropped.jsonl")).size(), 22u);
  EXPECT_EQ(samples[0]["relevant_docids"].size(), 2u);
  EXPECT_EQ(samples[0]["licence"], "CC0");
  EXPECT_EQ(read("work/samples.jsonl").find("secret"), std::string::npos);

  const Outcome filtered =
      run("$R filter work/samples.jsonl -o kept.jsonl --dropped dropped.jsonl");
  ASSERT_EQ(filtered.exit_code, 0) << filtered.err;
  const auto kept = json_lines(read("kept.jsonl"));
  const auto dropped = json_lines(read("dropped.jsonl"));
  EXPECT_EQ(kept.size() + dropped.size(), 48u);
  for (const Json& sample : kept) EXPECT_GE(sample["scores"]["ndcg@10"], 0.4);
  for (const Json& sample : dropped) EXPECT_LT(sample["scores"]["ndcg@10"], 0.4);

  // A test set that has one of the queries.
  fs::create_directories(directory_ / "tests");
  write("tests/queries.jsonl",
        to_json_line({{"_id", "x"}, {"text", kept[0]["query"].get<std::string>() + "?"}}) + "\n");
  const Outcome clean =
      run("$R decontaminate kept.jsonl --against tests/ -o clean.jsonl --report hits.jsonl");
  ASSERT_EQ(clean.exit_code, 0) << clean.err;
  const auto hits = json_lines(read("hits.jsonl"));
  ASSERT_GE(hits.size(), 1u);
  EXPECT_EQ(hits[0]["overlap"], "exact");
  EXPECT_EQ(hits[0]["with"]["id"], "x");
  const std::size_t num_clean = json_lines(read("clean.jsonl")).size();
  EXPECT_LT(num_clean, kept.size());

  const Outcome split = run("$R split clean.jsonl --passage-words 50 --validation 0.2 -o data");
  ASSERT_EQ(split.exit_code, 0) << split.err;
  const auto sft = json_lines(read("data/sft.jsonl"));
  const auto tasks = json_lines(read("data/ranking_tasks.jsonl"));
  const auto validation = json_lines(read("data/validation.jsonl"));
  EXPECT_EQ(sft.size() + tasks.size() + validation.size(), num_clean);
  EXPECT_THAT(read("data/card.md"), HasSubstr("- CC0: "));
  EXPECT_THAT(sft[0]["messages"][2]["content"].get<std::string>(), HasSubstr("needs thought"));

  ASSERT_EQ(run("$R export data --for llama-factory -o lf").exit_code, 0);
  const Json info = parse_json(read("lf/dataset_info.json"), "info").value();
  EXPECT_TRUE(
      fs::exists(directory_ / "lf" / info["reasonrank_sft"]["file_name"].get<std::string>()));
  const Outcome verl = run("$R export data --for verl --passage-words 50 -o verl");
  ASSERT_EQ(verl.exit_code, 0) << verl.err;
  EXPECT_EQ(json_lines(read("verl/train.json")).size(), tasks.size());
}

TEST_F(RecordedTeacher, KilledAtAnyMomentItGivesTheSameBytes) {
  write_inputs(1000);
  const Clock::time_point start = Clock::now();
  ASSERT_EQ(run(synthesize("whole")).exit_code, 0);
  const double whole = seconds_since(start);
  const std::string command = synthesize("work");
  const auto expect_same = [&] {
    for (const char* file : {"samples.jsonl", "dropped.jsonl", "steps.jsonl"}) {
      ASSERT_EQ(read(fmt::format("work/{}", file)), read(fmt::format("whole/{}", file))) << file;
    }
    EXPECT_FALSE(fs::exists(directory_ / "work/synthesis.partial"));
    fs::remove_all(directory_ / "work");
  };
  std::mt19937 random(7);
  for (std::size_t killed = 0; killed < num_kills();) {
    if (ends_before_kill(command, whole, random)) {
      expect_same();
      continue;
    }
    ++killed;
    if (fs::exists(directory_ / "work/samples.jsonl")) {
      ASSERT_EQ(read("work/samples.jsonl"), read("whole/samples.jsonl"));
    }
  }
  ASSERT_EQ(run(command).exit_code, 0);
  expect_same();
}

TEST_F(RecordedTeacher, NamesWhatIsMissing) {
  write_inputs(2);
  write("bare.jsonl", R"({"_id":"t0","text":"problem"})");
  const Outcome bare =
      run("$R synthesize --domain math-theorem --topics bare.jsonl --corpus corpus.jsonl --run "
          "run.trec --replay replies.jsonl -o w");
  EXPECT_EQ(bare.exit_code, 1);
  EXPECT_THAT(bare.err, HasSubstr("topic \"t0\" has no \"answer\" or \"solution\""));
  EXPECT_EQ(run("$R synthesize --domain web --topics topics.jsonl --corpus corpus.jsonl --run "
                "run.trec -o w")
                .exit_code,
            2);
  const Outcome linkless =
      run("$R synthesize --domain complex-qa --topics topics.jsonl --corpus corpus.jsonl --replay "
          "replies.jsonl -o w");
  EXPECT_EQ(linkless.exit_code, 1);
  EXPECT_THAT(linkless.err, HasSubstr("\"links\""));
  write("ids.jsonl", R"({"dataset":"d","qid":"q","initial_list":["a"],"relevant_docids":["a"]})");
  const Outcome textless = run("$R split ids.jsonl --passage-words 9 -o data");
  EXPECT_EQ(textless.exit_code, 1);
  EXPECT_THAT(textless.err, HasSubstr("--topics and --corpus, or --texts"));
  const Outcome unknown =
      run("$R filter ids.jsonl --topics topics.jsonl --corpus corpus.jsonl -o k");
  EXPECT_EQ(unknown.exit_code, 1);
  EXPECT_THAT(unknown.err, HasSubstr("topic q of d: the topic is not in topics.jsonl"));
  EXPECT_FALSE(fs::exists(directory_ / "k"));
}

TEST_F(RecordedTeacher, ReadsThePublishedReleasesLayout) {
  fs::create_directories("release/id_query");
  fs::create_directories("release/id_doc");
  write("release/id_query/math-qa.json", R"({"math_1": "what is 2+2?"})");
  write("release/id_doc/math-qa.json", R"({"m1": "addition", "m2": "whales"})");
  write(
      "release/training_data_all.jsonl",
      R"({"dataset":"math-qa","qid":"math_1","initial_list":["m2","m1"],"final_list":["m1","m2"],)"
      R"("reasoning":"[2] adds","relevant_docids":["m1"]})");
  const Outcome filtered =
      run("$R filter release/training_data_all.jsonl --texts release -o kept.jsonl");
  ASSERT_EQ(filtered.exit_code, 0) << filtered.err;
  const auto kept = json_lines(read("kept.jsonl"));
  ASSERT_EQ(kept.size(), 1u);
  EXPECT_EQ(kept[0]["query"], "what is 2+2?");
  EXPECT_EQ(kept[0]["passages"][0]["text"], "whales");
  EXPECT_EQ(kept[0]["scores"]["ndcg@10"], 1.0);

  // The same record as training files, without a filter.
  const std::string split =
      "$R split release/training_data_all.jsonl --texts release "
      "--passage-words 50 --validation 0 ";
  ASSERT_EQ(run(split + "--sft 1 -o sft").exit_code, 0);
  const auto examples = json_lines(read("sft/sft.jsonl"));
  ASSERT_EQ(examples.size(), 1u);
  EXPECT_EQ(examples[0]["messages"].back()["content"],
            "<think>\n[2] adds\n</think>\n<answer>[2] > [1]</answer>");
  ASSERT_EQ(run(split + "--sft 0 -o tasks").exit_code, 0);
  const auto tasks = json_lines(read("tasks/ranking_tasks.jsonl"));
  ASSERT_EQ(tasks.size(), 1u);
  EXPECT_EQ(tasks[0]["final_list"], Json({"m1", "m2"}));
  EXPECT_EQ(tasks[0]["grades"]["m1"], 1);
}

TEST_F(RecordedTeacher, TakesExamplesOfOtherTrainers) {
  write("alpaca.json", R"([{"instruction": "Add.", "input": "2+2", "output": "4"}])");
  ASSERT_EQ(run("$R convert examples alpaca.json --to sft -o sft.jsonl").exit_code, 0);
  EXPECT_EQ(json_lines(read("sft.jsonl"))[0]["messages"][0]["content"], "Add.\n2+2");
  write("bad.json", R"([{"instruction": "Add.", "chosen": "4", "rejected": "5"}])");
  const Outcome refused = run("$R convert examples bad.json --to sft -o bad.jsonl");
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr("bad.json: example 1: "));
  EXPECT_FALSE(fs::exists(directory_ / "bad.jsonl"));
}

TEST_F(RecordedTeacher, ARealTeachersOrdersAreMostlyKept) {
  const fs::path windows = shared_data("teacher-textbooks/windows.jsonl");
  RR_NEEDS_FILE(windows);
  const Outcome filtered = run(fmt::format("$R filter {} -o kept.jsonl", windows.string()));
  ASSERT_EQ(filtered.exit_code, 0) << filtered.err;
  // Each question has one target: kept iff the teacher, blind to it, put it at rank 4 or better.
  EXPECT_THAT(filtered.err, ::testing::ContainsRegex("all +2299 +1201 +[0-9]+"));
}

}  // namespace
}  // namespace rr
