#include "rr/lm/label_tree.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <utility>

namespace rr {
namespace {

// Labels that begin alike, by number, and with how many tokens.
struct Group {
  std::vector<std::size_t> labels;
  std::size_t depth;
};

// The first of them that has no token at `depth`; labels.size(): each has one.
std::size_t first_that_ends(const Group& group, const std::vector<TokenIds>& tokens,
                            std::size_t depth) {
  const auto it = std::find_if(group.labels.begin(), group.labels.end(),
                               [&](std::size_t label) { return tokens[label].size() <= depth; });
  return static_cast<std::size_t>(it - group.labels.begin());
}

}  // namespace

Result<LabelTree> LabelTree::make(const Tokenizer& tokenizer, std::span<const std::string> labels) {
  if (labels.empty()) return Error{Errc::kRejected, "expected at least one label, found none", ""};
  std::vector<TokenIds> tokens;
  for (const std::string& label : labels) tokens.push_back(tokenizer.encode(label));
  LabelTree tree;
  tree.steps_.resize(labels.size());
  Group all{std::vector<std::size_t>(labels.size()), 0};
  std::iota(all.labels.begin(), all.labels.end(), std::size_t{0});
  std::vector<Group> open = {std::move(all)};
  for (std::size_t next = 0; next < open.size(); ++next) {
    Group group = open[next];
    if (group.labels.size() == 1) continue;
    std::map<TokenId, std::vector<std::size_t>> by_token;
    for (;; ++group.depth) {
      by_token.clear();
      if (const std::size_t ended = first_that_ends(group, tokens, group.depth);
          ended < group.labels.size()) {
        return Error{
            Errc::kRejected,
            fmt::format("the tokenizer does not tell \"{}\" and \"{}\" apart",
                        labels[group.labels[ended]], labels[group.labels[ended == 0 ? 1 : 0]]),
            ""};
      }
      for (const std::size_t label : group.labels) {
        by_token[tokens[label][group.depth]].push_back(label);
      }
      if (by_token.size() > 1) break;
    }
    const TokenIds& one = tokens[group.labels.front()];
    Fork fork{TokenIds(one.begin(), one.begin() + static_cast<std::ptrdiff_t>(group.depth)), {}};
    for (auto& [token, with_token] : by_token) {
      for (const std::size_t label : with_token) {
        tree.steps_[label].push_back({tree.forks_.size(), fork.branches.size()});
      }
      fork.branches.push_back(token);
      open.push_back({std::move(with_token), group.depth + 1});
    }
    tree.forks_.push_back(std::move(fork));
  }
  return tree;
}

std::vector<double> LabelTree::logprobs(std::span<const std::vector<double>> at_forks) const {
  std::vector<double> sums;
  for (const std::vector<Step>& steps : steps_) {
    double sum = 0;
    for (const Step& step : steps) sum += at_forks[step.fork][step.branch];
    sums.push_back(sum);
  }
  return sums;
}

}  // namespace rr
