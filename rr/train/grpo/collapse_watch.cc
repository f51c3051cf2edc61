#include "rr/train/grpo/collapse_watch.h"

#include <fmt/core.h>

namespace rr {

std::vector<std::string> CollapseWatch::look(const StepSigns& signs) {
  // A token's entropy is some tenths of a nat in a model that still tries things.
  constexpr double kLeastEntropy = 0.02;
  constexpr double kMostKl = 1;
  constexpr double kMostCut = 0.9;
  const struct {
    bool holds;
    const char* message;
  } found[kNumSigns] = {
      {signs.right_form == 0,
       "no reply has had its tags in place: every reward is the one for a wrong form, and nothing "
       "can be learnt from it; begin with a model that was fine-tuned to answer so (train sft)"},
      {signs.right_form > 0 && signs.teaching == 0,
       "the rewards of every group have been equal: there is nothing to prefer; try larger groups "
       "(--group), harder tasks or a reward with more terms"},
      {signs.entropy < kLeastEntropy,
       "the model hardly varies any more (entropy near 0): its replies are all alike; try a "
       "smaller --lr, a larger --clip-high or more --kl"},
      {signs.kl > kMostKl,
       "the model has run far from the one it began with; try a smaller --lr or more --kl"},
      {signs.cut > kMostCut,
       "nearly all replies reach their limit of tokens, and so have no answer; try more "
       "--max-tokens, or overlong-tokens in the reward"},
  };
  std::vector<std::string> messages;
  for (std::size_t i = 0; i < kNumSigns; ++i) {
    held_[i] = found[i].holds ? held_[i] + 1 : 0;
    if (held_[i] != patience_) continue;
    messages.push_back(fmt::format("for {} steps {}", patience_, found[i].message));
  }
  return messages;
}

}  // namespace rr
