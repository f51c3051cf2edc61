#include "rr/bm25/internal/output_file.h"

#include <unistd.h>
#include <zlib.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace rr::internal {

std::uint32_t crc32_of(std::string_view bytes, std::uint32_t before) {
  return static_cast<std::uint32_t>(
      ::crc32_z(before, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

Result<OutputFile> OutputFile::create(const std::filesystem::path& path) {
  OutputFile output;
  output.path_ = path;
  output.file_ = std::fopen(path.c_str(), "wb");
  if (output.file_ == nullptr) return output.failure();
  std::setvbuf(output.file_, nullptr, _IOFBF, std::size_t{1} << 18);
  return output;
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : file_(std::exchange(other.file_, nullptr)),
      path_(std::move(other.path_)),
      size_(other.size_),
      crc_(other.crc_) {}

OutputFile& OutputFile::operator=(OutputFile&& other) noexcept {
  std::swap(file_, other.file_);
  std::swap(path_, other.path_);
  std::swap(size_, other.size_);
  std::swap(crc_, other.crc_);
  return *this;
}

OutputFile::~OutputFile() {
  if (file_ != nullptr) std::fclose(file_);
}

Error OutputFile::failure() const {
  const int reason = errno;
  const bool is_full = reason == ENOSPC || reason == EDQUOT;
  return Error{is_full ? Errc::kUnavailable : Errc::kRejected,
               std::string("cannot be written: ") + std::strerror(reason) +
                   (is_full ? "; make room and start again" : ""),
               path_.string()};
}

Status OutputFile::write(std::string_view bytes) {
  if (std::fwrite(bytes.data(), 1, bytes.size(), file_) != bytes.size()) return failure();
  size_ += bytes.size();
  crc_ = crc32_of(bytes, crc_);
  return ok_status();
}

Status OutputFile::close() {
  std::FILE* file = std::exchange(file_, nullptr);
  const bool is_written = std::fflush(file) == 0 && ::fsync(::fileno(file)) == 0;
  Error error = is_written ? Error{} : failure();
  if (std::fclose(file) != 0 && is_written) return failure();
  if (!is_written) return error;
  return ok_status();
}

Json OutputFile::seal() const { return Json{{"bytes", size_}, {"crc32", crc_}}; }

}  // namespace rr::internal
