#include "rr/weights/internal/safetensors.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <optional>
#include <unordered_set>
#include <utility>

#include "rr/base/json.h"
#include "rr/weights/internal/quoted.h"

namespace rr::internal {
namespace {

constexpr std::size_t kLengthBytes = 8;
constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;  // the format's own limit
constexpr std::size_t kMaxRank = 8;
constexpr std::size_t kMaxDepth = 16;

// Walks through JSON of a few known levels without building it: a header of a hundred megabytes
// costs no more memory than the tensors that it names, and large objects cost no quadratic time.
// Refuses repeated keys and deep nesting.
class StrictReader : public nlohmann::json_sax<Json> {
 public:
  Status read(std::string_view text, const std::string& where) {
    nlohmann::json_sax<Json>* calls = this;
    Json::sax_parse(text.begin(), text.end(), calls);
    if (fault_.empty()) return ok_status();
    return Error{Errc::kMalformed, fault_, where};
  }

 protected:
  struct Value {
    enum class Kind { kText, kCount, kOther } kind;
    std::uint64_t count = 0;            // of kCount: a whole number of 0 and more
    const std::string* text = nullptr;  // of kText
  };

  // A value that is no object and no array; the start of one that is; the end of one. level() is
  // that of the container around it: 0 for the text's own value.
  virtual void on_value(const Value& value) = 0;
  virtual void on_start(bool is_array) = 0;
  virtual void on_end() = 0;

  std::size_t level() const { return levels_.size(); }
  bool in_array() const { return !levels_.empty() && levels_.back().is_array; }
  // The key under which things stand at a level, from 1.
  const std::string& key_at(std::size_t at_level) const { return levels_[at_level - 1].key; }

  // The first fault stands; the walk ends with it.
  void fail(std::string message) {
    if (fault_.empty()) fault_ = std::move(message);
  }

 private:
  struct Level {
    bool is_array;
    std::string key;
    std::unordered_set<std::string> keys;
  };

  bool going_on() const { return fault_.empty(); }
  bool take(const Value& value) {
    on_value(value);
    return going_on();
  }
  bool start(bool is_array) {
    if (levels_.size() >= kMaxDepth) {
      fail(fmt::format("nested deeper than {} levels", kMaxDepth));
      return false;
    }
    on_start(is_array);
    levels_.push_back({is_array, {}, {}});
    return going_on();
  }
  bool finish() {
    levels_.pop_back();
    on_end();
    return going_on();
  }

  // The parser's calls.
  bool null() final { return take({Value::Kind::kOther}); }
  bool boolean(bool) final { return take({Value::Kind::kOther}); }
  bool number_integer(number_integer_t) final { return take({Value::Kind::kOther}); }
  bool number_unsigned(number_unsigned_t value) final { return take({Value::Kind::kCount, value}); }
  bool number_float(number_float_t, const string_t&) final { return take({Value::Kind::kOther}); }
  bool string(string_t& value) final { return take({Value::Kind::kText, 0, &value}); }
  bool binary(binary_t&) final { return take({Value::Kind::kOther}); }
  bool start_object(std::size_t) final { return start(false); }
  bool end_object() final { return finish(); }
  bool start_array(std::size_t) final { return start(true); }
  bool end_array() final { return finish(); }
  bool key(string_t& value) final {
    Level& top = levels_.back();
    if (!top.keys.insert(value).second) {
      fail(fmt::format("key {} stands twice in one object", in_quotes(value)));
    }
    top.key = std::move(value);
    return going_on();
  }
  bool parse_error(std::size_t position, const std::string&, const Json::exception&) final {
    fail(fmt::format("expected JSON, found something else at its byte {}", position));
    return false;
  }

  std::vector<Level> levels_;
  std::string fault_;
};

// Looks like the name of a type: "F8_E4M3".
bool is_type_name(std::string_view text) {
  const auto fits = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  };
  return !text.empty() && text.size() <= 16 && std::all_of(text.begin(), text.end(), fits);
}

// What the header says about one tensor.
struct Entry {
  std::string name;
  std::string dtype;
  std::vector<std::size_t> shape;
  std::vector<std::uint64_t> range;  // begin and end in the data
  bool has_dtype = false;
  bool has_shape = false;
};

// {"__metadata__": {...}, name: {"dtype": "BF16", "shape": [2, 3], "data_offsets": [0, 12]}, ...};
// other fields of a tensor are passed over.
class HeaderReader : public StrictReader {
 public:
  std::vector<Entry> take_entries() { return std::move(entries_); }
  std::map<std::string, std::string> take_metadata() { return std::move(metadata_); }

 private:
  bool in_tensor() const { return level() >= 2 && key_at(1) != "__metadata__"; }

