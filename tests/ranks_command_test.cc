// Training on several ranks as a user starts it: by mpirun, on a model of a few thousand weights.

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "rr/base/file.h"
#include "rr/base/json.h"
#include "rr/ranks/mpi_ranks.h"
#include "rr/train/checkpoint.h"
#include "rr/train/internal/tiny_test_model.h"
#include "tests/program.h"

namespace rr {
namespace {

class RanksProgram : public Program {
 protected:
  void SetUp() override {
    Program::SetUp();
    internal::write_tiny_model(model_files_, 4096);
    std::string examples;
    for (const char* const word : {"one", "two", "three", "four", "five, which is more", "six"}) {
      examples +=
          Json({{"prompt", std::string("say ") + word}, {"completion", word}}).dump() + "\n";
    }
    write("sft.jsonl", examples);
    std::string tasks;
    for (int i = 0; i < 3; ++i) {
      const Json passages = {{{"docid", "a"}, {"text", "one"}}, {{"docid", "b"}, {"text", "two"}}};
      tasks += Json({{"qid", fmt::format("q{}", i)},
                     {"query", fmt::format("why {}", i)},
                     {"passages", passages},
                     {"grades", {{"b", 1}}}})
                   .dump() +
               "\n";
    }
    write("tasks.jsonl", tasks);
  }

  static bool can_run() {
    return has_mpi() && std::system("mpirun --version >/dev/null 2>&1") == 0;
  }

  // Whether what ranks still say while mpirun ends them reaches anyone: not by OpenMPI 5.
  static bool last_words_are_heard() {
    return std::system("mpirun --version | grep -q 'Open MPI) 4'") == 0;
  }

  // OpenMPI keeps some memory to its end, and does not run as root unless told to.
  static std::string mpirun(std::size_t num_ranks) {
    return fmt::format(
        "env ASAN_OPTIONS=detect_leaks=0 OMPI_ALLOW_RUN_AS_ROOT=1 "
        "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 mpirun -n {} --oversubscribe ",
        num_ranks);
  }

  std::string sft(const std::string& more) const {
    return fmt::format(
        "$R train sft --model {} --chat-template chatml --data sft.jsonl --validation sft.jsonl "
        "--tasks tasks.jsonl --tasks-per-step 2 --batch-size 4 --accumulate 1 --warmup 0 --lr "
        "0.001 --row-tokens 60 --precision f32 {}",
        model_files_.path().string(), more);
  }

  std::string grpo(const std::string& more) const {
    return fmt::format(
        "$R train grpo --model {} --chat-template chatml --tasks tasks.jsonl --validation "
        "tasks.jsonl --mode direct --tasks-per-step 3 --group 3 --max-tokens 12 --precision f32 "
        "--lora 4 --lr 1e-5 --reward published {}",
        model_files_.path().string(), more);
  }

  std::vector<Json> metrics_of(const std::string& run) const {
    std::vector<Json> lines;
    const auto text = read_file(directory_ / run / "metrics.jsonl");
    EXPECT_TRUE(text.ok()) << run;
    if (!text.ok()) return lines;
    for (std::size_t at = 0; at < text->size(); at = text->find('\n', at) + 1) {
      lines.push_back(Json::parse(text->substr(at, text->find('\n', at) - at)));
    }
    return lines;
  }

  void expect_same_curves(const std::string& one, const std::string& other,
                          const std::vector<const char*>& keys) const {
    const std::vector<Json> a = metrics_of(one);
    const std::vector<Json> b = metrics_of(other);
    ASSERT_EQ(a.size(), b.size());
    for (std::size_t i = 0; i < a.size(); ++i) {
      for (const char* const key : keys) {
        ASSERT_EQ(a[i].contains(key), b[i].contains(key)) << key << " of line " << i;
        if (!a[i].contains(key)) continue;
        EXPECT_NEAR(a[i].at(key).get<double>(), b[i].at(key).get<double>(), 1e-5)
            << key << " of line " << i;
      }
    }
  }

  // How often a text says something.
  static std::size_t count(const std::string& text, const std::string& what) {
    std::size_t times = 0;
    for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; ++at) ++times;
    return times;
  }

  // Starts two ranks on a run that would take long, does `then` when there is a checkpoint, and
  // waits for the end; $M is mpirun.
  Outcome interrupt(const std::string& then) const {
    return run(mpirun(2) + sft("--steps 1000000 --save-every 2 -o long & M=$!; ") +
               "while ! ls long/checkpoints/step-*.safetensors >/dev/null 2>&1; do sleep 0.1; "
               "done; " +
               then + "; wait $M");
  }

  void expect_whole_and_going_on() const {
    const auto checkpoint = RunFolder::open(directory_ / "long").value().newest_checkpoint();
    ASSERT_TRUE(checkpoint.ok()) << checkpoint.error().to_string();
    const Outcome on = run("timeout -s INT 3 $R train sft --resume long --threads 1");
    EXPECT_THAT(on.err, HasSubstr("going on after step"));
    EXPECT_THAT(on.err, HasSubstr("go on with\n  reasonrank train sft --resume long"));
  }

