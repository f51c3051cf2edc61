#include "rr/weights/internal/gguf.h"

#include <fmt/core.h>

#include <algorithm>
#include <bit>
#include <limits>
#include <optional>
#include <unordered_set>
#include <utility>

#include "rr/base/utf8.h"
#include "rr/weights/internal/byte_reader.h"
#include "rr/weights/internal/quoted.h"

namespace rr::internal {
namespace {

static_assert(std::endian::native == std::endian::little, "numbers are read as they lie");

constexpr int kMaxArrayDepth = 8;
constexpr std::uint32_t kMaxDimensions = 8;  // ggml knows four
constexpr std::uint64_t kDefaultAlignment = 32;

// The least bytes that an entry can take: what a count is held against.
constexpr std::size_t kMinEntryBytes = 8 + 4 + 1;       // key length, type, one byte of value
constexpr std::size_t kMinTensorBytes = 8 + 4 + 4 + 8;  // name length, dimensions, type, offset

// Metadata value types of the format.
enum class ValueType : std::uint32_t {
  kUint8,
  kInt8,
  kUint16,
  kInt16,
  kUint32,
  kInt32,
  kFloat32,
  kBool,
  kString,
  kArray,
  kUint64,
  kInt64,
  kFloat64,
};

// ggml_type's numbers for the types that dequantize_row knows.
std::optional<TensorType> known_type(std::uint32_t number) {
  switch (number) {
    case 0:
      return TensorType::kF32;
    case 1:
      return TensorType::kF16;
    case 2:
      return TensorType::kQ4_0;
    case 3:
      return TensorType::kQ4_1;
    case 6:
      return TensorType::kQ5_0;
    case 7:
      return TensorType::kQ5_1;
    case 8:
      return TensorType::kQ8_0;
    case 10:
      return TensorType::kQ2_K;
    case 11:
      return TensorType::kQ3_K;
    case 12:
      return TensorType::kQ4_K;
    case 13:
      return TensorType::kQ5_K;
    case 14:
      return TensorType::kQ6_K;
    case 30:
      return TensorType::kBF16;
    default:
      return std::nullopt;
  }
}

// The names of ggml's other types, for messages (ggml.h, enum ggml_type).
std::string foreign_type_name(std::uint32_t number) {
  constexpr std::pair<std::uint32_t, const char*> kNames[] = {
      {4, "Q4_2"},        {5, "Q4_3"},     {9, "Q8_1"},   {15, "Q8_K"},       {16, "IQ2_XXS"},
      {17, "IQ2_XS"},     {18, "IQ3_XXS"}, {19, "IQ1_S"}, {20, "IQ4_NL"},     {21, "IQ3_S"},
      {22, "IQ2_S"},      {23, "IQ4_XS"},  {24, "I8"},    {25, "I16"},        {26, "I32"},
      {27, "I64"},        {28, "F64"},     {29, "IQ1_M"}, {31, "Q4_0_4_4"},   {32, "Q4_0_4_8"},
      {33, "Q4_0_8_8"},   {34, "TQ1_0"},   {35, "TQ2_0"}, {36, "IQ4_NL_4_4"}, {37, "IQ4_NL_4_8"},
      {38, "IQ4_NL_8_8"}, {39, "MXFP4"},   {40, "NVFP4"}, {41, "Q1_0"},
  };
  for (const auto& [known, name] : kNames) {
    if (known == number) return name;
  }
  return fmt::format("number {}", number);
}

// The least bytes that a value can take.
std::size_t min_value_bytes(ValueType type) {
  switch (type) {
    case ValueType::kUint16:
    case ValueType::kInt16:
      return 2;
    case ValueType::kUint32:
    case ValueType::kInt32:
    case ValueType::kFloat32:
      return 4;
    case ValueType::kUint64:
    case ValueType::kInt64:
    case ValueType::kFloat64:
    case ValueType::kString:  // its length
      return 8;
    case ValueType::kArray:  // the type and the number of its elements
      return 4 + 8;
    default:
      return 1;
  }
}

std::string repaired(std::string_view text) {
  return is_valid_utf8(text) ? std::string(text) : repair_utf8(text).text;
}

class GgufParser {
 public:
  GgufParser(std::span<const std::byte> file, const std::string& where) : reader_(file, where) {}

