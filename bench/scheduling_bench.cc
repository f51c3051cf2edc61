// What it brings that each topic goes at its own pace: the driver over all topics, against rounds
// in which every topic's window waits for those of all others, on the same engine.
//
//   scheduling_bench requests.json --model M.gguf [--topics 64] [--depth 100] [--thinking 128]
//
// requests.json: rank_llm's, as `reasonrank convert` makes them. Prints the seconds of both, in
// turn, and their ratio. Read-ahead is the driver's own and goes with it.

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "rr/ir/requests_file.h"
#include "rr/lm_local/local_generator.h"
#include "rr/rerank/driver.h"

namespace {

struct Options {
  std::string requests;
  std::string model;
  std::size_t topics = 64;
  std::size_t depth = 100;
  std::size_t thinking = 128;
  std::size_t passage_tokens = 100;
  bool free_answer = false;
  std::size_t rounds = 1;
};

// Holds what is submitted until all topics have asked, so that windows run in rounds.
class InRounds : public rr::Generator {
 public:
  InRounds(rr::Generator& inner, std::size_t num_topics) : inner_(inner), num_topics_(num_topics) {}

  rr::Result<rr::GenerationId> submit(rr::GenerationRequest request,
                                      rr::GenerationListener listener) override {
    held_.push_back({std::move(request), std::move(listener)});
    if (held_.size() == num_topics_) {
      std::vector<Held> round;
      round.swap(held_);
      for (Held& one : round) {
        const auto submitted = inner_.submit(std::move(one.request), std::move(one.listener));
        if (!submitted.ok()) return submitted.error();
      }
    }
    return next_id_++;
  }
  void cancel(rr::GenerationId) override {}
  const rr::TextModel* text_model() const override { return inner_.text_model(); }

 private:
  struct Held {
    rr::GenerationRequest request;
    rr::GenerationListener listener;
  };
  rr::Generator& inner_;
  std::size_t num_topics_;
  std::vector<Held> held_;
  rr::GenerationId next_id_ = 1;
};

rr::Result<double> seconds_of(const std::vector<rr::Request>& requests, rr::LocalModel& model,
                              const Options& options, bool in_rounds) {
  rr::LocalGenerator generator(model, {.max_sequences = requests.size()});
  InRounds rounds(generator, requests.size());
  const rr::PromptBuilder prompts(
      {.cut = rr::cut_to_tokens(model.tokenizer(), options.passage_tokens)});
  rr::DriverOptions driver;
  driver.max_in_flight = requests.size();
  driver.reads_ahead = !in_rounds;
  driver.answer.max_thinking = options.thinking;
  driver.answer.free_answer = options.free_answer;
  rr::RerankListener nobody;
  rr::Generator& asked = in_rounds ? static_cast<rr::Generator&>(rounds) : generator;
  auto run = rr::rerank_all(requests, asked, rr::SlidingWindows(20, 10), prompts, driver, nobody);
  if (!run.ok()) return run.error();
  return run->seconds;
}

rr::Result<std::vector<rr::Request>> read_some(const Options& options) {
  auto read = rr::read_requests(options.requests);
  if (!read.ok()) return read.error();
  std::vector<rr::Request> requests;
  for (rr::Request& request : read->requests) {
    if (request.candidates.size() < options.depth || requests.size() == options.topics) continue;
    request.candidates.resize(options.depth);
    request.scores.resize(options.depth);
    requests.push_back(std::move(request));
  }
  if (requests.empty()) {
    return rr::Error{rr::Errc::kMalformed,
                     fmt::format("expected a topic with {} passages, found none", options.depth),
                     options.requests};
  }
  return requests;
}

rr::Status run(const Options& options) {
  auto requests = read_some(options);
  if (!requests.ok()) return requests.error();
  auto model = rr::LocalModel::load(options.model);
  if (!model.ok()) return model.error();
  fmt::print("{} topics of {} passages\n", requests->size(), options.depth);
  for (std::size_t i = 0; i < options.rounds; ++i) {
    double seconds[2];
    for (const bool in_rounds : {false, true}) {
      const auto taken = seconds_of(requests.value(), *model.value(), options, in_rounds);
      if (!taken.ok()) return taken.error();
      seconds[in_rounds ? 1 : 0] = taken.value();
    }
    fmt::print("each at its own pace {:.1f} s, in rounds {:.1f} s: {:.2f}\n", seconds[0],
               seconds[1], seconds[1] / seconds[0]);
    std::fflush(stdout);
  }
  return rr::ok_status();
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Topics at their own pace against rounds of windows");
  app.add_option("requests", options.requests, "rank_llm's requests")->required();
  app.add_option("--model", options.model, "A GGUF file or a Hugging Face folder")->required();
  app.add_option("--topics", options.topics, "The first of those with --depth passages");
  app.add_option("--depth", options.depth, "Passages of a topic");
  app.add_option("--thinking", options.thinking, "Tokens of reasoning in a window");
  app.add_option("--passage-tokens", options.passage_tokens, "Tokens of a passage");
  app.add_flag("--free-answer", options.free_answer, "No constraint: windows differ in length");
  app.add_option("--rounds", options.rounds, "Times that both run");
  CLI11_PARSE(app, argc, argv);
  const rr::Status status = run(options);
  if (status.ok()) return 0;
  fmt::print(stderr, "{}\n", status.error().to_string());
  return 1;
}
