#include "rr/rerank/answer.h"

#include <fmt/core.h>

#include <algorithm>
#include <functional>
#include <numeric>
#include <string>
#include <string_view>
#include <utility>

#include "rr/base/check.h"

namespace rr {
namespace {

constexpr std::string_view kOpenThoughts = "<think>\n";
constexpr std::string_view kCloseThoughts = "</think>";
constexpr std::string_view kOpenAnswer = "</think>\n<answer>";
constexpr std::string_view kCloseAnswer = "</answer>";

// The published budget is that of the reasoning and 100 tokens for the answer.
constexpr std::size_t kFreeAnswerTokens = 100;

// Texts that meet may take a token more than each alone.
constexpr std::size_t kSlackTokens = 8;

// Bounds on what no tokenizer is asked about: "[20] > " is at most 7 tokens.
constexpr std::size_t kMostTokensPerIdentifier = 9;

bool thinks(PromptMode mode) { return answer_format(mode) == AnswerFormat::kTagged; }

bool is_free(PromptMode mode, const AnswerOptions& options) {
  return options.free_answer || mode == PromptMode::kRankK;
}

// "[1] > [2] > ... > [n]": as long as any other order of them.
std::string permutation_text(std::size_t size) {
  std::string text;
  for (std::size_t i = 1; i <= size; ++i) text += fmt::format("{}[{}]", i == 1 ? "" : " > ", i);
  return text;
}

// Without a model an upper bound: a token is at least a byte.
std::size_t count_tokens(std::string_view text, const TextModel* model) {
  if (model == nullptr) return text.size();
  const TokenIds ids = model->tokenizer->encode_with_special(text);
  return ids.size();
}

std::size_t answer_tokens(std::size_t window_size, const TextModel* model) {
  if (model == nullptr) return window_size * kMostTokensPerIdentifier;
  return count_tokens(permutation_text(window_size), model);
}

std::string window_name(const Qid& qid, const Window& window) {
  return fmt::format("topic {}, window of ranks {}-{}", qid.str(), window.start + 1, window.end);
}

Error does_not_fit(const Qid& qid, const Window& window, std::size_t prompt_tokens,
                   std::size_t reserve, const TextModel& model) {
  return {Errc::kRejected,
          fmt::format("the prompt takes {} tokens and its answer at least {}, but the model's "
                      "context holds {}; cut passages shorter (--passage-tokens) or use smaller "
                      "windows (--window, --stride)",
                      prompt_tokens, reserve, model.context_length),
          window_name(qid, window)};
}

}  // namespace

std::size_t answer_reserve(PromptMode mode, const AnswerOptions& options, std::size_t window_size,
                           const TextModel* model) {
  if (is_free(mode, options) && mode != PromptMode::kDirect) return kFreeAnswerTokens;
  std::size_t tokens = answer_tokens(window_size, model) + kSlackTokens;
  if (!thinks(mode)) return tokens;
  for (const std::string_view text : {kOpenThoughts, kOpenAnswer, kCloseAnswer}) {
    tokens += count_tokens(text, model);
  }
  return tokens;
}

Result<TokenIds> encode_prompt(const Messages& messages, PromptMode mode,
                               const AnswerOptions& options, const TextModel& model) {
  if (model.chat == nullptr) {
    return Error{Errc::kRejected,
                 "the model names no chat template that is known; choose one with --chat-template",
                 ""};
  }
  // Without reasoning, a model that would think first is told that it has.
  const RenderedPrompt rendered = model.chat->render(
      messages, {.thinking = mode != PromptMode::kDirect && mode != PromptMode::kPointwise});
  TokenIds ids = options.passages_may_control
                     ? model.tokenizer->encode_with_special(rendered.text)
                     : model.tokenizer->encode(rendered.text, rendered.control);
  const auto begin = model.tokenizer->begin_token();
  if (begin && (ids.empty() || ids.front() != *begin)) ids.insert(ids.begin(), *begin);
  return ids;
}

namespace {

// A topic's windows, checked with each passage counted once.
class FitCheck {
 public:
  FitCheck(const Request& request, const PromptBuilder& prompts, const AnswerOptions& options,
           const TextModel& model)
      : request_(&request), prompts_(&prompts), options_(&options), model_(&model) {
    query_ = prompts.prepare_query(request.topic.query);
  }

  Status check(const std::vector<Window>& plan) {
    tokens_.assign(request_->candidates.size(), kNotCounted);
    for (const Window& window : plan) {
      RR_TRY(const std::size_t frame, frame_tokens(window.size()));
      const std::size_t most = frame + most_passage_tokens(window);
      const std::size_t reserve =
          answer_reserve(prompts_->mode(), *options_, window.size(), model_);
      if (most + reserve > model_->context_length) {
        return does_not_fit(request_->topic.qid, window, most, reserve, *model_);
      }
    }
    return ok_status();
  }

 private:
  static constexpr std::size_t kNotCounted = static_cast<std::size_t>(-1);

  // The prompt without the passages' texts.
  Result<std::size_t> frame_tokens(std::size_t window_size) {
    if (window_size == frame_size_) return frame_tokens_;
    const std::vector<std::string_view> empty(window_size);
    RR_TRY(const TokenIds ids,
           encode_prompt(prompts_->build(query_, empty), prompts_->mode(), *options_, *model_));
    frame_size_ = window_size;
    frame_tokens_ = ids.size() + kSlackTokens;
    return frame_tokens_;
  }

