#include "apps/reasonrank/commands.h"

#include <cstdio>

namespace rr {

int report_failure(const Error& error) {
  std::fprintf(stderr, "reasonrank: %s\n", error.to_string().c_str());
  return kExitFailed;
}

}  // namespace rr
