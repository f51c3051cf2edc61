#pragma once

#include <fmt/core.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "rr/base/result.h"

namespace rr::internal {

// Walks over bytes of a file that is not trusted: every read is held against what is left.
// Numbers are little-endian. `where` names the file in messages.
class ByteReader {
 public:
  ByteReader(std::span<const std::byte> bytes, std::string where)
      : bytes_(bytes), where_(std::move(where)) {}

  std::span<const std::byte> all() const { return bytes_; }
  std::size_t position() const { return position_; }
  std::size_t remaining() const { return bytes_.size() - position_; }
  const std::string& where() const { return where_; }

  // The next `size` bytes; `what` names them in the message if they are not there.
  Result<std::span<const std::byte>> take(std::uint64_t size, const char* what) {
    if (size > remaining()) {
      return error(fmt::format("expected {} ({} bytes), found the end of the file; is it cut off?",
                               what, size));
    }
    const auto taken = bytes_.subspan(position_, static_cast<std::size_t>(size));
    position_ += taken.size();
    return taken;
  }

  template <typename T>
  Result<T> number(const char* what) {
    RR_TRY(const std::span<const std::byte> taken, take(sizeof(T), what));
    T value;
    std::memcpy(&value, taken.data(), sizeof(T));
    return value;
  }

  // A 64-bit length, then so many bytes.
  Result<std::string_view> text(const char* what) {
    RR_TRY(const auto length, number<std::uint64_t>(what));
    RR_TRY(const std::span<const std::byte> taken, take(length, what));
    return std::string_view(reinterpret_cast<const char*>(taken.data()), taken.size());
  }

  // A message about the place that the reader has come to.
  Error error(std::string message) const {
    return {Errc::kMalformed, std::move(message), fmt::format("{}: byte {}", where_, position_)};
  }

 private:
  std::span<const std::byte> bytes_;
  std::string where_;
  std::size_t position_ = 0;
};

}  // namespace rr::internal
