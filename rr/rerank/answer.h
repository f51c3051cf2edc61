#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "rr/base/result.h"
#include "rr/ir/ranking.h"
#include "rr/lm/generator.h"
#include "rr/rerank/prompt.h"
#include "rr/rerank/session.h"

namespace rr {

// How the model is made to answer.
struct AnswerOptions {
  // Most tokens of reasoning in a window, kReasoning and kQwen3; fewer where the context leaves
  // fewer. When they are spent, the thoughts are closed for the model and the answer still comes.
  std::size_t max_thinking = 3072;

  // false: the answer is decoded under a constraint and is always a permutation.
  // true: the model writes what it wants, within max_thinking + 100 tokens, as published; the
  // parser repairs. kRankK always does.
  bool free_answer = false;

  Sampling sampling = {};

  // true: special tokens that a query or passage spells out act as such, as in the published
  // system. Only where the generator has a text model; a server decides for itself.
  bool passages_may_control = false;
};

// Greedy; kQwen3: temperature 0.6, top_p 0.95, top_k 20 (ReasonRank's settings for it).
Sampling default_sampling(PromptMode mode);

// What the model writes for a window of window_size passages. Under the constraint:
//
//   kReasoning, kQwen3   "<think>\n" thoughts "</think>\n<answer>" [3] > [1] > [2] "</answer>"
//   kDirect              [3] > [1] > [2]
//
// answer_tokens: what the list takes; the budget of a free kDirect answer.
std::vector<Stage> answer_stages(PromptMode mode, const AnswerOptions& options,
                                 std::size_t window_size, std::size_t max_thinking,
                                 std::size_t answer_tokens);

// The most tokens that a window's answer takes beside its thoughts; without a model (nullptr),
// which could count them, a guess that is too high.
std::size_t answer_reserve(PromptMode mode, const AnswerOptions& options, std::size_t window_size,
                           const TextModel* model);

struct AnswerRequest {
  GenerationRequest request;
  bool thinking_was_cut = false;  // the context left fewer tokens than max_thinking
};

// A window's prompt as a request, labelled "qid/index". With `model` (may be nullptr) the prompt is
// rendered and encoded here, and refused where it does not fit into the context together with its
// answer: the error names topic, window and the numbers.
Result<AnswerRequest> make_answer_request(const Prompt& prompt, const Qid& qid, PromptMode mode,
                                          const AnswerOptions& options, const TextModel* model);

// A prompt as the model reads it, its begin token included. Refused: a model without a template.
Result<TokenIds> encode_prompt(const Messages& messages, PromptMode mode,
                               const AnswerOptions& options, const TextModel& model);

// The tokens that prompts of both conversations begin with. Empty where the model has no template.
TokenIds common_beginning(const Messages& one, const Messages& other, PromptMode mode,
                          const AnswerOptions& options, const TextModel& model);

// Refuses, before any work, requests with a window whose prompt would not fit into the model's
// context, whatever the model answers in the windows before it. Counts each passage by itself, so
// it may be some tokens too strict.
Status check_prompts_fit(std::span<const Request> requests, const WindowPlanner& planner,
                         const PromptBuilder& prompts, const AnswerOptions& options,
                         const TextModel& model);

}  // namespace rr
