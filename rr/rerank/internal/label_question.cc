#include "rr/rerank/internal/label_question.h"

#include <utility>

#include "rr/base/check.h"

namespace rr::internal {
namespace {

void add_cost(const Completion& from, Completion& to) {
  to.prompt_tokens += from.prompt_tokens;
  to.cached_tokens += from.cached_tokens;
  to.queued_s += from.queued_s;
  to.prefill_s += from.prefill_s;
  to.decode_s += from.decode_s;
}

}  // namespace

LabelQuestion::LabelQuestion(TokenIds prompt, const LabelTree& tree, std::string name)
    : prompt_(std::move(prompt)), tree_(&tree), name_(std::move(name)) {}

GenerationRequest LabelQuestion::next() const {
  RR_CHECK(!is_answered(), "all forks were asked about");
  const LabelTree::Fork& fork = tree_->forks()[at_forks_.size()];
  GenerationRequest request;
  TokenIds ids = prompt_;
  ids.insert(ids.end(), fork.path.begin(), fork.path.end());
  request.prompt = std::move(ids);
  request.stages = {TokenChoiceStage{fork.branches}};
  request.label = name_;
  return request;
}

void LabelQuestion::accept(const Completion& completion) {
  RR_CHECK(!is_answered() && completion.stages.size() == 1, "an answer to another question");
  const std::vector<IdentifierChoice>& choices = completion.stages.front().choices;
  std::vector<double>& logprobs = at_forks_.emplace_back();
  for (const IdentifierChoice& choice : choices) logprobs.push_back(choice.logprob);
  RR_CHECK(logprobs.size() == tree_->forks()[at_forks_.size() - 1].branches.size(),
           "a probability for each branch");
  add_cost(completion, cost_);
}

void LabelQuestion::add_cost_to(Completion& completion) const { add_cost(cost_, completion); }

}  // namespace rr::internal
