#include "apps/reasonrank/commands.h"

namespace rr {

void add_rerank_command(CLI::App&, int&) {}

}  // namespace rr
