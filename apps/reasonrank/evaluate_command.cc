#include "apps/reasonrank/commands.h"

namespace rr {

void add_evaluate_command(CLI::App&, int&) {}

}  // namespace rr
