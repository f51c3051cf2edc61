#include "rr/base/folder_lock.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace rr {

FolderLock::FolderLock(const std::filesystem::path& folder)
    : descriptor_(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {}

FolderLock::FolderLock(FolderLock&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)) {}

FolderLock& FolderLock::operator=(FolderLock&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

FolderLock::~FolderLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<FolderLock> FolderLock::take(const std::filesystem::path& folder, const std::string& held) {
  FolderLock lock(folder);
  if (lock.descriptor_ < 0) {
    return Error{Errc::kRejected, fmt::format("cannot be opened: {}", std::strerror(errno)),
                 folder.string()};
  }
  if (::flock(lock.descriptor_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    return Error{Errc::kUnavailable, held, folder.string()};
  }
  return lock;
}

FolderLock FolderLock::wait_for(const std::filesystem::path& folder) {
  FolderLock lock(folder);
  if (lock.descriptor_ >= 0) ::flock(lock.descriptor_, LOCK_EX);
  return lock;
}

}  // namespace rr
