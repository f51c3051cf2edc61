#pragma once

#include <string>

#include "rr/base/result.h"
#include "rr/train/grpo/reward.h"

namespace rr {

// "strict", "published", or a TOML file with the reward's options (docs/formats/reward.md).
Result<RewardOptions> find_reward(const std::string& name_or_file);

}  // namespace rr
