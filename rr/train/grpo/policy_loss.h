#pragma once

#include <cstddef>
#include <span>

namespace rr {

// What a token of a rollout adds to the loss that GRPO lowers.
//
//   rho    = exp(p - p_old)
//   policy = max(-A rho, -A clip(rho, 1 - clip_low, 1 + clip_high)),  for A < 0 at most -A * dual
//   kl     = exp(q - p) - (q - p) - 1, clamped to [-10, 10]
//   loss   = policy + kl_coefficient * kl
//
// p, p_old, q: the token's log-probability under the model that learns, the one that wrote it, and
// the reference. Clipped objective: Schulman et al., arXiv 1707.06347, eq. 7; dual clip: Ye et al.,
// arXiv 1912.09729, eq. 5; the KL estimate is the k3 of Schulman's "Approximating KL divergence";
// clips apart: Yu et al., arXiv 2503.14476. As verl computes it: p - p_old and q - p are clamped to
// [-20, 20] first, and where a clamp or a clip holds, nothing flows back through it.
struct PolicyLossOptions {
  double clip_low = 0.2;
  double clip_high = 0.2;
  double dual_clip = 3;  // above 1; 0: none
  double kl_coefficient = 0.001;
};

struct TokenLoss {
  double policy = 0;
  double kl = 0;
  double loss = 0;
  double slope = 0;  // of loss with respect to p
  bool clipped = false;
  bool dual_clipped = false;
};

TokenLoss token_loss(double logprob, double old_logprob, double reference_logprob, double advantage,
                     const PolicyLossOptions& options);

// How tokens are averaged over a batch of rollouts. A token's weight:
//
//   kSequence   1 / (rollouts * tokens of its rollout): each rollout counts alike. GRPO's eq. 3,
//               and what the published run did.
//   kToken      1 / tokens of all rollouts (verl's token-mean, DAPO)
enum class LossMean { kSequence, kToken };

double token_weight(LossMean mean, std::size_t num_rollouts, std::size_t tokens_of_rollout,
                    std::size_t tokens_of_all);

}  // namespace rr
