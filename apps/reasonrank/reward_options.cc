#include "apps/reasonrank/reward_options.h"

#include <fmt/core.h>

#include <toml++/toml.h>
#include <sstream>

#include "rr/base/file.h"
#include "rr/base/json.h"

namespace rr {

Result<RewardOptions> find_reward(const std::string& name_or_file) {
  if (name_or_file == "strict") return RewardOptions();
  if (name_or_file == "published") return published_reward();
  RR_TRY(const std::string text, read_file(name_or_file));
  try {
    std::ostringstream json;
    json << toml::json_formatter{toml::parse(text, name_or_file)};
    RR_TRY(const Json options, parse_json(json.str(), name_or_file));
    return reward_options_from_json(options, name_or_file);
  } catch (const toml::parse_error& error) {
    return Error{Errc::kMalformed, std::string(error.description()),
                 fmt::format("{}:{}", name_or_file, error.source().begin.line)};
  }
}

}  // namespace rr
