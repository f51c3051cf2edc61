// `train grpo` and `reward` as a user meets them, on a model of a few thousand weights.

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "rr/base/file.h"
#include "rr/base/json.h"
#include "rr/train/internal/tiny_test_model.h"
#include "tests/program.h"

namespace rr {
namespace {

// A list of two passages of which the second is relevant.
std::string task_line(const std::string& qid) {
  return Json({{"qid", qid},
               {"query", "why " + qid},
               {"passages", {{{"docid", "a"}, {"text", "one"}}, {{"docid", "b"}, {"text", "two"}}}},
               {"grades", {{"b", 1}}},
               {"final_list", {"b", "a"}}})
             .dump() +
         "\n";
}

class GrpoProgram : public Program {
 protected:
  void SetUp() override {
    Program::SetUp();
    write("tasks.jsonl", task_line("q1") + task_line("q2") + task_line("q3"));
    write("grpo.toml",
          "chat-template = \"chatml\"\nmode = \"direct\"\ntasks-per-step = 2\ngroup = 3\n"
          "max-tokens = 12\nprecision = \"f32\"\nlora = 4\nsave-every = 1\nthreads = 1\n");
    model_ = model_files_.path().string();
    internal::write_tiny_model(model_files_, 4096);
  }

  std::string train(const std::string& more) const {
    return fmt::format("$R train grpo --model {} --tasks tasks.jsonl --config grpo.toml -o run {}",
                       model_, more);
  }

  std::vector<Json> lines_of(const std::string& name) const {
    std::vector<Json> lines;
    const std::string text = read_file(directory_ / name).value();
    for (std::size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) {
      lines.push_back(Json::parse(text.substr(at, text.find('\n', at) - at)));
    }
    return lines;
  }

