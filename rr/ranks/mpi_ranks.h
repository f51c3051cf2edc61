#pragma once

#include <cstddef>
#include <memory>

#include "rr/base/result.h"
#include "rr/ranks/ranks.h"

namespace rr {

// Joins the other processes that `mpirun` started, `size` with this one, as it says in their
// environment. MPI is a library beside the program that only several load: a process by itself
// (size 1) has nothing of it. Refused: several where this program was built without MPI, where that
// library is missing or does not load, or where they were started by another MPI than this
// program's.
//
// Until the ranks are destroyed, which waits for the others to do the same, a thread of its own
// makes every call of MPI: sums go on while the caller computes. It sleeps between looks at them
// rather than take a core from those that compute.
Result<std::unique_ptr<Ranks>> join_ranks(std::size_t size);

// Whether this program was built with MPI.
bool has_mpi();

}  // namespace rr
