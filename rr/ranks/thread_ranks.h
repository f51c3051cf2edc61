#pragma once

#include <cstddef>
#include <functional>

#include "rr/ranks/ranks.h"

namespace rr {

// Calls task(ranks) on `size` threads of this process, each a rank, and returns when all have. For
// tests of what is written against Ranks: what a sum is begun with is what counts, whatever the
// caller does to the values afterwards, so that one begun too early is a wrong sum. A task that
// ends early leaves the others waiting.
void run_thread_ranks(std::size_t size, const std::function<void(Ranks& ranks)>& task);

}  // namespace rr
