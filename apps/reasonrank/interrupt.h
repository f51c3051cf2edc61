#pragma once

#include <atomic>

// Ctrl-C (and SIGTERM, and SIGUSR1, which mpirun hands on to its ranks without killing them a
// second later) for commands that have something to keep.
//
// No handler ever runs: the kernel would lay its frame below the stack pointer of whatever thread
// it interrupts, and oneDNN's float32 products let that point to their work space in the heap (2.6:
// in 5 % of the samples of a run in float32), so that the frame overwrites what others own there.
// All threads block the signals, and one of its own waits for them.

namespace rr {

// Call it once, before the program starts other threads. The signals still end the program.
void watch_for_interrupts();

// From here on the first sets the flag that is given, which stays set, instead of ending the
// program; the second ends it at once, where it comes half a second later or more. Requires
// watch_for_interrupts().
const std::atomic<bool>& stop_on_interrupt();

}  // namespace rr
