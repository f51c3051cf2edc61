// Any bytes as messy text: what comes out is valid UTF-8, is fixed line by line, and a line that
// was fixed stays as it is.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "rr/base/check.h"
#include "rr/base/utf8.h"
#include "rr/text/fix_text.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  RR_CHECK(rr::is_valid_utf8(rr::fix_text(text)), "what was fixed must be valid UTF-8");

  const rr::FixTextOptions keep_entities{.unescape_html = rr::EntityRepair::kNever};
  std::string line_by_line;
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t end = rest.find('\n');
    const std::string_view line = rest.substr(0, end == rest.npos ? end : end + 1);
    const std::string fixed = rr::fix_text(line, keep_entities);
    const bool is_one_line = fixed.empty() || fixed.find('\n') >= fixed.size() - 1;
    RR_CHECK(!is_one_line || rr::fix_text(fixed, keep_entities) == fixed,
             "a line that was fixed must stay as it is");
    line_by_line += fixed;
    rest.remove_prefix(line.size());
  }
  RR_CHECK(rr::fix_text(text, keep_entities) == line_by_line, "lines are fixed one by one");
  return 0;
}
