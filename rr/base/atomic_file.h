#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "rr/base/result.h"

namespace rr {

// A file that appears under its name whole or not at all: written to an unnamed file in the same
// directory (a named one where the file system has no O_TMPFILE), synced to disk, then renamed over
// whatever stood there. Dropped without commit(), or killed, it leaves the old file as it was.
//
// A path that is no regular file ("/dev/stdout", a FIFO) cannot be renamed over: it is written to
// directly.
class AtomicFile {
 public:
  // Fails where the directory cannot be written to, so that hours of work are not lost at their
  // end.
  static Result<AtomicFile> create(const std::filesystem::path& path);

  AtomicFile(AtomicFile&& other) noexcept;
  AtomicFile& operator=(AtomicFile&& other) noexcept;
  ~AtomicFile();

  // Appends. A full disk may show here or at commit().
  Status write(std::string_view bytes);

  // Requires that commit() was not called before.
  Status commit();

 private:
  AtomicFile() = default;
  void abandon();
  Status flush();

  std::filesystem::path path_;
  std::filesystem::path temporary_;  // empty: unnamed, or written to directly
  int descriptor_ = -1;
  std::string buffer_;  // not yet written
  bool direct_ = false;
};

// create, write and commit in one.
Status write_file(const std::filesystem::path& path, std::string_view bytes);

}  // namespace rr
