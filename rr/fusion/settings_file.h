#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "rr/base/json.h"
#include "rr/base/result.h"
#include "rr/fusion/fuse.h"
#include "rr/fusion/tune.h"

namespace rr {

// How to fuse, as a file (docs/formats/fusion.md): what tuning chose for some runs serves again for
// the same systems' runs of other topics.
struct FusionSettings {
  std::vector<std::string> runs;  // the names of the runs that it was tuned on, for people
  FusionOptions options;          // with a weight for each run
};

// One JSON object. `tuning`, where it is not null, is what the settings come from.
std::string format_fusion_settings(const FusionSettings& settings, const Tuning* tuning,
                                   const Measure& measure);

// Refused: what is no such object, an unknown method or normalisation, a weight or k that is no
// finite number, a k below 0, no weights.
Result<FusionSettings> read_fusion_settings(const std::filesystem::path& path);

// The options of `reasonrank fuse` that say the same: "--method rrf --rrf-k 60 --weights 0.3,0.7".
std::string as_command_line(const FusionOptions& options);

}  // namespace rr
