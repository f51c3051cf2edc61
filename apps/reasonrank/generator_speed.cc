#include "apps/reasonrank/generator_speed.h"

#include <fmt/core.h>

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "rr/base/clock.h"
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

}  // namespace

std::string GeneratorSpeed::words(std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) {
    if (i > 0) text += ' ';
    text += kWords[random_.below(kWords.size())];
  }
  return text;
}

std::vector<Request> GeneratorSpeed::requests(std::size_t topics, const WindowWork& work) {
  std::vector<Request> requests;
  for (std::size_t t = 0; t < topics; ++t) {
    Request request{{Qid(fmt::format("q{}", t)), words(10), {}}, {}, {}};
    for (std::size_t p = 0; p < work.passages; ++p) {
      // A word is at least a token.
      request.candidates.push_back({Docid(fmt::format("d{}", p)), "", words(work.passage_tokens)});
      request.scores.push_back(-static_cast<double>(p));
    }
    requests.push_back(std::move(request));
  }
  return requests;
}

Result<double> GeneratorSpeed::windows_per_minute(std::size_t topics, const WindowWork& work) {
  const std::vector<Request> asked = requests(topics, work);
  const SlidingWindows planner(work.passages, work.passages);
  const PromptBuilder prompts(
      {.cut = cut_to_tokens(*generator_.text_model()->tokenizer, work.passage_tokens)});
  DriverOptions options;
  options.max_in_flight = topics;
  options.answer.max_thinking = work.thinking_tokens;
  options.answer.free_answer = work.free_answer;
  RerankListener nobody;
  RR_TRY(const RerankRun run, rerank_all(asked, generator_, planner, prompts, options, nobody));
  return 60 * static_cast<double>(topics) / run.seconds;
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
