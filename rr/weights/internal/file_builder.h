#pragma once

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// Small model files made by hand, whole ones and damaged ones: for tests and for the seeds of the
// fuzz targets.

namespace rr::internal {

template <typename T>
void put_number(std::string& out, T value) {
  char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  out.append(bytes, sizeof(T));
}

inline void put_text(std::string& out, std::string_view text) {
  put_number<std::uint64_t>(out, text.size());
  out.append(text);
}

// A GGUF file. Fields that stand for damage have the true value as long as they are unset.
class GgufBuilder {
 public:
  std::string magic = "GGUF";
  std::uint32_t version = 3;
  std::uint64_t alignment = 32;  // of the data; say it as general.alignment too where it is not 32
  std::optional<std::uint64_t> claimed_tensors;
  std::optional<std::uint64_t> claimed_entries;

  // An entry of the metadata; `value` is its bytes after the type.
  GgufBuilder& entry(std::string_view key, std::uint32_t type, std::string_view value) {
    put_text(entries_, key);
    put_number(entries_, type);
    entries_.append(value);
    ++num_entries_;
    return *this;
  }
  template <typename T>
  GgufBuilder& number(std::string_view key, std::uint32_t type, T value) {
    std::string bytes;
    put_number(bytes, value);
    return entry(key, type, bytes);
  }
  GgufBuilder& text(std::string_view key, std::string_view value) {
    std::string bytes;
    put_text(bytes, value);
    return entry(key, 8, bytes);
  }
  GgufBuilder& texts(std::string_view key, const std::vector<std::string>& values) {
    std::string bytes;
    put_number<std::uint32_t>(bytes, 8);
    put_number<std::uint64_t>(bytes, values.size());
    for (const std::string& value : values) put_text(bytes, value);
    return entry(key, 9, bytes);
  }

  // A tensor; `dimensions` in the order of the file, the contiguous one first. Without an `offset`
  // it follows the one before it.
  GgufBuilder& tensor(std::string_view name, const std::vector<std::uint64_t>& dimensions,
                      std::uint32_t type, std::string_view bytes,
                      std::optional<std::uint64_t> offset = std::nullopt) {
    data_.resize((data_.size() + alignment - 1) / alignment * alignment);
    put_text(tensors_, name);
    put_number(tensors_, static_cast<std::uint32_t>(dimensions.size()));
    for (const std::uint64_t size : dimensions) put_number(tensors_, size);
    put_number(tensors_, type);
    put_number<std::uint64_t>(tensors_, offset.value_or(data_.size()));
    data_.append(bytes);
    ++num_tensors_;
    return *this;
  }

  std::string build() const {
    std::string file = magic;
    put_number(file, version);
    put_number<std::uint64_t>(file, claimed_tensors.value_or(num_tensors_));
    put_number<std::uint64_t>(file, claimed_entries.value_or(num_entries_));
    file += entries_ + tensors_;
    file.resize((file.size() + alignment - 1) / alignment * alignment);
    return file + data_;
  }

 private:
  std::string entries_;
  std::string tensors_;
  std::string data_;
  std::uint64_t num_entries_ = 0;
  std::uint64_t num_tensors_ = 0;
};

// A .safetensors file of a header as it is and the data after it.
inline std::string safetensors_file(std::string_view header, std::string_view data) {
  std::string file;
  put_text(file, header);
  return file.append(data);
}

inline std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

inline void write_bytes(const std::filesystem::path& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

}  // namespace rr::internal
