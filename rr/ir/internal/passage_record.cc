#include "rr/ir/internal/passage_record.h"

#include <fmt/core.h>

#include <initializer_list>

#include "rr/ir/internal/read_id.h"

namespace rr {
namespace {

Error not_a_string(const char* what, const Json& value, const std::string& where) {
  return Error{
      Errc::kMalformed,
      fmt::format("expected the passage's {} to be a string, found {}", what, value.type_name()),
      where};
}

}  // namespace

Result<Passage> passage_text_of(const Json& record, const std::string& where) {
  const Json* text = first_field(record, kTextKeys);
  if (text == nullptr) {
    return Error{Errc::kMalformed,
                 fmt::format("expected the passage's text in {}, found none of them",
                             list_of_keys(kTextKeys)),
                 where};
  }
  if (!text->is_string()) return not_a_string("text", *text, where);
  const Json* title = first_field(record, {"title"});
  if (title != nullptr && !title->is_string()) return not_a_string("title", *title, where);
  return Passage{Docid(), title == nullptr ? std::string() : title->get<std::string>(),
                 text->get<std::string>()};
}

std::size_t count_unread_fields(const Json& record) {
  std::size_t known = record.contains("title") ? 1 : 0;
  for (const auto& keys : {kDocidKeys, kTextKeys}) {
    for (const char* key : keys) known += record.contains(key) ? 1 : 0;
  }
  return record.size() - known;
}

}  // namespace rr
