#pragma once

#include <filesystem>
#include <string>

#include "rr/base/result.h"

namespace rr {

// Holds a folder against other processes that take it too (flock), to the end of its life or of the
// process. A file system that knows no locks grants all of them.
class FolderLock {
 public:
  // Fails with `held` as its message where another has the folder, and where it cannot be opened.
  static Result<FolderLock> take(const std::filesystem::path& folder, const std::string& held);

  // Waits until it has the folder. One that cannot be opened is not held.
  static FolderLock wait_for(const std::filesystem::path& folder);

  FolderLock(FolderLock&& other) noexcept;
  FolderLock& operator=(FolderLock&& other) noexcept;
  ~FolderLock();

 private:
  explicit FolderLock(const std::filesystem::path& folder);

  int descriptor_;
};

}  // namespace rr
