#include <fmt/core.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <string>
#include <vector>

#include "rr/train/internal/tiny_test_model.h"
#include "tests/program.h"

// Training as a user does it, on a model of a few thousand weights.

namespace rr {
namespace {

// "a.trec"'s docids, best first.
std::vector<std::string> docids_of(const std::string& run) {
  std::vector<std::string> docids;
  for (std::size_t at = 0; at < run.size(); at = run.find('\n', at) + 1) {
    const std::size_t begin = run.find("Q0 ", at) + 3;
    docids.push_back(run.substr(begin, run.find(' ', begin) - begin));
  }
  return docids;
}

class Training : public Program {
 protected:
  void SetUp() override {
    Program::SetUp();
    internal::write_tiny_model(model_folder_);
    // The prompts here are longer than that model's context.
    std::string config = read_file(model_folder_ / "config.json").value();
    config.replace(config.find(":512"), 4, ":4096");
    model_folder_.write("config.json", config);
    model_ = fmt::format(" --model {} --chat-template chatml --threads 1 ",
                         model_folder_.path().string());
    // That b goes before a.
    write(
        "samples.jsonl",
        R"({"dataset":"d","qid":"q1","query":"why is the sky blue?","initial_list":["a","b"],)"
        R"("final_list":["b","a"],"relevant_docids":["b"],"reasoning":"b explains it","passages":)"
        R"([{"docid":"a","text":"Grass is green."},)"
        R"({"docid":"b","text":"The sky scatters blue light."}]})"
        "\n");
    expect_done(
        "$R split samples.jsonl --mode direct --passage-words 50 --sft 1 --validation 0 "
        "-o data");
    write(kListOfTwo, R"({"qid":"q1","query":"why is the sky blue?","grades":{"b":1},"passages":)"
                      R"([{"docid":"a","text":"Grass is green."},)"
                      R"({"docid":"b","text":"The sky scatters blue light."}]})"
                      "\n");
  }

  void expect_done(const std::string& command) const {
    const Outcome outcome = run(command);
    ASSERT_EQ(outcome.exit_code, 0) << command << "\n" << outcome.err;
  }
  std::string read(const std::string& name) const {
    const auto text = read_file(directory_ / name);
    return text.ok() ? text.value() : "";
  }
  std::string rerank(const std::string& options, const std::string& output) const {
    const bool has_compute = options.find("--compute") != std::string::npos;
    return "$R rerank --mode direct --topics topics.jsonl --corpus corpus.jsonl --run run.trec " +
           std::string(has_compute ? "" : "--compute f32 ") + options + " -o " + output;
  }

  std::vector<Json> lines_of(const std::string& name) const {
    std::vector<Json> lines;
    const std::string text = read(name);
    for (std::size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) {
      lines.push_back(Json::parse(text.substr(at, text.find('\n', at) - at)));
    }
    return lines;
  }

