#include "rr/base/file.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>
#include <zlib.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "rr/base/utf8.h"

namespace rr {
namespace {

namespace fs = std::filesystem;

constexpr unsigned kBufferBytes = 1 << 17;

struct GzClose {
  void operator()(gzFile file) const { gzclose_r(file); }
};
using GzHandle = std::unique_ptr<std::remove_pointer_t<gzFile>, GzClose>;

Result<GzHandle> open_gz(const fs::path& path) {
  const std::string name = display_name(path);
  int descriptor = -1;
  if (path == "-") {
    descriptor = ::dup(STDIN_FILENO);
  } else {
    std::error_code ignored;
    if (fs::is_directory(path, ignored)) {
      return Error{Errc::kMalformed, "expected a file, found a directory", name};
    }
    descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  }
  if (descriptor < 0) {
    const int error = errno;
    if (error == ENOENT) return Error{Errc::kNotFound, "no such file; check the path", name};
    return Error{Errc::kRejected, fmt::format("cannot be read: {}", std::strerror(error)), name};
  }
  GzHandle file(gzdopen(descriptor, "rb"));
  RR_CHECK(file != nullptr, "gzdopen has no memory");
  gzbuffer(file.get(),
           kBufferBytes / 2);  // so that zlib reads plain text without a copy of its own
  return file;
}

// Bytes read into `buffer`; 0 at the end.
Result<std::size_t> read_gz(gzFile file, const std::string& name, char* buffer, unsigned size) {
  const int count = gzread(file, buffer, size);
  int code = Z_OK;
  const char* message = gzerror(file, &code);
  if (count < 0 || (code != Z_OK && code != Z_STREAM_END)) {
    if (code == Z_BUF_ERROR) {
      return Error{Errc::kMalformed, "the gzip stream ends early; is the file cut off?", name};
    }
    if (code == Z_ERRNO) {
      return Error{Errc::kRejected, fmt::format("cannot be read: {}", std::strerror(errno)), name};
    }
    return Error{Errc::kMalformed, fmt::format("damaged gzip stream: {}", message), name};
  }
  return static_cast<std::size_t>(count);
}

}  // namespace

std::string display_name(const fs::path& path) {
  return path == "-" ? "standard input" : path.string();
}

struct LineReader::Stream {
  GzHandle file;
  std::vector<char> buffer = std::vector<char>(kBufferBytes);
  std::size_t begin = 0;  // [begin, end) of `buffer` is read and not yet handed out
  std::size_t end = 0;
  bool at_end = false;
};

LineReader::LineReader() : stream_(std::make_unique<Stream>()) {}
LineReader::LineReader(LineReader&&) noexcept = default;
LineReader& LineReader::operator=(LineReader&&) noexcept = default;
LineReader::~LineReader() = default;

Result<LineReader> LineReader::open(const fs::path& path) {
  LineReader reader;
  RR_TRY(reader.stream_->file, open_gz(path));
  reader.name_ = display_name(path);
  return reader;
}

std::string LineReader::where() const { return fmt::format("{}:{}", name_, line_number_); }

// Makes sure that there are bytes to hand out; false at the end of the file.
Result<bool> LineReader::fill() {
  Stream& stream = *stream_;
  if (stream.begin < stream.end) return true;
  if (stream.at_end) return false;
  RR_TRY(stream.end, read_gz(stream.file.get(), name_, stream.buffer.data(), kBufferBytes));
  stream.begin = 0;
  stream.at_end = stream.end == 0;
  return !stream.at_end;
}

Result<bool> LineReader::next(std::string& line) {
  line.clear();
  Stream& stream = *stream_;
  bool found_any = false;
  for (;;) {
    RR_TRY(const bool has_bytes, fill());
    if (!has_bytes) break;
    found_any = true;
    const char* first = stream.buffer.data() + stream.begin;
    const std::size_t available = stream.end - stream.begin;
    const void* newline = std::memchr(first, '\n', available);
    const std::size_t taken =
        newline == nullptr ? available
                           : static_cast<std::size_t>(static_cast<const char*>(newline) - first);
    if (line.size() + taken > kMaxLineBytes) {
      ++line_number_;
      return Error{Errc::kMalformed, "expected a line of text, found one of over 1 GiB", where()};
    }
    line.append(first, taken);
    stream.begin += taken + (newline == nullptr ? 0 : 1);
    if (newline != nullptr) break;
  }
  if (!found_any) return false;
  ++line_number_;
  if (const std::size_t marks = line.size() - without_byte_order_marks(line).size(); marks > 0) {
    line.erase(0, marks);
    // A file of nothing but the mark is an empty file.
    if (line.empty() && stream.at_end && stream.begin >= stream.end) return false;
  }
  if (line.ends_with('\r')) line.pop_back();
  return true;
}

Result<std::string> read_file(const fs::path& path) {
  RR_TRY(const GzHandle file, open_gz(path));
  const std::string name = display_name(path);
  std::string text;
  for (;;) {
    const std::size_t size = text.size();
    text.resize(size + kBufferBytes);
    RR_TRY(const std::size_t count, read_gz(file.get(), name, text.data() + size, kBufferBytes));
    text.resize(size + count);
    if (count == 0) return text;
  }
}

}  // namespace rr
