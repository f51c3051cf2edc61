#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace rr {

// Losses of a list of scores s_1..n whose items have gains g_1..n >= 0, in natural logarithms.
enum class RankingLossKind {
  // Cross-entropy between the gains' shares q_i = g_i / sum g and the softmax of the scores:
  //   L = -sum_i q_i log(exp s_i / sum_k exp s_k)
  // (ListNet's top-one loss, Cao et al., ICML 2007, with gains as they are.)
  kSoftmax,
  // Mean over pairs with g_i > g_j of log(1 + exp(s_j - s_i)) (Burges et al., ICML 2005).
  kRankNet,
};

// "softmax", "ranknet".
std::optional<RankingLossKind> find_ranking_loss(std::string_view name);

struct RankingLoss {
  double loss = 0;
  std::vector<double> slopes;  // d loss / d score, one a score
};

// Requires as many gains as scores, and two gains that differ.
RankingLoss ranking_loss(RankingLossKind kind, std::span<const double> scores,
                         std::span<const double> gains);

}  // namespace rr
