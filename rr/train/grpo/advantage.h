#pragma once

#include <span>
#include <vector>

namespace rr {

// How much better than its group a rollout was (GRPO: Shao et al., arXiv 2402.03300, eq. 21):
//
//   A_i = (r_i - mean(r)) / (std(r) + epsilon)
//
// rewards: [G], one a rollout of the same prompt, finite, G >= 1.
// Returns [G]; every token of rollout i shares A_i. std is the sample deviation (G - 1), as in verl
// and TRL; epsilon is verl's 1e-6. A group whose rewards are all equal, and a group of one, teaches
// nothing: zeros.
// divides_by_deviation: false leaves the division out (Liu et al., arXiv 2503.20783), which else
// gives most weight to prompts whose rewards hardly differ.
std::vector<double> group_advantages(std::span<const double> rewards,
                                     bool divides_by_deviation = true, double epsilon = 1e-6);

}  // namespace rr
