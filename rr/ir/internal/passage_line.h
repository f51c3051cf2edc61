#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "rr/ir/passage.h"

namespace rr {

struct PassageLine {
  Passage passage;
  std::size_t unread_fields = 0;  // of the record, beside docid, text and title
};

// The quick way to read a JSONL record of a corpus. It knows plain records only: an object of few
// fields, valid UTF-8, no key twice, a docid and texts of the right type. For anything else it
// gives nothing, and the slow way (parse_record and passage_text_of) says what the record means or
// why it is refused; where both know a record, they give the same. The line's capacity may grow.
std::optional<PassageLine> parse_plain_passage(std::string& line);

}  // namespace rr
