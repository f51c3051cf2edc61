#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "rr/base/result.h"
#include "rr/lm/tokenizer.h"

namespace rr {

// Where a model's next tokens tell several texts apart, one of which it is to write: "Yes" and
// "No", or the identifiers of a list. From the probabilities at the forks follows that of each
// label.
class LabelTree {
 public:
  // Tokens at which labels part.
  struct Fork {
    TokenIds path;      // that lead to it, from the labels' beginning
    TokenIds branches;  // that may follow, at least two, ascending
  };

  // The branch that a label takes at a fork.
  struct Step {
    std::size_t fork;
    std::size_t branch;
  };

  // Of labels as the tokenizer writes them. Only as many tokens of a label count as tell it from
  // the others; what follows does not matter, but it may decide how the tokenizer writes what comes
  // before. Refused: no label, and two of which one begins as the other is written.
  static Result<LabelTree> make(const Tokenizer& tokenizer, std::span<const std::string> labels);

  std::size_t num_labels() const { return steps_.size(); }

  // A fork comes behind those on its path. None for a single label.
  const std::vector<Fork>& forks() const { return forks_; }

  // In the order of their forks. Empty for a single label.
  const std::vector<Step>& steps(std::size_t label) const { return steps_[label]; }

  // Natural log of each label's probability, up to what all labels begin with: the sum over its
  // steps. at_forks[fork][branch]: of that token, behind what comes before it.
  std::vector<double> logprobs(std::span<const std::vector<double>> at_forks) const;

 private:
  std::vector<Fork> forks_;
  std::vector<std::vector<Step>> steps_;
};

}  // namespace rr
