#pragma once

#include <string_view>

#include "rr/base/file.h"
#include "rr/base/result.h"

namespace rr {

// How the records of a file of topics or passages stand on its lines.
enum class Layout { kJsonl, kTsv };

// Told by the file's first line that is not empty. A JSON array is refused: `what` ("topics")
// stands in the message.
Result<Layout> layout_of(std::string_view first_line, const char* what, const LineReader& reader);

struct TsvLine {
  std::string_view id;
  std::string_view text;  // everything after the first tab
};

// `columns` ("qid<tab>query") stands in the message where there is no tab.
Result<TsvLine> split_tsv_line(std::string_view line, const char* columns,
                               const LineReader& reader);

}  // namespace rr
