#pragma once

#include <cstddef>
#include <initializer_list>
#include <string>

#include "rr/base/json.h"
#include "rr/base/result.h"
#include "rr/ir/passage.h"

namespace rr {

// The names of a passage's fields; whichever comes first in a list counts.
inline constexpr std::initializer_list<const char*> kDocidKeys = {"_id", "id", "docid", "doc_id"};
inline constexpr std::initializer_list<const char*> kTextKeys = {"text", "segment", "contents",
                                                                 "body", "passage", "content"};

// Text and title of a JSON record (ir/corpus_file.h names the fields); the docid stays empty.
Result<Passage> passage_text_of(const Json& record, const std::string& where);

// How many of the record's fields are neither docid, text nor title.
std::size_t count_unread_fields(const Json& record);

}  // namespace rr
