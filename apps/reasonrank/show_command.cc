#include "apps/reasonrank/commands.h"

namespace rr {

void add_show_command(CLI::App&, int&) {}

}  // namespace rr