  static constexpr const char* kListOfTwo = "tasks.jsonl";
  TestFolder model_folder_;
  std::string model_;
};

TEST_F(Training, WhatWasLearntReranksAsAdapterAndAsModel) {
  for (const char* const kind : {"full", "lora"}) {
    const bool is_lora = std::string(kind) == "lora";
    expect_done(
        "$R train sft --data data/sft.jsonl --steps 40 --accumulate 1 --warmup 0 --precision f32 " +
        model_ + (is_lora ? "--lora 8 --lr 0.03 -o " : "--lr 0.01 -o ") + kind);
    const std::string with_adapter = std::string(kind) + "-adapter.trec";
    expect_done(rerank(model_ + "--adapter " + kind, with_adapter));
    EXPECT_EQ(docids_of(read(with_adapter)), (std::vector<std::string>{"b", "a"})) << kind;

    expect_done(fmt::format("$R export {0} --format safetensors --type f32 -o {0}-model", kind));
    const std::string of_model = std::string(kind) + "-model.trec";
    expect_done(rerank(fmt::format("--model {}-model --chat-template chatml "
                                   "--threads 1",
                                   kind),
                       of_model));
    EXPECT_EQ(docids_of(read(of_model)), docids_of(read(with_adapter))) << kind;
  }
  expect_done("$R export lora --format peft -o peft");
  expect_done(rerank(model_ + "--adapter peft", "peft.trec"));
  EXPECT_EQ(read("peft.trec"), read("lora-adapter.trec"));
  expect_done("$R report full lora -o curves.html");
}

TEST_F(Training, RankingTasksTeachTheMethodsThatReadProbabilities) {
  for (const char* const method : {"pointwise", "first"}) {
    const std::string folder = method;
    expect_done(fmt::format(
        "$R train sft --tasks {0} --validation-tasks {0} --method {1} --steps 30 "
        "--tasks-per-step 1 --no-shuffle --warmup 0 --lr 0.01 --precision f32 {2} -o {1}",
        kListOfTwo, method, model_));
    EXPECT_NE(read(folder + "/metrics.jsonl").find("\"validation_ndcg\":1.0"), std::string::npos);
    expect_done(rerank(fmt::format("{} --adapter {} --method {}", model_, folder, method),
                       folder + ".trec"));
    EXPECT_EQ(docids_of(read(folder + ".trec")), (std::vector<std::string>{"b", "a"})) << method;
    expect_done("$R report " + folder + " -o curves.html");
    EXPECT_NE(read("curves.html").find("ranking loss"), std::string::npos);
  }
  expect_refused("$R train sft" + model_ + "-o x", {"expected --data or --tasks with a file"}, 2);
  write("equal.jsonl",
        R"({"qid":"q","query":"?","grades":{},"passages":[{"docid":"a","text":"b"}]})"
        "\n");
  expect_refused("$R train sft --tasks equal.jsonl" + model_ + "-o x",
                 {"expected a task to learn from, found none: of 1, 1 have no passage"});
  EXPECT_FALSE(fs::exists(directory_ / "x"));
}

TEST_F(Training, HeldOutListsAreAnsweredInWordsWhileItLearns) {
  for (const char* const kind : {"full", "lora"}) {
    const std::string folder = kind;
    const std::string learning = folder == "lora" ? "--lora 8 --lr 0.03" : "--lr 0.01";
    expect_done(fmt::format(
        "$R train sft --data data/sft.jsonl --validation-tasks {} --mode direct --max-tokens 20 "
        "--validate-every 20 --steps 40 --accumulate 1 --warmup 0 --precision f32 {} {} -o {}",
        kListOfTwo, learning, model_, folder));
    const std::vector<Json> lines = lines_of(folder + "/metrics.jsonl");
    ASSERT_EQ(lines.size(), 41u);  // one look before the first step
    EXPECT_EQ(lines.front().at("step"), 0);
    EXPECT_EQ(lines.front().at("validation_valid"), 0);
    EXPECT_FALSE(lines[19].contains("validation_ndcg"));
    EXPECT_TRUE(lines[20].contains("validation_thinking_tokens"));
    EXPECT_EQ(lines.back().at("validation_valid"), 1) << kind;
    EXPECT_EQ(lines.back().at("validation_ndcg"), 1) << kind;
    const std::vector<Json> samples = lines_of(folder + "/samples.jsonl");
    ASSERT_EQ(samples.size(), 3u);
    EXPECT_EQ(samples.back().at("step"), 40);
    EXPECT_EQ(samples.back().at("reply"), "[2] > [1]") << kind;
  }
  expect_done("$R report full lora -o curves.html");
  EXPECT_THAT(read("curves.html"), HasSubstr("Sample replies"));
  expect_refused(
      fmt::format("$R train sft --data data/sft.jsonl --validation-tasks {} --max-tokens "
                  "4096 {} -o x",
                  kListOfTwo, model_),
      {"answers of 4096 tokens leave no room"});
}

TEST_F(Training, ExportSaysWhatFitsTheFolder) {
  expect_refused("$R export . --format gguf -o x", {"found neither"});
  expect_refused("$R export data --format gguf -o x", {"data is training data: take --for"}, 2);
  expect_refused("$R export data -o x", {"say which trainer with --for"}, 2);
  write("a/run.json", "{}");
  expect_refused("$R export a -o x", {"say what to write with --format"}, 2);
  expect_refused("$R export a --for verl -o x", {"a is the folder of a run: take --format"}, 2);
  expect_refused("$R export a --format peft --type q4_0 -o x", {"take --format gguf"}, 2);
  expect_refused("$R export a --format peft -o x", {"a/run.json"});
  EXPECT_FALSE(fs::exists(directory_ / "x"));
}

// Weights in few bits stay as they are, and so does what was learnt beside them.
TEST_F(Training, AdaptersLearnAndServeBesideWeightsOfFewBits) {
  for (const std::string bits : {"int8", "int4"}) {
    const std::string train =
        "$R train sft --data data/sft.jsonl --accumulate 1 --warmup 0 --lora 8 --lr 0.03 "
        "--save-every 20 --steps 40 --compute " +
        bits + model_ + "-o " + bits;
    expect_done(train);
    EXPECT_NE(read(bits + "/run.json").find("\"precision\": \"" + bits + "\""), std::string::npos)
        << read(bits + "/run.json");
    const std::string last = bits + "/checkpoints/step-000040.safetensors";
    const std::string whole = read(last);
    ASSERT_FALSE(whole.empty());
    fs::remove(directory_ / last);
    expect_done("$R train sft --resume " + bits + " --threads 2");
    EXPECT_EQ(read(last), whole);

    for (const char* const compute : {"int8", "int4", "bf16"}) {
      expect_done(rerank(fmt::format("{} --compute {} --adapter {}", model_, compute, bits), "a"));
      EXPECT_EQ(docids_of(read("a")), (std::vector<std::string>{"b", "a"})) << compute;
    }
    expect_done(fmt::format("$R export {0} --format safetensors --type f32 -o {0}-model", bits));
    expect_done(fmt::format("$R export {0} --format peft -o {0}-peft", bits));
    const std::string served = rerank(model_ + "--compute " + bits + " --adapter " + bits, "run");
    expect_done(served);
    expect_done(rerank(model_ + "--compute " + bits + " --adapter " + bits + "-peft", "peft"));
    EXPECT_EQ(read("peft"), read("run"));
  }
  expect_done(rerank(model_ + "--compute int4 --adapter int8 --adapter int4", "both"));
  expect_refused("$R train sft --data data/sft.jsonl --compute int4" + model_ + "-o x",
                 {"weights in int4 stay as they are and only adapters learn", "--lora RANK"});
  EXPECT_FALSE(fs::exists(directory_ / "x"));
}

// A run of four steps that has lost its last checkpoint: to go on, it must write it again.
class InterruptedRun : public Training {
 protected:
  void SetUp() override {
    Training::SetUp();
    expect_done(
        "$R train sft --data data/sft.jsonl --steps 4 --save-every 2 --accumulate 1 --lr "
        "0.001 -o a" +
        model_);
    whole_ = read(kLast);
    fs::remove(directory_ / kLast);
    before_ = read(kBefore);
    ASSERT_FALSE(whole_.empty());
    ASSERT_FALSE(before_.empty());
  }

