#include "rr/ir/internal/read_id.h"

#include <fmt/core.h>

#include <algorithm>

#include "rr/base/utf8.h"
#include "rr/ir/id_spelling.h"

namespace rr {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

Error invalid_utf8(const char* what, std::string where) {
  return Error{
      Errc::kMalformed,
      fmt::format("expected a {} in UTF-8, found other bytes; convert the file to UTF-8", what),
      std::move(where)};
}

}  // namespace

Result<std::string> read_id(std::string_view text, const char* what, const LineReader& reader) {
  if (is_plain_id(text)) return std::string(text);
  text = without_byte_order_marks(text);
  if (text.empty()) {
    return Error{Errc::kMalformed, fmt::format("expected a {}, found nothing", what),
                 reader.where()};
  }
  if (!is_valid_utf8(text)) return invalid_utf8(what, reader.where());
  return read_spelling(text);
}

Result<std::string> read_json_id(const Json& record, std::initializer_list<const char*> keys,
                                 const char* what, std::size_t repaired, const std::string& where) {
  for (const char* key : keys) {
    if (!record.contains(key)) continue;
    RR_TRY(const std::string field, json_id(record, key, where));
    const std::string_view text = without_byte_order_marks(field);
    if (text.empty()) {
      return Error{Errc::kMalformed,
                   fmt::format("expected a {} in \"{}\", found nothing", what, key), where};
    }
    if (repaired > 0 && text.find(kReplacement) != std::string_view::npos) {
      return invalid_utf8(what, where);
    }
    return read_spelling(text);
  }
  return Error{Errc::kMalformed,
               fmt::format("expected a {} in {}, found none", what, list_of_keys(keys)), where};
}

const Json* first_field(const Json& record, std::initializer_list<const char*> keys) {
  for (const char* key : keys) {
    const auto found = record.find(key);
    if (found != record.end() && !found->is_null()) return &*found;
  }
  return nullptr;
}

std::size_t count_other_fields(const Json& record, std::initializer_list<const char*> keys) {
  std::size_t count = 0;
  for (const auto& [field, value] : record.items()) {
    const bool is_known = std::any_of(keys.begin(), keys.end(),
                                      [&name = field](const char* key) { return name == key; });
    if (!is_known) ++count;
  }
  return count;
}

std::string list_of_keys(std::initializer_list<const char*> keys) {
  std::string list;
  std::size_t left = keys.size();
  for (const char* key : keys) {
    list += fmt::format("\"{}\"", key);
    --left;
    if (left > 0) list += left == 1 ? " or " : ", ";
  }
  return list;
}

std::string printable(std::string_view text) {
  constexpr std::size_t kMaxBytes = 60;
  if (text.size() <= kMaxBytes) return repair_utf8(text).text;
  text = text.substr(0, kMaxBytes);
  return repair_utf8(text.substr(0, kMaxBytes - incomplete_utf8_tail(text))).text + "...";
}

Result<Json> parse_record(std::string_view line, const std::string& where, std::size_t& repaired) {
  RR_TRY(Json record, parse_json(line, where, &repaired));
  if (!record.is_object()) {
    return Error{Errc::kMalformed,
                 fmt::format("expected one JSON object a line, found {} {}",
                             record.is_array() ? "an" : "a", record.type_name()),
                 where};
  }
  return record;
}

}  // namespace rr
