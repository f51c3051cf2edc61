#include "rr/ir/internal/passage_line.h"

#include <simdjson.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <initializer_list>
#include <string_view>
#include <utility>

#include "rr/base/utf8.h"
#include "rr/ir/id_spelling.h"
#include "rr/ir/internal/passage_record.h"
#include "rr/ir/internal/read_id.h"

namespace rr {
namespace {

namespace dom = simdjson::dom;

constexpr std::size_t kMaxFields = 32;
constexpr std::size_t kMaxDepth = 64;

struct Field {
  std::string_view key;
  dom::element value;
};

struct Fields {
  std::array<Field, kMaxFields> list;
  std::size_t count = 0;
};

// False where there are too many, or a key comes twice.
bool collect(const dom::object& object, Fields& fields) {
  for (const auto& [key, value] : object) {
    if (fields.count == kMaxFields) return false;
    for (std::size_t i = 0; i < fields.count; ++i) {
      if (fields.list[i].key == key) return false;
    }
    fields.list[fields.count++] = {key, value};
  }
  return true;
}

enum class Nulls { kCount, kAreAbsent };

// nullptr: none.
const Field* first_of(const Fields& fields, std::initializer_list<const char*> keys, Nulls nulls) {
  for (const char* key : keys) {
    for (std::size_t i = 0; i < fields.count; ++i) {
      const Field& field = fields.list[i];
      if (field.key != key) continue;
      if (nulls == Nulls::kCount || !field.value.is_null()) return &field;
    }
  }
  return nullptr;
}

std::optional<std::string> id_of(const Field& field) {
  std::int64_t number = 0;
  if (field.value.get(number) == simdjson::SUCCESS) {
    std::array<char, 24> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number);
    return std::string(digits.data(), end.ptr);
  }
  std::string_view text;
  if (field.value.get(text) != simdjson::SUCCESS) return std::nullopt;
  text = without_byte_order_marks(text);
  if (text.empty()) return std::nullopt;
  return read_spelling(text);
}

std::size_t count_unread(const Fields& fields) {
  return static_cast<std::size_t>(std::count_if(
      fields.list.begin(), fields.list.begin() + fields.count, [](const Field& field) {
        const auto is_key = [&](const char* key) { return field.key == key; };
        return std::none_of(kDocidKeys.begin(), kDocidKeys.end(), is_key) &&
               std::none_of(kTextKeys.begin(), kTextKeys.end(), is_key) && field.key != "title";
      }));
}

std::optional<PassageLine> passage_of(const Fields& fields) {
  const Field* id = first_of(fields, kDocidKeys, Nulls::kCount);
  const Field* text = first_of(fields, kTextKeys, Nulls::kAreAbsent);
  const Field* title = first_of(fields, {"title"}, Nulls::kAreAbsent);
  if (id == nullptr || text == nullptr) return std::nullopt;
  std::optional<std::string> docid = id_of(*id);
  std::string_view body;
  std::string_view heading;
  if (!docid || text->value.get(body) != simdjson::SUCCESS) return std::nullopt;
  if (title != nullptr && title->value.get(heading) != simdjson::SUCCESS) return std::nullopt;
  return PassageLine{{Docid(std::move(*docid)), std::string(heading), std::string(body)},
                     count_unread(fields)};
}

}  // namespace

std::optional<PassageLine> parse_plain_passage(std::string& line) {
  thread_local dom::parser parser;  // keeps its buffers from line to line
  if (parser.capacity() < line.size() &&
      parser.allocate(std::max<std::size_t>(2 * line.size(), 4096), kMaxDepth) !=
          simdjson::SUCCESS) {
    return std::nullopt;
  }
  line.reserve(line.size() + simdjson::SIMDJSON_PADDING);
  dom::object object;
  if (parser.parse(line.data(), line.size(), false).get(object) != simdjson::SUCCESS) {
    return std::nullopt;
  }
  Fields fields;
  return collect(object, fields) ? passage_of(fields) : std::nullopt;
}

}  // namespace rr
