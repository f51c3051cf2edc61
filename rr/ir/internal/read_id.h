#pragma once

#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>

#include "rr/base/file.h"
#include "rr/base/json.h"
#include "rr/base/result.h"

namespace rr {

// Printable ASCII without '%': an id that stands for itself.
inline bool is_plain_id(std::string_view text) {
  bool is_plain = !text.empty();
  for (const char c : text) is_plain = is_plain && c > ' ' && c < 0x7F && c != '%';
  return is_plain;
}

// The id that `text` of the reader's line stands for (ir/id_spelling.h), without byte-order marks
// before it: written first in a line, they would be lost there. Empty text and invalid UTF-8 are
// refused; `what` names the id in the message
// ("docid").
Result<std::string> read_id(std::string_view text, const char* what, const LineReader& reader);

// The same for a field of a JSON record: the first of `keys` that is there. `repaired` is what
// parse_json repaired in the record: then an id with U+FFFD, which a repair leaves, is refused.
Result<std::string> read_json_id(const Json& record, std::initializer_list<const char*> keys,
                                 const char* what, std::size_t repaired, const std::string& where);

// The first of `keys` that the record has and that is not null; nullptr: none. Requires an object.
const Json* first_field(const Json& record, std::initializer_list<const char*> keys);

// "\"id\", \"qid\" or \"_id\"", for messages.
std::string list_of_keys(std::initializer_list<const char*> keys);

// How many of the record's fields are none of `keys`.
std::size_t count_other_fields(const Json& record, std::initializer_list<const char*> keys);

// Text of a file made fit for a message: valid UTF-8, of a long one the first 60 bytes.
std::string printable(std::string_view text);

// One line of a JSONL file as an object.
Result<Json> parse_record(std::string_view line, const std::string& where, std::size_t& repaired);

}  // namespace rr
