#pragma once

#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "rr/base/check.h"

namespace rr {

// Values as bytes and back, for records that ranks of one program send each other: read in the
// order in which they were written, by the same kind of machine.
class RecordWriter {
 public:
  template <typename T>
  void put(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    put_bytes(&value, sizeof value);
  }

  // A vector or a string of plain values.
  template <typename Values>
  void put_all(const Values& values) {
    static_assert(std::is_trivially_copyable_v<typename Values::value_type>);
    put(values.size());
    put_bytes(values.data(), values.size() * sizeof(typename Values::value_type));
  }

  std::string take() && { return std::move(bytes_); }

 private:
  void put_bytes(const void* from, std::size_t count) {
    bytes_.append(static_cast<const char*>(from), count);
  }

  std::string bytes_;
};

// `record` must outlive the reader.
class RecordReader {
 public:
  explicit RecordReader(std::string_view record) : left_(record) {}

  bool is_at_end() const { return left_.empty(); }

  template <typename T>
  T get() {
    static_assert(std::is_trivially_copyable_v<T>);
    T value;
    get_bytes(&value, sizeof value);
    return value;
  }

  template <typename Values>
  Values get_all() {
    using Value = typename Values::value_type;
    static_assert(std::is_trivially_copyable_v<Value>);
    const auto count = get<std::size_t>();
    RR_CHECK(count <= left_.size() / sizeof(Value), "a record is read as it was written");
    Values values;
    values.resize(count);
    get_bytes(values.data(), count * sizeof(Value));
    return values;
  }

 private:
  void get_bytes(void* to, std::size_t count) {
    RR_CHECK(count <= left_.size(), "a record is read as it was written");
    if (count > 0) std::memcpy(to, left_.data(), count);
    left_.remove_prefix(count);
  }

  std::string_view left_;
};

}  // namespace rr
