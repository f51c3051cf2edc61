#include "rr/train/grpo/policy_loss.h"

#include <algorithm>
#include <cmath>

namespace rr {
namespace {

constexpr double kMostLogRatio = 20;
constexpr double kMostKl = 10;

bool is_within(double value, double most) { return value >= -most && value <= most; }

void add_policy(double log_ratio, double advantage, const PolicyLossOptions& options,
                TokenLoss& loss) {
  const double ratio = std::exp(std::clamp(log_ratio, -kMostLogRatio, kMostLogRatio));
  const double slope = is_within(log_ratio, kMostLogRatio) ? ratio : 0;  // of the ratio
  const double low = 1 - options.clip_low;
  const double high = 1 + options.clip_high;
  const double free = -advantage * ratio;
  const double held = -advantage * std::clamp(ratio, low, high);
  loss.clipped = held > free;
  loss.policy = std::max(free, held);
  const bool flows = !loss.clipped || (ratio >= low && ratio <= high);
  loss.slope = flows ? -advantage * slope : 0;
  if (advantage >= 0 || options.dual_clip == 0) return;
  const double most = -advantage * options.dual_clip;
  loss.dual_clipped = loss.policy > most;
  if (!loss.dual_clipped) return;
  loss.policy = most;
  loss.slope = 0;
}

}  // namespace

TokenLoss token_loss(double logprob, double old_logprob, double reference_logprob, double advantage,
                     const PolicyLossOptions& options) {
  TokenLoss loss;
  add_policy(logprob - old_logprob, advantage, options, loss);
  const double apart = reference_logprob - logprob;
  const double held = std::clamp(apart, -kMostLogRatio, kMostLogRatio);
  const double kl = std::exp(held) - held - 1;
  loss.kl = std::clamp(kl, -kMostKl, kMostKl);
  loss.loss = loss.policy + options.kl_coefficient * loss.kl;
  if (is_within(apart, kMostLogRatio) && is_within(kl, kMostKl)) {
    loss.slope += options.kl_coefficient * (1 - std::exp(held));
  }
  return loss;
}

double token_weight(LossMean mean, std::size_t num_rollouts, std::size_t tokens_of_rollout,
                    std::size_t tokens_of_all) {
  if (mean == LossMean::kToken) return 1 / static_cast<double>(tokens_of_all);
  return 1 / (static_cast<double>(num_rollouts) * static_cast<double>(tokens_of_rollout));
}

}  // namespace rr