  Result<GgufContents> parse() {
    RR_TRY_STATUS(read_start());
    const std::size_t entries_start = reader_.position();
    RR_TRY(contents_.metadata, read_metadata());
    const std::size_t entries_size = reader_.position() - entries_start;
    RR_TRY_STATUS(refuse_split());
    RR_TRY(const std::uint64_t alignment, read_alignment());
    contents_.entries = {static_cast<std::size_t>(num_entries_),
                         reader_.all().subspan(entries_start, entries_size),
                         static_cast<std::size_t>(alignment)};
    RR_TRY_STATUS(read_tensor_list(alignment));
    RR_TRY_STATUS(place_tensors(alignment));
    RR_TRY_STATUS(refuse_overlaps());
    return std::move(contents_);
  }

 private:
  // A message about the file rather than about one place in it.
  Error file_error(std::string message) const {
    return {Errc::kMalformed, std::move(message), reader_.where()};
  }

  Status read_start() {
    const Result<std::span<const std::byte>> magic = reader_.take(4, "\"GGUF\"");
    const std::string_view seen =
        magic.ok() ? std::string_view(reinterpret_cast<const char*>(magic->data()), 4) : "";
    if (seen == "FUGG") return big_endian();
    if (seen == "ggjt" || seen == "tjgg" || seen == "lmgg" || seen == "ggml" || seen == "fmgg") {
      return file_error("a model of the format before GGUF; fetch or convert it as GGUF");
    }
    if (seen != "GGUF") {
      return file_error("expected a GGUF file, whose first bytes are \"GGUF\", found other bytes");
    }
    RR_TRY(const auto version, reader_.number<std::uint32_t>("the GGUF version"));
    if (version == 0x02000000 || version == 0x03000000) return big_endian();
    if (version != 2 && version != 3) {
      return file_error(fmt::format("expected GGUF version 2 or 3, found {}", version));
    }
    RR_TRY(num_tensors_, reader_.number<std::uint64_t>("the number of tensors"));
    RR_TRY(num_entries_, reader_.number<std::uint64_t>("the number of metadata entries"));
    return ok_status();
  }

  Error big_endian() const {
    return file_error("a big-endian GGUF file; expected a little-endian one");
  }

  Status hold_count(std::uint64_t count, std::size_t min_bytes, const char* what) const {
    if (count <= reader_.remaining() / min_bytes) return ok_status();
    return reader_.error(
        fmt::format("expected {} {}, found {} bytes left, too few; is the file cut off or damaged?",
                    count, what, reader_.remaining()));
  }

  Result<Json> read_metadata() {
    RR_TRY_STATUS(hold_count(num_entries_, kMinEntryBytes, "metadata entries"));
    Json metadata = Json::object();
    auto& object = metadata.get_ref<Json::object_t&>();
    object.reserve(static_cast<std::size_t>(num_entries_));
    std::unordered_set<std::string> seen;
    for (std::uint64_t i = 0; i < num_entries_; ++i) {
      RR_TRY(const std::string_view raw_key, reader_.text("a metadata key"));
      std::string key = repaired(raw_key);
      if (!seen.insert(key).second) {
        return reader_.error(fmt::format("metadata key {} stands twice", in_quotes(key)));
      }
      RR_TRY(const auto type, reader_.number<std::uint32_t>("a metadata type"));
      RR_TRY(Json value, read_value(static_cast<ValueType>(type), 0));
      // Not operator[], which would search the whole object for the key.
      object.emplace_back(std::move(key), std::move(value));
    }
    return metadata;
  }

  Status count_values(std::uint64_t count) {
    if (count <= kMaxGgufValues - num_values_) {
      num_values_ += static_cast<std::size_t>(count);
      return ok_status();
    }
    return reader_.error(
        fmt::format("expected at most {} metadata values, found more", kMaxGgufValues));
  }

  Result<Json> read_value(ValueType type, int depth) {
    RR_TRY_STATUS(count_values(1));
    switch (type) {
      case ValueType::kString: {
        RR_TRY(const std::string_view text, reader_.text("a string"));
        return Json(repaired(text));
      }
      case ValueType::kArray:
        return read_array(depth);
      default:
        return read_scalar(type);
    }
  }

