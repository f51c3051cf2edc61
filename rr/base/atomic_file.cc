#include "rr/base/atomic_file.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

namespace rr {
namespace {

namespace fs = std::filesystem;

Error cannot_write(const fs::path& path, int error) {
  const Errc code = error == ENOSPC || error == EDQUOT ? Errc::kUnavailable : Errc::kRejected;
  return Error{code, fmt::format("cannot be written: {}", std::strerror(error)), path.string()};
}

std::string temporary_name(const fs::path& path) {
  static std::atomic<unsigned> counter{0};
  return fmt::format("{}.tmp-{}-{}", path.string(), ::getpid(), counter++);
}

bool is_special_file(const fs::path& path) {
  std::error_code ignored;
  const fs::file_status status = fs::status(path, ignored);
  return fs::exists(status) && !fs::is_regular_file(status) && !fs::is_directory(status);
}

// A link's target is what gets replaced, not the link.
fs::path follow_links(const fs::path& path) {
  std::error_code error;
  const fs::path target = fs::canonical(path, error);
  return error ? path : target;
}

// The mode of a new file as creat() would give it; umask can only be read by setting it.
mode_t creation_mode() {
  const mode_t mask = ::umask(0);
  ::umask(mask);
  return 0666 & ~mask;
}

}  // namespace

Result<AtomicFile> AtomicFile::create(const fs::path& path) {
  AtomicFile result;
  if (is_special_file(path)) {
    result.path_ = path;
    result.direct_ = true;
    result.descriptor_ = ::open(path.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC);
    if (result.descriptor_ < 0) return cannot_write(path, errno);
    return result;
  }
  result.path_ = follow_links(path);
  std::error_code ignored;
  if (fs::is_directory(result.path_, ignored)) return cannot_write(path, EISDIR);
  if (fs::exists(result.path_, ignored) && ::access(result.path_.c_str(), W_OK) != 0) {
    return cannot_write(path, errno);
  }
  const fs::path directory = result.path_.has_parent_path() ? result.path_.parent_path() : ".";
  result.descriptor_ = ::open(directory.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, creation_mode());
  if (result.descriptor_ >= 0) return result;
  result.temporary_ = temporary_name(result.path_);
  result.descriptor_ =
      ::open(result.temporary_.c_str(), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
  if (result.descriptor_ >= 0) return result;
  result.temporary_.clear();
  return cannot_write(path, errno);
}

AtomicFile::AtomicFile(AtomicFile&& other) noexcept
    : path_(std::exchange(other.path_, {})),
      temporary_(std::exchange(other.temporary_, {})),
      descriptor_(std::exchange(other.descriptor_, -1)),
      buffer_(std::exchange(other.buffer_, {})),
      direct_(other.direct_) {}

AtomicFile& AtomicFile::operator=(AtomicFile&& other) noexcept {
  if (this != &other) {
    abandon();
    path_ = std::exchange(other.path_, {});
    temporary_ = std::exchange(other.temporary_, {});
    descriptor_ = std::exchange(other.descriptor_, -1);
    buffer_ = std::exchange(other.buffer_, {});
    direct_ = other.direct_;
  }
  return *this;
}

AtomicFile::~AtomicFile() { abandon(); }

void AtomicFile::abandon() {
  if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
  if (!temporary_.empty()) ::unlink(std::exchange(temporary_, {}).c_str());
}

Status AtomicFile::write(std::string_view bytes) {
  constexpr std::size_t kBufferBytes = 256 << 10;
  RR_CHECK(descriptor_ >= 0, "write() after commit()");
  buffer_ += bytes;
  return buffer_.size() < kBufferBytes ? ok_status() : flush();
}

Status AtomicFile::flush() {
  for (std::size_t written = 0; written < buffer_.size();) {
    const ssize_t size = ::write(descriptor_, buffer_.data() + written, buffer_.size() - written);
    if (size < 0 && errno != EINTR) return cannot_write(path_, errno);
    if (size > 0) written += static_cast<std::size_t>(size);
  }
  buffer_.clear();
  return ok_status();
}

Status AtomicFile::commit() {
  RR_CHECK(descriptor_ >= 0, "commit() twice");
  RR_TRY_STATUS(flush());
  if (direct_) {
    if (::close(std::exchange(descriptor_, -1)) != 0) return cannot_write(path_, errno);
    return ok_status();
  }
  if (::fsync(descriptor_) != 0) return cannot_write(path_, errno);
  if (temporary_.empty()) {
    // link() cannot replace a file, so the unnamed file gets a name for the moment of the rename.
    const std::string name = temporary_name(path_);
    const std::string handle = fmt::format("/proc/self/fd/{}", descriptor_);
    if (::linkat(AT_FDCWD, handle.c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) != 0) {
      return cannot_write(path_, errno);
    }
    temporary_ = name;
  }
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) return cannot_write(path_, errno);
  temporary_.clear();
  ::close(std::exchange(descriptor_, -1));
  const fs::path directory = path_.has_parent_path() ? path_.parent_path() : ".";
  if (const int handle = ::open(directory.c_str(), O_RDONLY | O_CLOEXEC); handle >= 0) {
    ::fsync(handle);  // makes the rename itself durable; a file system that cannot is not an error
    ::close(handle);
  }
  return ok_status();
}

Status write_file(const fs::path& path, std::string_view bytes) {
  RR_TRY(AtomicFile file, AtomicFile::create(path));
  RR_TRY_STATUS(file.write(bytes));
  return file.commit();
}

}  // namespace rr
