#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>

#include "rr/base/result.h"

namespace rr {

// Reads a TOML file whose keys are the long options of `command` without their dashes
// ("batch-size = 8"). What the command line gave stays. Flags take true and false. A key that is no
// option, and a value that the option does not take, are refused with file and line.
Status read_config_file(CLI::App& command, const std::filesystem::path& path);

}  // namespace rr
