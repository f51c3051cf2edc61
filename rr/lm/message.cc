#include "rr/lm/message.h"

#include "rr/base/check.h"

namespace rr {

const char* role_name(Role role) {
  switch (role) {
    case Role::kSystem:
      return "system";
    case Role::kUser:
      return "user";
    case Role::kAssistant:
      return "assistant";
  }
  RR_CHECK(false, "a role of the enumeration");
}

}  // namespace rr
