#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "rr/base/check.h"
#include "rr/rerank/permutation.h"

// Any bytes parse to a permutation of the window, by either rule and in either format. The first
// byte is the window's size.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t window_size = data[0];
  const std::string_view reply(reinterpret_cast<const char*>(data + 1), size - 1);
  for (const auto format : {rr::AnswerFormat::kTagged, rr::AnswerFormat::kWhole}) {
    for (const auto rule : {rr::ParserRule::kDefault, rr::ParserRule::kPublished}) {
      auto order = rr::parse_permutation(reply, window_size, {format, rule}).order;
      std::sort(order.begin(), order.end());
      RR_CHECK(order.size() == window_size, "an order of the whole window");
      for (std::size_t i = 0; i < order.size(); ++i) RR_CHECK(order[i] == i, "each passage once");
    }
  }
  return 0;
}
