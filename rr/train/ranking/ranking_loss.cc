#include "rr/train/ranking/ranking_loss.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "rr/base/check.h"

namespace rr {
namespace {

RankingLoss softmax_loss(std::span<const double> scores, std::span<const double> gains) {
  const double total_gain = std::accumulate(gains.begin(), gains.end(), 0.0);
  const double top = *std::max_element(scores.begin(), scores.end());
  double sum = 0;
  for (const double score : scores) sum += std::exp(score - top);
  RankingLoss result;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    const double share = gains[i] / total_gain;
    const double logprob = scores[i] - top - std::log(sum);
    result.loss -= share * logprob;
    result.slopes.push_back(std::exp(logprob) - share);
  }
  return result;
}

// log(1 + exp x), and its derivative.
double softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }
double sigmoid(double x) {
  return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x));
}

RankingLoss ranknet_loss(std::span<const double> scores, std::span<const double> gains) {
  RankingLoss result;
  result.slopes.resize(scores.size());
  std::size_t pairs = 0;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    for (std::size_t j = 0; j < scores.size(); ++j) {
      if (gains[i] <= gains[j]) continue;
      const double behind = scores[j] - scores[i];
      result.loss += softplus(behind);
      result.slopes[i] -= sigmoid(behind);
      result.slopes[j] += sigmoid(behind);
      ++pairs;
    }
  }
  const double share = 1.0 / static_cast<double>(pairs);
  result.loss *= share;
  for (double& slope : result.slopes) slope *= share;
  return result;
}

}  // namespace

std::optional<RankingLossKind> find_ranking_loss(std::string_view name) {
  if (name == "softmax") return RankingLossKind::kSoftmax;
  if (name == "ranknet") return RankingLossKind::kRankNet;
  return std::nullopt;
}

RankingLoss ranking_loss(RankingLossKind kind, std::span<const double> scores,
                         std::span<const double> gains) {
  RR_CHECK(scores.size() == gains.size() && !scores.empty(), "a gain for every score");
  const auto [least, most] = std::minmax_element(gains.begin(), gains.end());
  RR_CHECK(*least >= 0 && *least < *most, "gains of at least 0 that differ");
  return kind == RankingLossKind::kSoftmax ? softmax_loss(scores, gains)
                                           : ranknet_loss(scores, gains);
}

}  // namespace rr
