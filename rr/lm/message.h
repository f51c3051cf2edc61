#pragma once

#include <string>
#include <vector>

namespace rr {

enum class Role { kSystem, kUser, kAssistant };

// One turn of a conversation, as chat models and their servers take it.
struct Message {
  Role role;
  std::string content;  // valid UTF-8
};

using Messages = std::vector<Message>;

// "system", "user", "assistant".
const char* role_name(Role role);

}  // namespace rr
