#include <fmt/core.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "rr/base/atomic_file.h"
#include "rr/base/file.h"
#include "rr/base/json.h"
#include "tests/program.h"
#include "tests/shared_data.h"

// The program as a user meets it: its commands, what they print, and what they do with bad input.

namespace rr {
namespace {

constexpr const char* kRerankFiles =
    "$R rerank --topics topics.jsonl --corpus corpus.jsonl --run run.trec -o out.trec ";

TEST_F(Program, ExplainsItself) {
  for (const std::string command :
       {"",           "index",          "search",         "rerank",
        "show",       "evaluate",       "compare",        "fuse",
        "convert",    "convert run",    "convert corpus", "check-data",
        "synthesize", "filter",         "decontaminate",  "split",
        "export",     "fix-text",       "model",          "model pull",
        "model info", "model tokenize", "model score",    "model generate",
        "train",      "train sft",      "train grpo",     "reward",
        "report",     "cost",           "bench"}) {
    const Outcome help = run(fmt::format("$R {} --help", command));
    EXPECT_EQ(help.exit_code, 0) << command;
    EXPECT_THAT(help.out, HasSubstr("reasonrank")) << command;
    EXPECT_EQ(help.err, "") << command;
  }
  EXPECT_EQ(run("$R --version").exit_code, 0);
}

TEST_F(Program, UsageErrorsExitWithTwo) {
  EXPECT_EQ(run("$R").exit_code, 2);
  EXPECT_EQ(run("$R rerank --no-such-option").exit_code, 2);
  EXPECT_EQ(run("$R evaluate").exit_code, 2);
  expect_refused(std::string(kRerankFiles) + "--stride 30 --window 20", {"stride"}, 2);
  expect_refused(std::string(kRerankFiles) + "--depth 0", {"depth"}, 2);
}

TEST_F(Program, NamesTheFaultOfEachInput) {
  const std::string rerank = kRerankFiles;
  expect_refused("$R rerank --topics none.jsonl --corpus corpus.jsonl --run run.trec -o out.trec",
                 {"none.jsonl"});
  write("run.trec", "q1 Q0 a 1 2.0 bm25\nq1 Q0 zz 2 1.0 bm25\n");
  expect_refused(rerank, {"zz", "corpus"});
  write("run.trec", "q1 0 a 1\n");
  expect_refused(rerank, {"run.trec:1", "qrels"});
  write("run.trec", "q1 Q0 a 1 2.0 bm25\nq1 Q0 b 2 high bm25\n");
  expect_refused(rerank, {"run.trec:2", "high"});
  write("run.trec", "q1 Q0 a 1 2.0 bm25\nq1 Q0 a 2 1.0 bm25\n");
  expect_refused(rerank, {"run.trec:2", "a"});
  write("run.trec", "q1 Q0 a\xFF 1 2.0 bm25\n");
  expect_refused(rerank, {"run.trec:1", "UTF-8"});
}

TEST_F(Program, NamesTheFaultOfATopicOrACorpus) {
  const std::string rerank = kRerankFiles;
  write("topics.jsonl", "{\"_id\": \"q1\", \"text\": \"\"}\n");
  expect_refused(rerank, {"topics.jsonl:1"});
  write("topics.jsonl", "{\"_id\": \"q1\", \"text\": \n");
  expect_refused(rerank, {"topics.jsonl:1"});
  write("topics.jsonl", "{\"_id\": \"q1\", \"text\": \"why?\"}\n");
  write("corpus.jsonl", "{\"_id\": \"a\"\n");
  expect_refused(rerank, {"corpus.jsonl:1"});
}

TEST_F(Program, SaysWhichModelItCannotUse) {
  expect_refused(std::string(kRerankFiles) + "--model none.gguf", {"none.gguf"});
  write("empty.gguf", "");
  expect_refused(std::string(kRerankFiles) + "--model empty.gguf", {"empty.gguf"});
  const fs::path model = default_model_file();
  RR_NEEDS_FILE(model);
  const std::string half = "head -c 40000000 '" + model.string() + "' > half.gguf; ";
  expect_refused(half + std::string(kRerankFiles) + "--model half.gguf", {"half.gguf"});
  // The architecture's name stands in the file's first key-value pair.
  const std::string strange =
      "sed '0,/general.architecture\\(.\\{12\\}\\)llama/s//general.architecture\\1qwert/' '" +
      model.string() + "' > strange.gguf; ";
  expect_refused(strange + std::string(kRerankFiles) + "--model strange.gguf", {"qwert"});
}

TEST_F(Program, RefusesAnOutputThatCannotBeWritten) {
  const fs::path model = default_model_file();
  RR_NEEDS_FILE(model);
  expect_refused(
      "$R rerank --topics topics.jsonl --corpus corpus.jsonl --run run.trec -o none/out.trec",
      {"none/out.trec"});
  if (fs::exists("/dev/full")) {
    const Outcome full =
        run("$R rerank --topics topics.jsonl --corpus corpus.jsonl --run run.trec --max-thinking 4 "
            "-o /dev/full");
    EXPECT_EQ(full.exit_code, 1);
    EXPECT_THAT(full.err, HasSubstr("/dev/full"));
  }
}

TEST_F(Program, EvaluatesAndSaysWhatIsMissing) {
  // b is second: nDCG@10 = 1/log2(3) = 0.6309, RR = 0.5.
  write("qrels.txt", "q1 0 b 1\nq2 0 b 1\n");
  const Outcome outcome = run("$R evaluate qrels.txt run.trec -m nDCG@10,RR@10 --format tsv");
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_THAT(outcome.out, HasSubstr("nDCG@10\t0.6309"));
  EXPECT_THAT(outcome.out, HasSubstr("RR@10\t0.5"));
  EXPECT_THAT(outcome.err, HasSubstr("1 topic"));
  EXPECT_EQ(run("$R evaluate run.trec run.trec").exit_code, 1);
  EXPECT_EQ(run("$R evaluate qrels.txt qrels.txt").exit_code, 1);
  EXPECT_EQ(run("$R evaluate qrels.txt run.trec -m nDGC@10").exit_code, 2);
}

TEST_F(Program, FindsFusesAndComparesWithoutAModel) {
  const std::string tiny = std::string(RR_SOURCE_DIR) + "/data/tiny/";
  ASSERT_EQ(run(fmt::format("$R index {}corpus.jsonl -o idx", tiny)).exit_code, 0);
  ASSERT_EQ(
      run(fmt::format("$R search idx --topics {}queries.jsonl -k 20 -o s.trec", tiny)).exit_code,
      0);
  ASSERT_EQ(
      run(fmt::format("$R fuse {}bm25.trec s.trec --method rrf -o fused.trec", tiny)).exit_code, 0);
  const std::string qrels = tiny + "qrels.trec";
  const Outcome values = run(
      fmt::format("$R evaluate {} {}bm25.trec fused.trec -m nDCG@10 --format tsv", qrels, tiny));
  EXPECT_EQ(values.exit_code, 0) << values.err;
  EXPECT_THAT(values.out, HasSubstr("nDCG@10\t0.3116"));  // as data/tiny/README.md says
  const Outcome compared =
      run(fmt::format("$R compare {} {}bm25.trec s.trec fused.trec -m nDCG@10", qrels, tiny));
  EXPECT_EQ(compared.exit_code, 0) << compared.err;
  EXPECT_THAT(compared.out, HasSubstr("0.3116"));

  // One flipped byte in the index is seen, and the file named.
  ASSERT_EQ(
      run("f=$(ls -S idx/segment.0/* | head -1); printf 'X' | dd of=$f bs=1 seek=5000 conv=notrunc "
          "2>/dev/null")
          .exit_code,
      0);
  const Outcome damaged = run("$R search idx -q sky");
  EXPECT_EQ(damaged.exit_code, 1);
  EXPECT_THAT(damaged.err, HasSubstr("idx/"));
}

TEST_F(Program, RepairsText) {
  write("messy.txt", "sch\xC3\x83\xC2\xB6n &amp; gut\n");
  const Outcome outcome = run("$R fix-text < messy.txt");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "sch\xC3\xB6n & gut\n");
}

TEST_F(Program, AClosedPipeIsQuiet) {
  std::string many;
  for (int i = 0; i < 20000; ++i) many += "q" + std::to_string(i) + " Q0 b 1 1.0 t\n";
  std::string qrels;
  for (int i = 0; i < 20000; ++i) qrels += "q" + std::to_string(i) + " 0 b 1\n";
  write("many.trec", many);
  write("many.qrels", qrels);
  const Outcome outcome =
      run("$R evaluate many.qrels many.trec --per-topic --format tsv | head -1");
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(outcome.err, "");
}

class WithModel : public Program {
 protected:
  void SetUp() override {
    Program::SetUp();
    RR_NEEDS_FILE(default_model_file());
  }
};

TEST_F(WithModel, RanksPassagesFromAFile) {
  const Outcome outcome = run("$R rerank -q 'why is the sky blue?' passages.txt --max-thinking 16");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  for (const char* text : {"Grass is green", "scatters blue light", "Bread needs yeast"}) {
    EXPECT_THAT(outcome.out, HasSubstr(text));
  }
}

TEST_F(WithModel, TellsWhatEachStepOfTheModelWasMadeOf) {
  const Outcome outcome =
      run("$R rerank -q 'why is the sky blue?' passages.txt --max-thinking 16 --step-log s.jsonl "
          "--trace t.jsonl");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  std::map<std::string, std::size_t> sums;
  auto reader = LineReader::open(directory_ / "s.jsonl").value();
  for (std::string line; reader.next(line).value();) {
    const Json step = parse_json(line, reader.where()).value();
    EXPECT_GT(step.at("seconds").get<double>(), 0);
    EXPECT_LE(step.at("reading").get<std::size_t>() + step.at("writing").get<std::size_t>(), 1u);
    for (const auto& [name, value] : step.items()) {
      if (value.is_number_unsigned()) sums[name] += value.get<std::size_t>();
    }
  }
  const std::string trace = read_file(directory_ / "t.jsonl").value();
  const Json tokens = parse_json(trace, "").value().at("windows").at(0).at("tokens");
  EXPECT_EQ(sums["read_tokens"] + sums["known_tokens"], tokens.at("prompt").get<std::size_t>());
  EXPECT_EQ(sums["forced_tokens"], tokens.at("forced").get<std::size_t>());
  EXPECT_LT(sums["written_tokens"], tokens.at("completion").get<std::size_t>());
  EXPECT_GT(sums["written_tokens"], 16u);

  const Outcome replayed = run("$R rerank --replay t.jsonl --step-log r.jsonl -o out.trec");
  EXPECT_EQ(replayed.exit_code, 2);
  EXPECT_THAT(replayed.err, HasSubstr("--step-log needs a model here"));
}

TEST_F(WithModel, WritesARunWhoseScoresAgreeWithItsRanks) {
  const std::string tiny = std::string(RR_SOURCE_DIR) + "/data/tiny/";
  const Outcome outcome =
      run("$R rerank --topics " + tiny + "queries.jsonl --corpus " + tiny + "corpus.jsonl --run " +
          tiny +
          "bm25.trec --depth 6 --window 4 --stride 2 --max-thinking 8 --passage-tokens 40 "
          "-o out.trec --trace out.jsonl");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  auto reader = LineReader::open(directory_ / "out.trec");
  ASSERT_TRUE(reader.ok());
  std::map<std::string, float> last_score;
  std::size_t count = 0;
  for (std::string line; reader->next(line).value(); ++count) {
    std::istringstream fields(line);
    std::string qid, q0, docid;
    int rank = 0;
    float score = 0;
    ASSERT_TRUE(fields >> qid >> q0 >> docid >> rank >> score) << line;
    if (rank > 1) {
      EXPECT_LT(score, last_score[qid]) << line;
    }
    last_score[qid] = score;
  }
  EXPECT_EQ(count, last_score.size() * 6);
  EXPECT_FALSE(fs::exists(directory_ / "out.trec.partial"));

  const Outcome show = run("$R show out.jsonl --qid " + last_score.begin()->first);
  EXPECT_EQ(show.exit_code, 0) << show.err;
  EXPECT_THAT(show.out, HasSubstr("thoughts:"));
  EXPECT_THAT(show.out, HasSubstr("repairs: none"));
  EXPECT_EQ(run("$R show out.jsonl --qid nobody").exit_code, 1);
}

TEST_F(WithModel, GoesOnAfterAKill) {
  const std::string tiny = std::string(RR_SOURCE_DIR) + "/data/tiny/";
  const std::string command = "rerank --topics " + tiny + "queries.jsonl --corpus " + tiny +
                              "corpus.jsonl --run " + tiny +
                              "bm25.trec --depth 4 --max-thinking 24 --passage-tokens 32 ";
  ASSERT_EQ(run("$R " + command + "-o whole.trec").exit_code, 0);

  // Killed once a topic is in the journal, then started again. One topic after another, so that
  // some are left by the time that a busy machine looks into it.
  const Outcome killed =
      run("$R " + command +
          "--in-flight 1 -o out.trec & P=$!; while kill -0 $P 2>/dev/null && [ $(cat "
          "out.trec.partial 2>/dev/null | wc -l) -lt 3 ]; do sleep 0.05; done; "
          "kill -KILL $P; wait $P 2>/dev/null; test ! -e out.trec");
  ASSERT_EQ(killed.exit_code, 0) << killed.err;
  ASSERT_TRUE(fs::exists(directory_ / "out.trec.partial"));
  const Outcome resumed = run("$R " + command + "-o out.trec");
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_EQ(read_file(directory_ / "out.trec").value(),
            read_file(directory_ / "whole.trec").value());
}

TEST_F(Program, WantsAnIndexOrFilesNotBoth) {
  expect_refused("$R rerank --index idx -o out.trec", {"--index needs a query"}, 2);
  expect_refused("$R rerank --index idx -q sky passages.txt -o out.trec", {"no passages"}, 2);
  expect_refused(std::string(kRerankFiles) + "-k 10", {"-k needs --index"}, 2);
  expect_refused("$R rerank --index idx -q sky -o out.trec", {"idx", "`reasonrank index`"});
  ASSERT_EQ(run("$R index corpus.jsonl -o idx").exit_code, 0);
  expect_refused("$R rerank --index idx -q 'the of and' -o out.trec",
                 {"idx", "nothing found", "only stop words"});
}

TEST_F(WithModel, SearchesAndReranksAsWithARunOfTheSameSearch) {
  ASSERT_EQ(run("$R index corpus.jsonl -o idx").exit_code, 0);
  write("topics.jsonl",
        "{\"_id\": \"q1\", \"text\": \"why does the sky scatter light and is green\"}\n"
        "{\"_id\": \"q2\", \"text\": \"to be or not to be\"}\n");
  ASSERT_EQ(run("$R search idx --topics topics.jsonl -o run.trec").exit_code, 0);
  ASSERT_EQ(run(std::string(kRerankFiles) + "--max-thinking 4").exit_code, 0);
  const std::string by_run = read_file(directory_ / "out.trec").value();
  const std::string by_index_command =
      "$R rerank --index idx --topics topics.jsonl --max-thinking 4 -o o2.trec --trace o2.jsonl";
  const Outcome by_index = run(by_index_command);
  ASSERT_EQ(by_index.exit_code, 0) << by_index.err;
  EXPECT_THAT(by_index.err, HasSubstr("topic q2: nothing found: the query has only stop words"));
  EXPECT_EQ(read_file(directory_ / "o2.trec").value(), by_run);
  ASSERT_EQ(
      run("$R rerank --replay o2.jsonl --index idx --topics topics.jsonl -o o3.trec").exit_code, 0);
  EXPECT_EQ(read_file(directory_ / "o3.trec").value(), by_run);
}

TEST_F(WithModel, MeasuresWindowsAndHowTheyAreScheduled) {
  const Outcome outcome = run("$R bench --repeat 0 --topics 2 --depth 30 --max-thinking 4");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, Not(HasSubstr("reading a prompt")));
  for (const char* line :
       {"samples of 200", "windows of 20 passages, 2 at once ", "2 at once, free answers",
        "2 topics of 30 passages, each at its own pace", "in rounds of windows"}) {
    EXPECT_THAT(outcome.out, HasSubstr(line));
  }
}