  TestFolder model_files_;
  std::string model_;
};

TEST_F(GrpoProgram, ExplainsItself) {
  for (const char* const command : {"reward", "train", "train grpo"}) {
    const Outcome help = run(fmt::format("$R {} --help", command));
    EXPECT_EQ(help.exit_code, 0) << command;
    EXPECT_THAT(help.out, HasSubstr("reasonrank")) << command;
  }
  const Outcome formula = run("$R reward --explain");
  EXPECT_EQ(formula.exit_code, 0);
  EXPECT_THAT(formula.out, HasSubstr("1 nDCG@10 + 0.2 recall@10 + 0.1 overlap"));
}

TEST_F(GrpoProgram, RewardsResponses) {
  write("responses.jsonl", R"({"qid": "q1", "reply": "<think>x</think><answer>[2] > [1]</answer>"})"
                           "\n"
                           R"({"qid": "q2", "reply": "<think>x</think><answer>[1]</answer>"})"
                           "\n"
                           R"({"qid": "q3", "reply": "[2] > [1]"})"
                           "\n");
  EXPECT_EQ(num_lines(run("$R reward --tasks tasks.jsonl < responses.jsonl").out), 3u);
  const Outcome rewards = run("$R reward --tasks tasks.jsonl responses.jsonl -o rewards.jsonl");
  ASSERT_EQ(rewards.exit_code, 0) << rewards.err;
  EXPECT_THAT(rewards.err, HasSubstr("3 responses: mean reward 0.1000; 33.3 % right"));
  const std::vector<Json> lines = lines_of("rewards.jsonl");
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_NEAR(lines[0].at("reward").get<double>(), 1.3, 1e-12);
  EXPECT_EQ(lines[1].at("format"), "wrong-answer");
  EXPECT_EQ(lines[2].at("reward"), -1);

  write("reward.toml", "recal-weight = 0.3\n");
  expect_refused("$R reward --tasks tasks.jsonl --reward reward.toml responses.jsonl",
                 {"reward.toml", "\"recal-weight\" is no option of the reward"});
  write("reward.toml", "recall-weight = \n");
  expect_refused("$R reward --tasks tasks.jsonl --reward reward.toml responses.jsonl",
                 {"reward.toml:1"});
  write("short.jsonl", R"({"qid": "q1", "reply": ""})"
                       "\n");
  expect_refused("$R reward --tasks tasks.jsonl short.jsonl -o out.trec",
                 {"none to 2 of 3, such as q2", "--partial"});
  EXPECT_EQ(run("$R reward --tasks tasks.jsonl --partial short.jsonl").exit_code, 0);
  write("unknown.jsonl", R"({"qid": "q9", "reply": ""})"
                         "\n");
  expect_refused("$R reward --tasks tasks.jsonl unknown.jsonl -o out.trec",
                 {"unknown.jsonl:1", "found q9"});
  EXPECT_EQ(run("$R reward responses.jsonl").exit_code, 2);

  write("reward.toml", "overlong-tokens = 10\n");
  expect_refused(
      "$R reward --tasks tasks.jsonl --reward reward.toml responses.jsonl -o out.trec",
      {"responses.jsonl:1", "expected \"tokens\", since the reward has a term of length"});
  write("long.jsonl", R"({"qid": "q1", "reply": "<think>x</think><answer>[2] > [1]</answer>", )"
                      R"("tokens": 95, "limit": 100})"
                      "\n");
  const Outcome lengthy =
      run("$R reward --tasks tasks.jsonl --partial --reward reward.toml long.jsonl");
  EXPECT_NEAR(Json::parse(lengthy.out).at("reward").get<double>(), 1.3 - 0.5, 1e-12);
}

TEST_F(GrpoProgram, RewardsWhatVerlAsksFor) {
  // As verl loads it: a module from a path, whose compute_score() it calls by these names.
  write("ask.py", R"(import importlib.util, json, sys
sys.dont_write_bytecode = True
spec = importlib.util.spec_from_file_location("custom_module", sys.argv[1])
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
row = {"qid": "q", "initial_list": ["x", "y", "z"], "final_list": ["y", "x", "z"], "relevant_docids": ["y"]}
def score(reply, extra_info=row, **options):
    try:
        return module.compute_score(data_source="ranking", solution_str=reply, ground_truth="[2] > [1] > [3]",
                                    extra_info=extra_info, program=sys.argv[2], **options)
    except (ValueError, RuntimeError) as error:
        return str(error)
print(json.dumps([score("<think>a</think><answer>[2] > [1] > [3]</answer>"),
                  score("<think>a</think><answer>[3] [1] [2]</answer>"),
                  score("<think>a</think><answer>[3] [1] [2]</answer>", reward="published"),
                  score("[2] > [1] > [3]"), score("", reward="none.toml"), score("", {"qid": "q"})]))
)");
  const Outcome asked = run(fmt::format(
      "python3 ask.py {}/integrations/verl/reasonrank_reward.py \"$R\"", RR_SOURCE_DIR));
  ASSERT_EQ(asked.exit_code, 0) << asked.err;
  const Json found = Json::parse(asked.out);
  EXPECT_EQ(found[0], Json({{"score", 1.3},
                            {"ndcg", 1.0},
                            {"recall", 1.0},
                            {"rbo", 1.0},
                            {"right", 1.0},
                            {"right_form", 1.0}}));
  EXPECT_EQ(found[1].at("score"), 0);
  EXPECT_EQ(found[1].at("right"), 0);
  EXPECT_EQ(found[1].at("right_form"), 1);
  // 1 / log2(4) + 0.2 and a tenth of the mean of 0, 1/2 and 1.
  EXPECT_NEAR(found[2].at("score").get<double>(), 0.5 + 0.2 + 0.05, 1e-9);
  EXPECT_EQ(found[3].at("score"), -1);
  EXPECT_THAT(found[4].get<std::string>(), HasSubstr("none.toml: no such file"));
  EXPECT_THAT(found[5].get<std::string>(), HasSubstr("'initial_list'"));
}

TEST_F(GrpoProgram, TrainsGoesOnAndIsUsed) {
  const Outcome first = run(train("--steps 3 --validation tasks.jsonl --validate-every 2"));
  ASSERT_EQ(first.exit_code, 0) << first.err;
  EXPECT_THAT(first.err, HasSubstr("after step 0: nDCG@10"));
  const std::vector<Json> metrics = lines_of("run/metrics.jsonl");
  ASSERT_EQ(metrics.size(), 4u);  // one look before the first step
  for (std::size_t i = 1; i < metrics.size(); ++i) {
    EXPECT_EQ(metrics[i].at("step"), i);
    EXPECT_LT(metrics[i].at("agreement_max").get<double>(), 1e-5);
  }
  EXPECT_TRUE(metrics[2].contains("validation_ndcg"));
  EXPECT_EQ(lines_of("run/samples.jsonl").size(), 9u);
  EXPECT_EQ(Json::parse(read_file(directory_ / "run/run.json").value())
                .at("settings")
                .at("reward")
                .at("format"),
            "whole");

  const Outcome again = run("$R train grpo --resume run");
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_THAT(again.err, HasSubstr("going on after step 3"));
  EXPECT_EQ(lines_of("run/metrics.jsonl").size(), 4u);

  const Outcome used = run(fmt::format(
      "$R rerank --model {} --chat-template chatml --mode direct --adapter run --topics "
      "topics.jsonl --corpus corpus.jsonl --run run.trec -o out.trec",
      model_));
  EXPECT_EQ(used.exit_code, 0) << used.err;
  fs::remove(directory_ / "out.trec");

  // A run on top of this one, which folds it in and is used as a whole.
  const Outcome second = run(fmt::format(
      "$R train grpo --model {} --adapter run --chat-template chatml --mode direct --tasks "
      "tasks.jsonl --tasks-per-step 2 --group 3 --max-tokens 12 --precision f32 --lora 4 --steps "
      "1 -o second",
      model_));
  ASSERT_EQ(second.exit_code, 0) << second.err;
  EXPECT_EQ(run(fmt::format("$R model generate --model {} --adapter second -p hello --max-tokens 3",
                            model_))
                .exit_code,
            0);
  EXPECT_EQ(run("$R export second --format safetensors --type f32 -o merged").exit_code, 0);
  expect_refused("$R export second --format peft -o adapter", {"folded in", "safetensors"});
}

TEST_F(GrpoProgram, MeasuresKlFromTheStartOrFromAnotherModel) {
  const TestFolder other;
  internal::write_tiny_model(other, 4096);
  // Rewards that differ though the model writes at random: some replies have two numbers in them.
  write("reward.toml", "rule = \"published\"\nwrong-answer = -1\n");
  const auto kl = [&](const std::string& more) {
    const Outcome done =
        run(train("--steps 3 --lr 0.01 --group 6 --max-tokens 60 --reward reward.toml " + more));
    EXPECT_EQ(done.exit_code, 0) << done.err;
    std::vector<double> values;
    for (const Json& line : lines_of("run/metrics.jsonl")) values.push_back(line.at("kl"));
    fs::remove_all(directory_ / "run");
    return values;
  };
  // Adapters off, and the same weights as a second model, whose kernels sum in another order.
  const std::vector<double> from_start = kl("");
  const std::vector<double> from_other = kl("--reference " + other.path().string());
  ASSERT_EQ(from_start.size(), 3u);
  EXPECT_GT(from_start.back(), 1e-6);
  for (std::size_t i = 0; i < from_start.size(); ++i) {
    EXPECT_NEAR(from_start[i], from_other[i], 1e-5 + 0.01 * from_start[i]) << i;
  }

  expect_refused(train("--kl 0 --reference " + other.path().string()), {"--kl is 0"});
  expect_refused(train("--reference none"), {"none"});
  std::string config = read_file(other.path() / "config.json").value();
  config.replace(config.find(":4096"), 5, ":100");
  other.write("config.json", config);
  expect_refused(train("--reference " + other.path().string()), {"a context of 100"});
  Json tokenizer = internal::tiny_tokenizer_json();
  tokenizer["added_tokens"][0]["content"] = "<|other|>";
  other.write("tokenizer.json", tokenizer.dump());
  expect_refused(train("--reference " + other.path().string()), {"the vocabulary of the model"});
}

// Adapters that are written with and learnt beside weights in few bits.
TEST_F(GrpoProgram, LearnsBesideWeightsOfFewBits) {
  for (const std::string bits : {"int8", "int4"}) {
    fs::remove_all(directory_ / "run");
    const Outcome first = run(train("--steps 2 --compute " + bits));
    ASSERT_EQ(first.exit_code, 0) << first.err;
    EXPECT_THAT(first.err, HasSubstr(bits + " on 1 threads, " + bits));
    const std::vector<Json> metrics = lines_of("run/metrics.jsonl");
    ASSERT_EQ(metrics.size(), 2u);
    for (const Json& step : metrics) EXPECT_LT(step.at("agreement_max").get<double>(), 1e-5);
    const std::string last = "run/checkpoints/step-000002.safetensors";
    const std::string whole = read_file(directory_ / last).value();
    fs::remove(directory_ / last);
    const Outcome again = run("$R train grpo --resume run --threads 2");
    ASSERT_EQ(again.exit_code, 0) << again.err;
    EXPECT_EQ(read_file(directory_ / last).value(), whole);
  }
  expect_refused(train("--steps 1 --lora 0 --compute int8"),
                 {"weights in int8 stay as they are and only adapters learn", "--lora RANK"});
  expect_refused(train("--steps 1 --compute int4 --adapter run"),
                 {"weights in int4 would round away most of an adapter", "--compute bf16"});
}

TEST_F(GrpoProgram, NamesTheFaultOfEachInput) {
  expect_refused(train("--group 1"), {"groups of at least 2 replies, found 1"});
  expect_refused(train("--max-tokens 4096"), {"leave no room for a prompt", "4096"});
  expect_refused(train("--max-prompt 10"), {"tasks.jsonl", "3 have a prompt of more than 10"});
  expect_refused(train("--dual-clip 0.5"), {"dual-clip", "0.5"});
  expect_refused(train("--reward none.toml"), {"none.toml"});
  EXPECT_EQ(run("$R train grpo -o run").exit_code, 2);
  EXPECT_EQ(run("$R train grpo --tasks tasks.jsonl").exit_code, 2);

  write("tasks.jsonl", Json({{"qid", "q1"},
                             {"query", "x"},
                             {"passages", {{{"docid", "a"}, {"text", "one"}}}},
                             {"grades", {{"a", 1}}}})
                           .dump());
  expect_refused(train(""), {"tasks.jsonl", "1 a single passage"});
  Json task = Json::parse(task_line("q1"));
  task["grades"] = {{"z", 1}};
  write("tasks.jsonl", task.dump());
  expect_refused(train(""), {"topic q1", "found z in the grades alone"});
  task["grades"] = {{"a", 0}};
  write("tasks.jsonl", task.dump());
  expect_refused(train(""), {"1 no passage that should stand before another"});
  EXPECT_FALSE(fs::exists(directory_ / "run"));

  write("tasks.jsonl", task_line("q1"));
  ASSERT_EQ(run(train("--steps 1")).exit_code, 0);
  expect_refused(train("--steps 1"), {"there is a run in this folder already"});
  expect_refused("$R train sft --resume run", {"run.json"});
  EXPECT_EQ(run("$R train grpo --resume run --lr 1").exit_code, 2);
  write("tasks.jsonl", task_line("q2"));
  expect_refused("$R train grpo --resume run", {"the tasks are not what the run began with"});
}

}  // namespace
}  // namespace rr