  TestFolder model_files_;
};

TEST_F(RanksProgram, WhatCannotShareItsWorkIsNotStartedInSeveral) {
  const Outcome others = run("OMPI_COMM_WORLD_SIZE=2 OMPI_COMM_WORLD_RANK=0 $R search -q x idx");
  EXPECT_EQ(others.exit_code, 2);
  EXPECT_THAT(others.err, HasSubstr("started as 2 processes"));
  EXPECT_EQ(num_lines(others.err), 1u);
  const Outcome second = run("PMI_SIZE=2 PMI_RANK=1 $R search -q x idx");
  EXPECT_EQ(second.exit_code, 2);
  EXPECT_EQ(second.err, "");
  if (has_mpi()) GTEST_SKIP() << "built with MPI: what a program without it refuses is not seen";
  expect_refused("OMPI_COMM_WORLD_SIZE=2 OMPI_COMM_WORLD_RANK=0 " + sft("-o x"),
                 {"one of 2 ranks, and built without MPI"});
  EXPECT_FALSE(fs::exists(directory_ / "x"));
}

TEST_F(RanksProgram, ImitatesTogetherAsAlone) {
  if (!can_run()) GTEST_SKIP() << "no mpirun here, or built without MPI";
  for (const char* const kind : {"--lora 0", "--lora 4"}) {
    const std::string name = std::string(kind).substr(7);
    const std::string steps = fmt::format("--steps 5 --validate-every 2 {} -o ", kind);
    ASSERT_EQ(run(sft(steps + "one" + name)).exit_code, 0);
    const Outcome two = run(mpirun(2) + sft(steps + "two" + name));
    ASSERT_EQ(two.exit_code, 0) << two.err;
    EXPECT_EQ(count(two.err, "ranks      2, 2 on this machine"), 1u) << two.err;
    EXPECT_EQ(count(two.err, "training "), 1u) << two.err;
    expect_same_curves("one" + name, "two" + name,
                       {"loss", "ranking_loss", "grad_norm", "tokens", "validation_loss"});
  }
}

TEST_F(RanksProgram, LearnsFromRewardsTogetherAsAlone) {
  if (!can_run()) GTEST_SKIP() << "no mpirun here, or built without MPI";
  ASSERT_EQ(run(grpo("--steps 3 -o one")).exit_code, 0);
  const Outcome two = run(mpirun(2) + grpo("--steps 3 -o two"));
  ASSERT_EQ(two.exit_code, 0) << two.err;
  expect_same_curves("one", "two",
                     {"reward", "loss", "kl", "entropy", "rollout_tokens", "learn_tokens",
                      "validation_ndcg", "validation_thinking_tokens"});
  EXPECT_EQ(read_file(directory_ / "one/samples.jsonl").value(),
            read_file(directory_ / "two/samples.jsonl").value());
}

TEST_F(RanksProgram, SaysOnceWhatIsWrong) {
  if (!can_run()) GTEST_SKIP() << "no mpirun here, or built without MPI";
  const Outcome missing = run(mpirun(2) + sft("--max-length 100000 -o x"));
  EXPECT_EQ(missing.exit_code, 1);
  EXPECT_EQ(count(missing.err, "reasonrank: "), 1u) << missing.err;
  const Outcome unknown = run(mpirun(2) + "$R train sft --bogus 1");
  EXPECT_EQ(unknown.exit_code, 2);
  EXPECT_EQ(count(unknown.err, "--bogus"), 1u) << unknown.err;
}

TEST_F(RanksProgram, ARankThatIsKilledEndsAllAndLosesNothing) {
  if (!can_run()) GTEST_SKIP() << "no mpirun here, or built without MPI";
  // The second child, then the first: whoever is left says how to go on.
  for (const char* const which : {"tail -n 1", "head -n 1"}) {
    const Outcome killed = interrupt(fmt::format(
        "kill -KILL $(cat /proc/$M/task/*/children | tr ' ' '\\n' | grep . | sort -n | {})",
        which));
    EXPECT_NE(killed.exit_code, 0);
    if (last_words_are_heard()) {
      EXPECT_THAT(killed.err, HasSubstr("mpirun -n 2 reasonrank train sft --resume long"));
    }
    expect_whole_and_going_on();
    fs::remove_all(directory_ / "long");
  }
}

TEST_F(RanksProgram, ASignalStopsAllWithACheckpoint) {
  if (!can_run()) GTEST_SKIP() << "no mpirun here, or built without MPI";
  for (const std::string signal : {"USR1", "INT"}) {
    const Outcome stopped = interrupt(fmt::format("kill -{} $M", signal));
    EXPECT_NE(stopped.exit_code, 0);
    if (signal == "USR1" || last_words_are_heard()) {
      EXPECT_EQ(count(stopped.err, "stopped after step"), 1u) << stopped.err;
      EXPECT_THAT(stopped.err,
                  HasSubstr("go on with\n  mpirun -n 2 reasonrank train sft --resume"));
    }
    EXPECT_THAT(RunFolder::open(directory_ / "long").value().newest_checkpoint().value().string(),
                HasSubstr(fmt::format("{:06}", metrics_of("long").size())));
    expect_whole_and_going_on();
    fs::remove_all(directory_ / "long");
  }
}

}  // namespace
}  // namespace rr
