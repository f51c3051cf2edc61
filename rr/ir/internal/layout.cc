#include "rr/ir/internal/layout.h"

#include <fmt/core.h>

#include "rr/ir/internal/columns.h"

namespace rr {

Result<Layout> layout_of(std::string_view first_line, const char* what, const LineReader& reader) {
  const std::string_view line = trim(first_line);
  if (line.starts_with('[')) {
    return Error{Errc::kMalformed,
                 fmt::format("expected {} as one JSON object a line or as tab-separated columns, "
                             "found a JSON array; write each of its elements on a line of its own",
                             what),
                 reader.where()};
  }
  return line.starts_with('{') ? Layout::kJsonl : Layout::kTsv;
}

Result<TsvLine> split_tsv_line(std::string_view line, const char* columns,
                               const LineReader& reader) {
  const std::size_t tab = line.find('\t');
  if (tab == std::string_view::npos) {
    return Error{Errc::kMalformed, fmt::format("expected {}, found no tab", columns),
                 reader.where()};
  }
  return TsvLine{trim(line.substr(0, tab)), line.substr(tab + 1)};
}

}  // namespace rr
