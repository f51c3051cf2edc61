#include "rr/ir/internal/folders.h"

#include <string>
#include <system_error>

namespace rr {

namespace fs = std::filesystem;

fs::path file_in_folder(const fs::path& path, std::initializer_list<const char*> names) {
  std::error_code ignored;
  if (path == "-" || !fs::is_directory(path, ignored)) return path;
  for (const char* name : names) {
    for (const char* ending : {"", ".gz"}) {
      const fs::path file = path / (std::string(name) + ending);
      if (fs::is_regular_file(file, ignored)) return file;
    }
  }
  return path;
}

}  // namespace rr
