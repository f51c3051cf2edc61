#include <fmt/core.h>

#include "rr/ranks/mpi_ranks.h"

namespace rr {

bool has_mpi() { return false; }

Result<std::unique_ptr<Ranks>> join_ranks(std::size_t size) {
  if (size == 1) return std::unique_ptr<Ranks>(std::make_unique<SingleRank>());
  return Error{Errc::kRejected,
               fmt::format("started as one of {} ranks, and built without MPI: build it where "
                           "OpenMPI's development files are (Debian: libopenmpi-dev), or start it "
                           "without mpirun",
                           size),
               ""};
}

}  // namespace rr