TEST_F(WithModel, ToolsSpeakJsonLines) {
  write("in.jsonl", "{\"text\": \"The sky is blue.\"}\n{\"text\": \"Grass\"}\n");
  const Outcome tokens = run("$R model tokenize in.jsonl");
  ASSERT_EQ(tokens.exit_code, 0) << tokens.err;
  EXPECT_EQ(num_lines(tokens.out), 2u);
  write("ids.jsonl", tokens.out);
  const Outcome scores = run("$R model score ids.jsonl");
  ASSERT_EQ(scores.exit_code, 0) << scores.err;
  const std::string first = scores.out.substr(0, scores.out.find('\n'));
  const std::string first_ids = tokens.out.substr(0, tokens.out.find('\n'));
  EXPECT_EQ(parse_json(first, "").value()["token_logprobs"].size() + 1,
            parse_json(first_ids, "").value()["ids"].size());
  const Outcome generated = run("$R model generate in.jsonl --max-tokens 3");
  ASSERT_EQ(generated.exit_code, 0) << generated.err;
  EXPECT_EQ(num_lines(generated.out), 2u);
  write("bad.jsonl", "{\"text\": \"x\"}\n{\"txt\": 1}\n");
  const Outcome bad = run("$R model tokenize bad.jsonl");
  EXPECT_EQ(bad.exit_code, 1);
  EXPECT_THAT(bad.err, HasSubstr("bad.jsonl:2"));
}

}  // namespace
}  // namespace rr
