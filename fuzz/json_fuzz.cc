// Any bytes as JSON: an error or a value that comes out the same when written and read again.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "rr/base/check.h"
#include "rr/base/json.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto value = rr::parse_json(text, "input");
  if (!value.ok()) return 0;
  const std::string line = rr::to_json_line(value.value());
  const auto again = rr::parse_json(line, "input");
  RR_CHECK(again.ok() && again.value() == value.value(), "what was written must read the same");
  return 0;
}
