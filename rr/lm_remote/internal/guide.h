#pragma once

#include <optional>
#include <span>
#include <string>

#include "rr/lm/generator.h"

namespace rr::internal {

// What the stages of a request mean to a server that answers in one piece.
struct AnswerPlan {
  bool wants_order = false;     // there is a permutation
  bool wants_thoughts = false;  // there is a free stage
  std::size_t order_size = 0;
  std::size_t max_tokens = 0;     // of the whole reply: budgets, and an upper bound for the rest
  std::size_t order_tokens = 0;   // the same from the permutation on
  std::string close_thoughts;     // what is forced between thoughts and order: "</think>\n<answer>"
  std::vector<std::string> stop;  // of a single free stage
};
AnswerPlan plan_of(std::span<const Stage> stages);

// The texts that the stages allow, as a regular expression for the whole reply: thoughts in
// "<think>...</think>" may be left out, for servers that take them apart from the answer.
// `from_order` leaves out all up to the order, for a call that goes on from there. Empty without a
// permutation.
std::string guide_regex(std::span<const Stage> stages, bool from_order);

// The same as a GBNF grammar.
std::string guide_grammar(std::span<const Stage> stages, bool from_order);

}  // namespace rr::internal
