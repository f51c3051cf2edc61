#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "rr/base/result.h"

namespace rr::internal {

struct ProcessOptions {
  std::filesystem::path working_directory;
  std::filesystem::path output;  // standard output and error go here; made new
  // Set beside, or in the place of, this process's own environment.
  std::vector<std::pair<std::string, std::string>> variables;
};

// How a process ended: one of the two is 0.
struct ProcessEnd {
  int exit_code = 0;
  int signal = 0;
};

// Runs a program to its end, without a shell; it reads nothing from standard input. arguments[0] is
// its path, or a name to be looked up in PATH. Fails with kNotFound where there is no such program.
Result<ProcessEnd> run_process(const std::vector<std::string>& arguments,
                               const ProcessOptions& options);

}  // namespace rr::internal