  // That the checkpoint before is what it was, nothing else lies beside it, and the run goes on
  // from it to the same weights.
  void expect_goes_on() const {
    EXPECT_EQ(read(kBefore), before_);
    std::size_t files = 0;
    for (const auto& entry : fs::directory_iterator(directory_ / "a/checkpoints")) {
      (void)entry;
      ++files;
    }
    EXPECT_EQ(files, 1u);
    expect_done("$R train sft --resume a --threads 1");
    EXPECT_EQ(read(kLast), whole_);
  }

  static constexpr const char* kBefore = "a/checkpoints/step-000002.safetensors";
  static constexpr const char* kLast = "a/checkpoints/step-000004.safetensors";
  std::string whole_;
  std::string before_;
};

TEST_F(InterruptedRun, AFullDiskKeepsTheCheckpointBefore) {
  // A file may have 64 blocks of 512 bytes: enough for metrics, not for a checkpoint.
  const Outcome full = run("( trap '' XFSZ; ulimit -f 64; $R train sft --resume a --threads 1 )");
  EXPECT_EQ(full.exit_code, 1) << full.err;
  EXPECT_THAT(full.err, HasSubstr("step-000004.safetensors"));
  EXPECT_THAT(full.err, HasSubstr("File too large"));
  expect_goes_on();
}

TEST_F(InterruptedRun, AFolderThatMayNotBeWrittenKeepsTheCheckpointBefore) {
  const bool is_root = ::geteuid() == 0;
  const std::string nobody =
      is_root ? "setpriv --reuid 65534 --regid 65534 --clear-groups " : std::string();
  if (run(nobody + "$R --version").exit_code != 0) {
    GTEST_SKIP() << "the program cannot be run without the rights of root here";
  }
  const std::string model = model_folder_.path().string();
  ASSERT_EQ(run("chmod -R a-w a; chmod a+rx . a a/checkpoints " + model).exit_code, 0);
  const Outcome closed = run(nobody + "$R train sft --resume a --threads 1");
  ASSERT_EQ(run("chmod -R u+w a").exit_code, 0);
  EXPECT_EQ(closed.exit_code, 1) << closed.err;
  EXPECT_THAT(closed.err, HasSubstr("Permission denied"));
  expect_goes_on();
}

// A handler's frame would lie below the stack pointer, which oneDNN's products let point into the
// heap: see interrupt.h.
TEST_F(Training, ASignalInterruptsNoThreadThatComputes) {
  const Outcome outcome =
      run("$R train sft --data data/sft.jsonl --steps 1000000 --lr 1e-5 -o long" + model_ +
          "& P=$!; while [ ! -s long/metrics.jsonl ]; do sleep 0.05; done; "
          "cat /proc/$P/task/*/status | grep -E 'SigBlk|SigCgt'; kill -INT $P; sleep 0.05; kill "
          "-INT $P; wait $P");
  EXPECT_EQ(outcome.exit_code, 130) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("go on with\n  reasonrank train sft --resume"));
  std::size_t num_blocking = 0;
  std::size_t num_open = 0;
  const std::uint64_t kBoth = (1u << (SIGINT - 1)) | (1u << (SIGTERM - 1));
  for (std::size_t at = 0; (at = outcome.out.find(":\t", at)) != std::string::npos; at += 2) {
    const std::uint64_t signals = std::stoull(outcome.out.substr(at + 2, 16), nullptr, 16) & kBoth;
    if (outcome.out.compare(at - 6, 6, "SigCgt") == 0) {
      EXPECT_EQ(signals, 0u) << outcome.out;
    } else {
      ++(signals == kBoth ? num_blocking : num_open);
    }
  }
  EXPECT_GE(num_blocking, 1u) << outcome.out;
  EXPECT_EQ(num_open, 1u) << "the thread that waits for them\n" << outcome.out;
}

}  // namespace
}  // namespace rr