  std::size_t count(std::size_t candidate) const {
    const std::string text = prompts_->prepare_passage(request_->candidates[candidate]).text;
    return options_->passages_may_control ? model_->tokenizer->encode_with_special(text).size()
                                          : model_->tokenizer->encode(text).size();
  }

  // Passages that no window saw yet stand where they stood; of those seen, the longest may come.
  std::size_t most_passage_tokens(const Window& window) {
    std::size_t total = 0;
    std::size_t fresh = 0;
    std::vector<std::size_t> newly_seen;
    for (std::size_t rank = window.start; rank < window.end; ++rank) {
      if (tokens_[rank] != kNotCounted) continue;
      tokens_[rank] = count(rank);
      newly_seen.push_back(tokens_[rank]);
      total += tokens_[rank];
      ++fresh;
    }
    const std::size_t survivors = std::min(window.size() - fresh, seen_.size());
    total = std::accumulate(seen_.begin(), seen_.begin() + static_cast<std::ptrdiff_t>(survivors),
                            total);
    seen_.insert(seen_.end(), newly_seen.begin(), newly_seen.end());
    std::sort(seen_.begin(), seen_.end(), std::greater<>());
    return total;
  }

  const Request* request_;
  const PromptBuilder* prompts_;
  const AnswerOptions* options_;
  const TextModel* model_;
  std::string query_;
  std::vector<std::size_t> tokens_;  // by candidate
  std::vector<std::size_t> seen_;    // token counts, longest first
  std::size_t frame_size_ = 0;
  std::size_t frame_tokens_ = 0;
};

// A token is at least a byte: most requests need no tokenizer to see that they fit.
bool fits_by_bytes(const Request& request, const std::vector<Window>& plan, PromptMode mode,
                   const TextModel& model) {
  constexpr std::size_t kFrameBytes = 4096;
  std::size_t longest_window = 0;
  for (const Window& window : plan) longest_window = std::max(longest_window, window.size());
  std::size_t bytes =
      kFrameBytes + 2 * request.topic.query.size() + 2 * longest_window * kMostTokensPerIdentifier;
  for (const Passage& passage : request.candidates) {
    bytes += passage.title.size() + passage.text.size();
  }
  return bytes + (thinks(mode) ? kFreeAnswerTokens : 0) <= model.context_length;
}

}  // namespace

Sampling default_sampling(PromptMode mode) {
  if (mode != PromptMode::kQwen3) return {};
  return {.temperature = 0.6, .top_p = 0.95, .top_k = 20, .min_p = 0, .seed = 0};
}

std::vector<Stage> answer_stages(PromptMode mode, const AnswerOptions& options,
                                 std::size_t window_size, std::size_t max_thinking,
                                 std::size_t answer_tokens) {
  if (is_free(mode, options)) {
    const bool is_short = mode == PromptMode::kDirect;
    return {FreeStage{is_short ? answer_tokens : max_thinking + kFreeAnswerTokens, {}}};
  }
  if (!thinks(mode)) return {PermutationStage{window_size}};
  return {ForcedStage{std::string(kOpenThoughts)},
          FreeStage{max_thinking, {std::string(kCloseThoughts)}},
          ForcedStage{std::string(kOpenAnswer)}, PermutationStage{window_size},
          ForcedStage{std::string(kCloseAnswer)}};
}

TokenIds common_beginning(const Messages& one, const Messages& other, PromptMode mode,
                          const AnswerOptions& options, const TextModel& model) {
  const Result<TokenIds> first = encode_prompt(one, mode, options, model);
  const Result<TokenIds> second = encode_prompt(other, mode, options, model);
  if (!first.ok() || !second.ok()) return {};
  const auto [end, ignored] = std::mismatch(first.value().begin(), first.value().end(),
                                            second.value().begin(), second.value().end());
  return TokenIds(first.value().begin(), end);
}

Result<AnswerRequest> make_answer_request(const Prompt& prompt, const Qid& qid, PromptMode mode,
                                          const AnswerOptions& options, const TextModel* model) {
  const std::size_t size = prompt.window.size();
  AnswerRequest answer;
  answer.request.label = fmt::format("{}/{}", qid.str(), prompt.index);
  answer.request.sampling = options.sampling;
  std::size_t max_thinking = options.max_thinking;
  if (model == nullptr) {
    answer.request.prompt = prompt.messages;
  } else {
    RR_TRY(TokenIds ids, encode_prompt(prompt.messages, mode, options, *model));
    const std::size_t reserve = answer_reserve(mode, options, size, model);
    if (ids.size() + reserve > model->context_length) {
      return does_not_fit(qid, prompt.window, ids.size(), reserve, *model);
    }
    const std::size_t room = model->context_length - ids.size() - reserve;
    answer.thinking_was_cut = mode != PromptMode::kDirect && room < max_thinking;
    max_thinking = std::min(max_thinking, room);
    answer.request.prompt = std::move(ids);
  }
  answer.request.stages =
      answer_stages(mode, options, size, max_thinking, answer_tokens(size, model));
  return answer;
}

Status check_prompts_fit(std::span<const Request> requests, const WindowPlanner& planner,
                         const PromptBuilder& prompts, const AnswerOptions& options,
                         const TextModel& model) {
  for (const Request& request : requests) {
    const std::vector<Window> plan = planner.plan(request.candidates.size());
    if (fits_by_bytes(request, plan, prompts.mode(), model)) continue;
    RR_TRY_STATUS(FitCheck(request, prompts, options, model).check(plan));
  }
  return ok_status();
}

}  // namespace rr
