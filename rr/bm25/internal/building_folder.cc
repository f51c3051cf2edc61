#include "rr/bm25/internal/building_folder.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>
#include <utility>

#include "rr/bm25/internal/index_format.h"

namespace rr::internal {
namespace {

namespace fs = std::filesystem;

Error failure(const std::string& what, const fs::path& path) {
  return Error{Errc::kRejected, what + ": " + std::strerror(errno), path.string()};
}

Status check_target(const fs::path& target) {
  std::error_code error;
  if (!fs::exists(target, error)) return ok_status();
  const bool is_folder = fs::is_directory(target, error);
  if (is_folder && (fs::exists(target / kHeaderFile, error) || fs::is_empty(target, error))) {
    return ok_status();
  }
  return Error{Errc::kRejected,
               "expected a new folder or an index to replace, found something else; choose another "
               "name",
               target.string()};
}

bool is_same_folder(int descriptor, const fs::path& path) {
  struct stat opened;
  struct stat named;
  return ::fstat(descriptor, &opened) == 0 && ::stat(path.c_str(), &named) == 0 &&
         opened.st_dev == named.st_dev && opened.st_ino == named.st_ino;
}

// The folder, made and locked; its descriptor.
Result<int> lock_folder(const fs::path& path) {
  // Another process may take the folder away between opening and locking; then once more.
  for (;;) {
    if (::mkdir(path.c_str(), 0777) != 0 && errno != EEXIST) {
      return failure("the folder cannot be made", path);
    }
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0 && errno == ENOENT) continue;
    if (descriptor < 0) return failure("the folder cannot be opened", path);
    if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
      ::close(descriptor);
      return Error{Errc::kUnavailable,
                   "another process is building this index; wait for it or choose another name",
                   path.string()};
    }
    if (is_same_folder(descriptor, path)) return descriptor;
    ::close(descriptor);
  }
}

void clear_folder(const fs::path& path) {
  std::error_code error;
  for (fs::directory_iterator entry(path, error), end; !error && entry != end;
       entry.increment(error)) {
    std::error_code ignored;
    fs::remove_all(entry->path(), ignored);
  }
}

}  // namespace

Status make_folder(const fs::path& path) {
  if (::mkdir(path.c_str(), 0777) == 0) return ok_status();
  return failure("the folder cannot be made", path);
}

void sync_folder(const fs::path& path) {
  const int descriptor = ::open(path.empty() ? "." : path.c_str(), O_RDONLY | O_DIRECTORY);
  if (descriptor < 0) return;
  ::fsync(descriptor);
  ::close(descriptor);
}

Result<BuildingFolder> BuildingFolder::create(const fs::path& target) {
  BuildingFolder folder;
  folder.target_ = target.has_filename() ? target : target.parent_path();  // "idx/" is "idx"
  RR_TRY_STATUS(check_target(folder.target_));
  fs::path path = folder.target_;
  path += ".building";
  RR_TRY(folder.lock_, lock_folder(path));
  folder.path_ = path;
  clear_folder(path);
  return folder;
}

BuildingFolder::BuildingFolder(BuildingFolder&& other) noexcept
    : target_(std::move(other.target_)),
      path_(std::exchange(other.path_, {})),
      lock_(std::exchange(other.lock_, -1)),
      replaced_(std::exchange(other.replaced_, -1)) {}

BuildingFolder& BuildingFolder::operator=(BuildingFolder&& other) noexcept {
  std::swap(target_, other.target_);
  std::swap(path_, other.path_);
  std::swap(lock_, other.lock_);
  std::swap(replaced_, other.replaced_);
  return *this;
}

BuildingFolder::~BuildingFolder() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
  if (replaced_ >= 0) ::close(replaced_);
  if (lock_ >= 0) ::close(lock_);
}

Status BuildingFolder::publish() {
  ::fsync(lock_);
  const unsigned both_exist = RENAME_EXCHANGE;
  const bool replaces = fs::exists(target_);
  if (replaces) {
    // The old index is about to have the name under which others would build: it is ours to remove.
    replaced_ = ::open(target_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (replaced_ >= 0) ::flock(replaced_, LOCK_EX);
  }
  const int result =
      ::renameat2(AT_FDCWD, path_.c_str(), AT_FDCWD, target_.c_str(), replaces ? both_exist : 0U);
  if (result != 0) return failure("the finished index cannot be put in its place", target_);
  sync_folder(target_.parent_path());
  if (!replaces) path_.clear();  // else the old index has this name now and is removed
  return ok_status();
}

}  // namespace rr::internal
