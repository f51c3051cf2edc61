#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "rr/lm/generator.h"
#include "rr/lm/label_tree.h"

namespace rr::internal {

// Asks a generator that runs its own model how likely labels are behind a prompt: one question for
// each fork of their tree.
class LabelQuestion {
 public:
  // The tree must outlive the question. `name` becomes the requests' label.
  LabelQuestion(TokenIds prompt, const LabelTree& tree, std::string name);

  bool is_answered() const { return at_forks_.size() == tree_->forks().size(); }

  // The next request, and the answer to it. Require !is_answered().
  GenerationRequest next() const;
  void accept(const Completion& completion);

  // Natural logs of the labels' probabilities. Requires is_answered().
  std::vector<double> logprobs() const { return tree_->logprobs(at_forks_); }

  // Adds to a completion what the answers took: tokens and times.
  void add_cost_to(Completion& completion) const;

 private:
  TokenIds prompt_;
  const LabelTree* tree_;
  std::string name_;
  std::vector<std::vector<double>> at_forks_;
  Completion cost_;
};

}  // namespace rr::internal
