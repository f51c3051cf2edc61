#include "rr/ranks/mpi_ranks.h"

#include <dlfcn.h>
#include <fmt/core.h>

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>

namespace rr {
namespace {

namespace fs = std::filesystem;

// A file beside the program; empty where MPI was not found when it was built.
constexpr std::string_view kModule = RR_MPI_MODULE;

// Ranks over MPI, which comes into the process with this. It is never unloaded: MPI leaves behind
// what calls into it.
Result<std::unique_ptr<Ranks>> new_mpi_ranks() {
  std::error_code failure;
  const fs::path program = fs::read_symlink("/proc/self/exe", failure);
  const fs::path module = program.parent_path() / kModule;
  const auto refuse = [&](const char* why) {
    return Error{Errc::kNotFound,
                 fmt::format("the part that talks to MPI, which belongs beside the program, "
                             "does not load: {}",
                             why),
                 module.string()};
  };
  if (failure) return refuse("/proc does not tell where the program is");
  // Global, since plug-ins of MPI look for its symbols there.
  void* const library = ::dlopen(module.c_str(), RTLD_NOW | RTLD_GLOBAL);
  if (library == nullptr) return refuse(::dlerror());
  void* const function = ::dlsym(library, "rr_new_mpi_ranks");
  if (function == nullptr) return refuse(::dlerror());
  return std::unique_ptr<Ranks>(reinterpret_cast<Ranks* (*)()>(function)());
}

}  // namespace

bool has_mpi() { return !kModule.empty(); }

Result<std::unique_ptr<Ranks>> join_ranks(std::size_t size) {
  if (size == 1) return std::unique_ptr<Ranks>(std::make_unique<SingleRank>());
  if (!has_mpi()) {
    return Error{Errc::kRejected,
                 fmt::format("started as one of {} ranks, and built without MPI: build it where "
                             "OpenMPI's development files are (Debian: libopenmpi-dev), or start "
                             "it without mpirun",
                             size),
                 ""};
  }
  RR_TRY(std::unique_ptr<Ranks> ranks, new_mpi_ranks());
  if (ranks->size() == size) return ranks;
  return Error{Errc::kRejected,
               fmt::format("expected to be one of {} ranks, found {}: this program's MPI is not "
                           "the one that started it (OpenMPI's mpirun does)",
                           size, ranks->size()),
               ""};
}

}  // namespace rr
