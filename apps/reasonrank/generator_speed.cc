#include "apps/reasonrank/generator_speed.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "rr/base/clock.h"
#include "rr/base/progress.h"
#include "rr/rerank/driver.h"

namespace rr {
namespace {

constexpr std::array kWords = {
    "the",     "of",      "water",   "light",  "because", "cell",   "study",  "when",  "heat",
    "people",  "energy",  "small",   "found",  "in",      "a",      "blood",  "time",  "effect",
    "between", "is",      "growth",  "that",   "large",   "air",    "which",  "may",   "cause",
    "price",   "law",     "by",      "more",   "force",   "mind",   "plants", "and",   "result",
    "change",  "over",    "system",  "market", "to",      "higher", "acid",   "are",   "memory",
    "surface", "process", "protein", "as",     "first",   "often",  "number", "place", "body",
    "with",    "signal",  "disease", "field",  "rate",    "for",    "model",  "group", "table"};

class CountsWindows : public RerankListener {
 public:
  explicit CountsWindows(std::size_t total) : progress_("measuring", total, "windows") {}
  void on_window(std::size_t, const RerankSession&) override { progress_.update(++done_); }

 private:
  Progress progress_;
  std::size_t done_ = 0;
};

// Holds what is asked until `topics` topics have asked.
class InRounds : public Generator {
 public:
  InRounds(Generator& inner, std::size_t topics) : inner_(inner), topics_(topics) {}

  Result<GenerationId> submit(GenerationRequest request, GenerationListener listener) override {
    held_.push_back({std::move(request), std::move(listener)});
    if (held_.size() == topics_) {
      for (Held& one : std::exchange(held_, {})) {
        const auto taken = inner_.submit(std::move(one.request), std::move(one.listener));
        if (!taken.ok()) return taken.error();
      }
    }
    return next_id_++;
  }
  void cancel(GenerationId) override {}  // only at a failure, which ends the measurement
  const TextModel* text_model() const override { return inner_.text_model(); }

 private:
  struct Held {
    GenerationRequest request;
    GenerationListener listener;
  };
  Generator& inner_;
  std::size_t topics_;
  std::vector<Held> held_;
  GenerationId next_id_ = 1;
};

}  // namespace

std::string GeneratorSpeed::words(std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) {
    if (i > 0) text += ' ';
    text += kWords[random_.below(kWords.size())];
  }
  return text;
}

std::vector<Request> GeneratorSpeed::requests(std::size_t topics, std::size_t depth,
                                              std::size_t passage_tokens) {
  std::vector<Request> requests;
  for (std::size_t t = 0; t < topics; ++t) {
    Request request{{Qid(fmt::format("q{}", t)), words(10), {}}, {}, {}};
    for (std::size_t p = 0; p < depth; ++p) {
      // A word is at least a token.
      request.candidates.push_back({Docid(fmt::format("d{}", p)), "", words(passage_tokens)});
      request.scores.push_back(-static_cast<double>(p));
    }
    requests.push_back(std::move(request));
  }
  return requests;
}

Result<double> GeneratorSpeed::seconds_of(Generator& generator, std::size_t topics,
                                          std::size_t depth, const WindowWork& work,
                                          bool reads_ahead) {
  const std::vector<Request> asked = requests(topics, depth, work.passage_tokens);
  const SlidingWindows planner(work.passages, std::max<std::size_t>(1, work.passages / 2));
  const PromptBuilder prompts(
      {.cut = cut_to_tokens(*generator_.text_model()->tokenizer, work.passage_tokens)});
  DriverOptions options;
  options.max_in_flight = topics;
  options.reads_ahead = reads_ahead;
  options.answer.max_thinking = work.thinking_tokens;
  options.answer.free_answer = work.free_answer;
  CountsWindows windows(topics * planner.plan(depth).size());
  RR_TRY(const RerankRun run, rerank_all(asked, generator, planner, prompts, options, windows));
  return run.seconds;
}

Result<double> GeneratorSpeed::windows_per_minute(std::size_t topics, const WindowWork& work) {
  RR_TRY(const double seconds, seconds_of(generator_, topics, work.passages, work, true));
  return 60 * static_cast<double>(topics) / seconds;
}

Result<Pace> GeneratorSpeed::pace(std::size_t topics, std::size_t depth, const WindowWork& work) {
  Pace pace;
  RR_TRY(pace.own_s, seconds_of(generator_, topics, depth, work, true));
  InRounds rounds(generator_, topics);
  RR_TRY(pace.rounds_s, seconds_of(rounds, topics, depth, work, false));
  return pace;
}

Result<double> GeneratorSpeed::sampling(std::size_t prompt_tokens, std::size_t count,
                                        std::size_t tokens) {
  TokenIds prompt = generator_.text_model()->tokenizer->encode(words(prompt_tokens));
  prompt.resize(prompt_tokens);
  std::vector<GenerationRequest> asked;
  for (std::size_t i = 0; i < count; ++i) {
    asked.push_back({.prompt = prompt,
                     .stages = {FreeStage{tokens, {}}},
                     .sampling = {.temperature = 1, .seed = i},
                     .label = "sample"});
  }
  const Clock::time_point start = Clock::now();
  RR_TRY(const std::vector<Completion> completions, generate_all(generator_, std::move(asked)));
  const double seconds = seconds_since(start);
  std::size_t written = 0;
  for (const Completion& completion : completions) written += completion.ids.size();
  return static_cast<double>(written) / seconds;
}

}  // namespace rr
