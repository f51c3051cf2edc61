#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace rr::internal {

// The family whose way a Jinja template writes a conversation, by marks that tell the families
// apart; nullopt where it is none for certain. A wrong guess would quietly cost quality, a refusal
// costs one option.
std::optional<std::string> detect_template(std::string_view jinja);

// The system text that a ChatML family adds where a conversation has none; nullopt where it adds
// nothing.
std::optional<std::string_view> default_system_text(std::string_view name);

}  // namespace rr::internal