  Result<Json> read_scalar(ValueType type) {
    switch (type) {
      case ValueType::kUint8:
        return scalar<std::uint8_t>();
      case ValueType::kInt8:
        return scalar<std::int8_t>();
      case ValueType::kUint16:
        return scalar<std::uint16_t>();
      case ValueType::kInt16:
        return scalar<std::int16_t>();
      case ValueType::kUint32:
        return scalar<std::uint32_t>();
      case ValueType::kInt32:
        return scalar<std::int32_t>();
      case ValueType::kUint64:
        return scalar<std::uint64_t>();
      case ValueType::kInt64:
        return scalar<std::int64_t>();
      case ValueType::kFloat32:
        return scalar<float>();
      case ValueType::kFloat64:
        return scalar<double>();
      case ValueType::kBool: {
        RR_TRY(const auto byte, reader_.number<std::uint8_t>("a boolean"));
        return Json(byte != 0);
      }
      default:
        return reader_.error(fmt::format("expected a metadata type of 0 to 12, found {}",
                                         static_cast<std::uint32_t>(type)));
    }
  }

  template <typename T>
  Result<Json> scalar() {
    RR_TRY(const T value, reader_.number<T>("a metadata value"));
    return Json(value);
  }

  Result<Json> read_array(int depth) {
    if (depth >= kMaxArrayDepth) {
      return reader_.error(
          fmt::format("expected arrays nested at most {} deep, found deeper", kMaxArrayDepth));
    }
    RR_TRY(const auto type, reader_.number<std::uint32_t>("the type of an array"));
    RR_TRY(const auto count, reader_.number<std::uint64_t>("the length of an array"));
    RR_TRY_STATUS(
        hold_count(count, min_value_bytes(static_cast<ValueType>(type)), "elements of an array"));
    RR_TRY_STATUS(count_values(count));
    Json array = Json::array();
    auto& elements = array.get_ref<Json::array_t&>();
    elements.reserve(static_cast<std::size_t>(count));
    for (std::uint64_t i = 0; i < count; ++i) {
      RR_TRY(Json value, read_value(static_cast<ValueType>(type), depth + 1));
      elements.push_back(std::move(value));
    }
    return array;
  }

  Status refuse_split() const {
    const auto it = contents_.metadata.find("split.count");
    if (it == contents_.metadata.end() || !it->is_number_integer() || *it <= 1) return ok_status();
    return file_error(
        fmt::format("one part of a GGUF model split into {}; join them into one file first "
                    "(llama.cpp's llama-gguf-split --merge does)",
                    it->dump()));
  }

  Result<std::uint64_t> read_alignment() const {
    const auto it = contents_.metadata.find("general.alignment");
    if (it == contents_.metadata.end()) return kDefaultAlignment;
    if (it->is_number_unsigned()) {
      const auto alignment = it->get<std::uint64_t>();
      const bool is_small = alignment <= std::numeric_limits<std::uint32_t>::max();
      if (is_small && std::has_single_bit(alignment)) return alignment;
    }
    const bool is_container = it->is_structured() || it->is_string();
    return file_error(fmt::format("expected general.alignment to be a power of two, found {}",
                                  is_container ? it->type_name() : it->dump()));
  }

  Status read_tensor_list(std::uint64_t alignment) {
    RR_TRY_STATUS(hold_count(num_tensors_, kMinTensorBytes, "tensors"));
    contents_.tensors.reserve(static_cast<std::size_t>(num_tensors_));
    offsets_.reserve(static_cast<std::size_t>(num_tensors_));
    std::unordered_set<std::string> seen;
    for (std::uint64_t i = 0; i < num_tensors_; ++i) {
      RR_TRY(TensorView tensor, read_tensor());
      if (!seen.insert(tensor.name).second) {
        return reader_.error(fmt::format("tensor {} stands twice", in_quotes(tensor.name)));
      }
      RR_TRY(const auto offset, reader_.number<std::uint64_t>("the offset of a tensor"));
      if (offset % alignment != 0) {
        return reader_.error(
            fmt::format("expected tensor {} to start at a multiple of {} bytes, found {}",
                        in_quotes(tensor.name), alignment, offset));
      }
      contents_.tensors.push_back(std::move(tensor));
      offsets_.push_back(offset);
    }
    return ok_status();
  }

