#pragma once

#include <atomic>

namespace rr {

// Makes the first Ctrl-C (and SIGTERM) set a flag instead of ending the program, for commands that
// have something to keep; the second ends it at once. The flag stays set.
const std::atomic<bool>& stop_on_interrupt();

}  // namespace rr
