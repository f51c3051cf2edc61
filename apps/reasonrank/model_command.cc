#include "apps/reasonrank/commands.h"

namespace rr {

void add_model_command(CLI::App&, int&) {}

}  // namespace rr