  void on_start(bool is_array) override {
    if (level() == 0 && is_array) return fail("expected a JSON object, found an array");
    if (level() == 1 && is_array) return no_object();
    if (level() == 1 && key_at(1) != "__metadata__") {
      entries_.push_back({});
      entries_.back().name = key_at(1);
    }
    if (!in_tensor()) return;
    const std::string& field = key_at(2);
    const bool holds_numbers = field == "shape" || field == "data_offsets";
    // A list in the place of the type, an object in that of a list, or a list in a list.
    if (level() == 2 && (field == "dtype" || (holds_numbers && !is_array))) return bad_field();
    if (level() == 3 && holds_numbers) return bad_field();
    if (level() == 2 && field == "shape") entries_.back().has_shape = true;
  }

  void on_value(const Value& value) override {
    if (level() == 0) return fail("expected a JSON object, found a single value");
    if (level() == 1) return no_object();
    if (level() == 2 && !in_tensor() && value.kind == Value::Kind::kText) {
      metadata_[key_at(2)] = *value.text;
    }
    if (!in_tensor()) return;
    const std::string& field = key_at(2);
    if (level() == 2 && field == "dtype") return take_dtype(value);
    if (level() == 2 && (field == "shape" || field == "data_offsets")) return bad_field();
    if (level() == 3 && field == "shape")
      return take_number(value, entries_.back().shape, kMaxRank);
    if (level() == 3 && field == "data_offsets")
      return take_number(value, entries_.back().range, 2);
  }

  void on_end() override {
    if (level() != 1 || key_at(1) == "__metadata__") return;
    const Entry& entry = entries_.back();
    if (entry.has_dtype && entry.has_shape && entry.range.size() == 2) return;
    fail(fmt::format("expected \"dtype\", \"shape\" and two \"data_offsets\" of tensor {}",
                     in_quotes(entry.name)));
  }

  void take_dtype(const Value& value) {
    if (value.kind != Value::Kind::kText || !is_type_name(*value.text)) return bad_field();
    entries_.back().dtype = *value.text;
    entries_.back().has_dtype = true;
  }

  template <typename T>
  void take_number(const Value& value, std::vector<T>& numbers, std::size_t most) {
    if (value.kind != Value::Kind::kCount || numbers.size() >= most) return bad_field();
    numbers.push_back(static_cast<T>(value.count));
  }

  void no_object() {
    fail(fmt::format("expected {} to be an object, found something else", in_quotes(key_at(1))));
  }
  void bad_field() {
    fail(fmt::format("the field {} of tensor {} is not what the format asks for",
                     in_quotes(key_at(2)), in_quotes(key_at(1))));
  }

  std::vector<Entry> entries_;
  std::map<std::string, std::string> metadata_;
};

// {"metadata": {...}, "weight_map": {tensor: shard, ...}}
class IndexReader : public StrictReader {
 public:
  bool has_map() const { return has_map_; }
  ShardOfTensor take_shards() { return std::move(shards_); }

 private:
  bool in_map() const { return level() == 2 && key_at(1) == "weight_map"; }

  void on_start(bool is_array) override {
    if (level() == 0 && is_array) return fail("expected a JSON object, found an array");
    if (level() == 1 && key_at(1) == "weight_map") {
      if (is_array) return fail("expected \"weight_map\" to be an object, found an array");
      has_map_ = true;
    }
    if (in_map()) bad_shard();
  }

  void on_value(const Value& value) override {
    if (level() == 0) return fail("expected a JSON object, found a single value");
    if (!in_map()) return;
    if (value.kind != Value::Kind::kText || !is_plain_file_name(*value.text)) return bad_shard();
    shards_[key_at(2)] = *value.text;
  }

  void on_end() override {}

  void bad_shard() {
    fail(
        fmt::format("expected the shard of tensor {} to be the name of a file in the folder, "
                    "found something else",
                    in_quotes(key_at(2))));
  }

