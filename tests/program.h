#pragma once

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "rr/base/file.h"
#include "tests/test_folder.h"

// Runs the program as a user does: in a shell, in a folder of its own.

namespace rr {

namespace fs = std::filesystem;
using ::testing::HasSubstr;
using ::testing::Not;

struct Outcome {
  int exit_code = -1;  // 128 + signal where one ended the program
  std::string out;
  std::string err;
};

// Runs `reasonrank <arguments>` in a shell, so that pipes and redirections work; $R is the program.
inline Outcome shell(const std::string& command, const fs::path& directory) {
  const std::string line = "cd '" + directory.string() + "' && R='" RR_PROGRAM "'; { " + command +
                           "; } >stdout.txt 2>stderr.txt </dev/null";
  const int status = std::system(line.c_str());
  Outcome outcome;
  outcome.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  outcome.out = read_file(directory / "stdout.txt").value();
  outcome.err = read_file(directory / "stderr.txt").value();
  fs::remove(directory / "stdout.txt");
  fs::remove(directory / "stderr.txt");
  return outcome;
}

inline std::size_t num_lines(const std::string& text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

class Program : public ::testing::Test {
 protected:
  void SetUp() override {
    write("passages.txt", "Grass is green.\nThe sky scatters blue light.\nBread needs yeast.\n");
    write("topics.jsonl", R"({"_id": "q1", "text": "why is the sky blue?"})"
                          "\n");
    write("corpus.jsonl", R"({"_id": "a", "title": "", "text": "Grass is green."})"
                          "\n"
                          R"({"_id": "b", "title": "", "text": "The sky scatters blue light."})"
                          "\n");
    write("run.trec", "q1 Q0 a 1 2.0 bm25\nq1 Q0 b 2 1.0 bm25\n");
    write("qrels.txt", "q1 0 b 1\n");
  }

  void write(const fs::path& name, std::string_view text) const { directory_.write(name, text); }
  Outcome run(const std::string& command) const { return shell(command, directory_); }

  // Exit code 1, one sentence that holds every part of `parts`, and no output file.
  void expect_refused(const std::string& command, const std::vector<std::string>& parts,
                      int exit_code = 1) const {
    const Outcome outcome = run(command);
    EXPECT_EQ(outcome.exit_code, exit_code) << command << "\n" << outcome.err;
    for (const std::string& part : parts) EXPECT_THAT(outcome.err, HasSubstr(part)) << command;
    EXPECT_FALSE(fs::exists(directory_ / "out.trec")) << command;
    if (exit_code == 1) {
      EXPECT_EQ(num_lines(outcome.err), 1u) << command << "\n" << outcome.err;
    }
  }

  TestFolder directory_;
};

}  // namespace rr
