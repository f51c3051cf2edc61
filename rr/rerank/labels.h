#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "rr/lm/generator.h"

// Rankings by how likely a model finds each of a few texts, instead of one that it writes.

namespace rr {

// What a prompt of PromptMode::kPointwise is answered with: "Yes", "No".
std::vector<std::string> relevance_labels();

// How relevant a passage is: the log-odds of "Yes" against "No". Comparable between topics.
// label_logprobs: natural logs, in the order of relevance_labels().
double relevance_score(std::span<const double> label_logprobs);

// How an answer to a prompt of PromptMode::kDirect begins: "[1] > [", "[2] > [", ... What follows
// an identifier is there because it decides how a tokenizer writes it. (FIRST, arXiv 2406.15657,
// ranks by the scores of identifiers at the answer's first place.)
std::vector<std::string> identifier_labels(std::size_t num_passages);

// The answer that orders identifiers 1..n by score, highest first and equal ones as they are:
// "[3] > [1] > [2]". Its choices are those of a Plackett-Luce model of which the scores are the log
// worths, so that choice_scores() gives the scores back. Requires at least one score, all finite.
Completion order_by_score(std::span<const double> scores);

}  // namespace rr