  ShardOfTensor shards_;
  bool has_map_ = false;
};

std::optional<TensorType> known_type(const std::string& dtype) {
  if (dtype == "F32") return TensorType::kF32;
  if (dtype == "F16") return TensorType::kF16;
  if (dtype == "BF16") return TensorType::kBF16;
  return std::nullopt;
}

// Bytes of a tensor, or nullopt where they are more than any file's.
std::optional<std::uint64_t> size_of(const std::vector<std::size_t>& shape, TensorType type) {
  std::uint64_t bytes = block_shape(type).bytes;
  bool is_empty = false;
  bool overflows = false;
  for (const std::size_t size : shape) {
    is_empty = is_empty || size == 0;
    overflows = __builtin_mul_overflow(bytes, size, &bytes) || overflows;
  }
  if (is_empty) return 0;
  return overflows ? std::nullopt : std::optional(bytes);
}

Error error_at(const std::string& where, std::string message) {
  return {Errc::kMalformed, std::move(message), where};
}

// The JSON text at the start of the file.
Result<std::string_view> header_of(std::span<const std::byte> file, const std::string& where) {
  if (file.size() < kLengthBytes) {
    return error_at(where,
                    fmt::format("expected a safetensors file, found only {} bytes", file.size()));
  }
  std::uint64_t length = 0;
  std::memcpy(&length, file.data(), kLengthBytes);
  const std::uint64_t available = file.size() - kLengthBytes;
  if (length > kMaxHeaderBytes) {
    return error_at(where, fmt::format("expected a safetensors header of at most {} bytes, found a "
                                       "length of {}; is this a safetensors file?",
                                       kMaxHeaderBytes, length));
  }
  if (length > available) {
    return error_at(where,
                    fmt::format("expected a safetensors header of {} bytes, found {}; is the "
                                "file cut off?",
                                length, available));
  }
  return std::string_view(reinterpret_cast<const char*>(file.data()) + kLengthBytes,
                          static_cast<std::size_t>(length));
}

// The ranges must tile the data: no overlap, no hole, nothing after the last. Sorts `entries`.
Status check_ranges(std::vector<Entry>& entries, std::uint64_t data_bytes,
                    const std::string& where) {
  std::stable_sort(entries.begin(), entries.end(),
                   [](const Entry& a, const Entry& b) { return a.range < b.range; });
  std::uint64_t expected = 0;
  for (const Entry& entry : entries) {
    if (entry.range[0] != expected || entry.range[1] < entry.range[0]) {
      return error_at(where,
                      fmt::format("expected the data of tensor {} to start at {} and not to end "
                                  "before, found {} to {}: tensors overlap or leave a hole",
                                  in_quotes(entry.name), expected, entry.range[0], entry.range[1]));
    }
    expected = entry.range[1];
  }
  if (expected == data_bytes) return ok_status();
  return error_at(where, fmt::format("expected {} bytes of tensors, found {}; is the file cut off?",
                                     expected, data_bytes));
}

// Adds the tensor to what can be read or to what is left out.
Status place(Entry entry, std::span<const std::byte> data, const std::string& where,
             SafetensorsContents& contents) {
  const std::optional<TensorType> type = known_type(entry.dtype);
  if (!type) {
    contents.left_out.push_back(
        {std::move(entry.name),
         fmt::format("is of type {}, which is not read (F32, F16 and BF16 are)", entry.dtype)});
    return ok_status();
  }
  const std::uint64_t found = entry.range[1] - entry.range[0];
  const std::optional<std::uint64_t> size = size_of(entry.shape, *type);
  if (!size || *size != found) {
    return error_at(where, fmt::format("the shape of tensor {} ({}) does not fit its {} bytes",
                                       in_quotes(entry.name), entry.dtype, found));
  }
  if (found == 0) {
    contents.left_out.push_back({std::move(entry.name), "has no elements"});
    return ok_status();
  }
  const auto bytes =
      data.subspan(static_cast<std::size_t>(entry.range[0]), static_cast<std::size_t>(found));
  contents.tensors.push_back({std::move(entry.name), *type, std::move(entry.shape), bytes});
  return ok_status();
}

}  // namespace

Result<SafetensorsContents> parse_safetensors(std::span<const std::byte> file,
                                              const std::string& where) {
  RR_TRY(const std::string_view header, header_of(file, where));
  HeaderReader reader;
  RR_TRY_STATUS(reader.read(header, where + ": header"));
  std::vector<Entry> entries = reader.take_entries();
  const std::span<const std::byte> data = file.subspan(kLengthBytes + header.size());
  RR_TRY_STATUS(check_ranges(entries, data.size(), where));
  SafetensorsContents contents;
  contents.metadata = reader.take_metadata();
  for (Entry& entry : entries) RR_TRY_STATUS(place(std::move(entry), data, where, contents));
  return contents;
}

Result<ShardOfTensor> parse_safetensors_index(std::string_view text, const std::string& where) {
  IndexReader reader;
  RR_TRY_STATUS(reader.read(text, where));
  if (!reader.has_map()) {
    return error_at(where, "expected a field \"weight_map\", found none");
  }
  return reader.take_shards();
}

bool is_plain_file_name(std::string_view name) {
  if (name.empty() || name == "." || name == "..") return false;
  return name.find('/') == std::string_view::npos && name.find('\0') == std::string_view::npos;
}

}  // namespace rr::internal
