#include "rr/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace rr::internal {

void check_failed(const char* condition, std::string_view message, const char* file, int line) {
  std::fprintf(stderr, "%s:%d: internal error: %.*s (%s)\n", file, line,
               static_cast<int>(message.size()), message.data(), condition);
  std::abort();
}

}  // namespace rr::internal
