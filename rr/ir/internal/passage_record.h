#pragma once

#include <string>

#include "rr/base/json.h"
#include "rr/base/result.h"
#include "rr/ir/passage.h"

namespace rr {

// Text and title of a JSON record (ir/corpus_file.h names the fields); the docid stays empty.
Result<Passage> passage_text_of(const Json& record, const std::string& where);

}  // namespace rr
