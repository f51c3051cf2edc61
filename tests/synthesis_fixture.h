#pragma once

#include <fmt/core.h>

#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "rr/base/json.h"
#include "tests/program.h"

// What the tests of `reasonrank synthesize` share.

namespace rr {

inline std::vector<Json> json_lines(const std::string& text) {
  std::vector<Json> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin);
    lines.push_back(parse_json(text.substr(begin, end - begin), "line").value());
    begin = end + 1;
  }
  return lines;
}

class Synthesis : public Program {
 protected:
  static constexpr std::size_t kRetrieved = 12;  // passages a topic

  std::string read(const std::string& name) const {
    const auto text = read_file(directory_ / name);
    return text.ok() ? text.value() : "";
  }

  // Topics t0, t1, ... with solutions, a corpus, and a retrieved list for each.
  void write_topics(std::size_t num_topics) const {
    std::string topics, corpus, lists;
    for (std::size_t doc = 0; doc < 30; ++doc) {
      corpus += to_json_line({{"_id", fmt::format("d{}", doc)},
                              {"text", fmt::format("theorem {} says {}", doc, doc * 37)}}) +
                "\n";
    }
    for (std::size_t topic = 0; topic < num_topics; ++topic) {
      const std::string qid = fmt::format("t{}", topic);
      topics += to_json_line({{"_id", qid},
                              {"text", fmt::format("problem {} of {}", topic, topic * 91)},
                              {"solution", "the secret proof"},
                              {"dataset", topic % 2 == 0 ? "algebra" : "geometry"},
                              {"licence", "CC0"}}) +
                "\n";
      for (std::size_t rank = 0; rank < kRetrieved; ++rank) {
        lists +=
            fmt::format("{} Q0 d{} {} {} run\n", qid, (topic + rank) % 30, rank + 1, 100 - rank);
      }
    }
    write("topics.jsonl", topics);
    write("corpus.jsonl", corpus);
    write("run.trec", lists);
  }

  // The command, without its teacher.
  static std::string synthesize_into(const std::string& output) {
    return "$R synthesize --domain math-theorem --topics topics.jsonl --corpus corpus.jsonl --run "
           "run.trec -o " +
           output;
  }

  // Kills of a test that interrupts a run again and again; RR_KILLS=200 is the long form.
  static std::size_t num_kills() {
    const char* wanted = std::getenv("RR_KILLS");
    return wanted == nullptr ? 25 : std::stoul(wanted);
  }

  // Starts the command and kills it at a random moment of its first `seconds`; true: it had ended.
  bool ends_before_kill(const std::string& command, double seconds, std::mt19937& random) const {
    std::uniform_real_distribution<double> moment(0.001, seconds);
    const Outcome outcome = run(fmt::format("{} & sleep {:.4f}; kill -KILL $! 2>kill.txt; wait $!",
                                            command, moment(random)));
    EXPECT_TRUE(outcome.exit_code == 0 || outcome.exit_code == 137) << outcome.err;
    return outcome.exit_code == 0;
  }
};

}  // namespace rr