  // Name, shape and type; the bytes come later.
  Result<TensorView> read_tensor() {
    TensorView tensor;
    RR_TRY(const std::string_view name, reader_.text("the name of a tensor"));
    tensor.name = repaired(name);
    RR_TRY(const auto num_dimensions, reader_.number<std::uint32_t>("the rank of a tensor"));
    if (num_dimensions > kMaxDimensions) {
      return reader_.error(
          fmt::format("expected tensor {} to have at most {} dimensions, "
                      "found {}",
                      in_quotes(tensor.name), kMaxDimensions, num_dimensions));
    }
    for (std::uint32_t i = 0; i < num_dimensions; ++i) {
      RR_TRY(const auto size, reader_.number<std::uint64_t>("a dimension of a tensor"));
      tensor.shape.push_back(static_cast<std::size_t>(size));
    }
    // The file has the contiguous dimension first.
    std::reverse(tensor.shape.begin(), tensor.shape.end());
    RR_TRY(const auto type, reader_.number<std::uint32_t>("the type of a tensor"));
    const std::optional<TensorType> known = known_type(type);
    if (!known) {
      return reader_.error(fmt::format(
          "tensor {} is of type {}, which is not read; expected one of F32 F16 "
          "BF16 Q8_0 Q4_0 Q4_1 Q5_0 Q5_1 Q2_K Q3_K Q4_K Q5_K Q6_K (--engine llama.cpp reads "
          "others)",
          in_quotes(tensor.name), foreign_type_name(type)));
    }
    tensor.type = *known;
    return tensor;
  }

  // Bytes of a tensor, as its shape says; fails where they cannot be inside any file.
  Result<std::uint64_t> size_of(const TensorView& tensor) const {
    const BlockShape block = block_shape(tensor.type);
    if (tensor.row_length() % block.elements != 0) {
      return file_error(
          fmt::format("expected the rows of tensor {} ({}) to be a multiple of {} "
                      "long, found {}",
                      in_quotes(tensor.name), tensor_type_name(tensor.type), block.elements,
                      tensor.row_length()));
    }
    std::uint64_t elements = 1;
    for (const std::size_t size : tensor.shape) {
      if (size == 0) {
        return file_error(fmt::format("tensor {} has a dimension of 0", in_quotes(tensor.name)));
      }
      if (__builtin_mul_overflow(elements, size, &elements)) elements = kTooMany;
      if (elements >= kTooMany) {
        return file_error(fmt::format("the dimensions of tensor {} are larger than any file",
                                      in_quotes(tensor.name)));
      }
    }
    return elements / block.elements * block.bytes;
  }

  Status place_tensors(std::uint64_t alignment) {
    // The data follows the head, from the next multiple of the alignment on.
    const std::uint64_t data_start = (reader_.position() + alignment - 1) / alignment * alignment;
    const std::uint64_t file_size = reader_.position() + reader_.remaining();
    for (std::size_t i = 0; i < contents_.tensors.size(); ++i) {
      TensorView& tensor = contents_.tensors[i];
      RR_TRY(const std::uint64_t size, size_of(tensor));
      std::uint64_t start = 0;
      std::uint64_t end = 0;
      if (__builtin_add_overflow(data_start, offsets_[i], &start) ||
          __builtin_add_overflow(start, size, &end) || end > file_size) {
        return file_error(
            fmt::format("tensor {} reaches beyond the end of the file ({} bytes "
                        "from byte {} on, the file has {}); is it cut off?",
                        in_quotes(tensor.name), size, start, file_size));
      }
      tensor.bytes =
          reader_.all().subspan(static_cast<std::size_t>(start), static_cast<std::size_t>(size));
    }
    return ok_status();
  }

  Status refuse_overlaps() const {
    std::vector<const TensorView*> by_place;
    for (const TensorView& tensor : contents_.tensors) by_place.push_back(&tensor);
    std::sort(by_place.begin(), by_place.end(), [](const TensorView* a, const TensorView* b) {
      return a->bytes.data() < b->bytes.data();
    });
    for (std::size_t i = 1; i < by_place.size(); ++i) {
      const TensorView& before = *by_place[i - 1];
      const TensorView& after = *by_place[i];
      if (before.bytes.data() + before.bytes.size() > after.bytes.data()) {
        return file_error(fmt::format("tensors {} and {} overlap", in_quotes(before.name),
                                      in_quotes(after.name)));
      }
    }
    return ok_status();
  }

  // More elements than 2^60 have no file; small enough that bytes do not overflow (4 a piece).
  static constexpr std::uint64_t kTooMany = std::uint64_t{1} << 60;

  ByteReader reader_;
  GgufContents contents_;
  std::vector<std::uint64_t> offsets_;  // from the start of the data, one a tensor
  std::uint64_t num_tensors_ = 0;
  std::uint64_t num_entries_ = 0;
  std::size_t num_values_ = 0;
};

}  // namespace

Result<GgufContents> parse_gguf(std::span<const std::byte> file, const std::string& where) {
  return GgufParser(file, where).parse();
}

}  // namespace rr::internal
