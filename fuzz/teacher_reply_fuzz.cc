#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "rr/base/check.h"
#include "rr/base/utf8.h"
#include "rr/synth/teacher_reply.h"
#include "rr/synth/text_fingerprint.h"

// Whatever a teacher writes: selections name passages of the list once, orders are permutations,
// and the words of any text are UTF-8 that has the same words. The first byte is the list's size.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t num_passages = data[0];
  const std::string_view reply(reinterpret_cast<const char*>(data + 1), size - 1);

  const rr::ParsedSelection selection = rr::parse_selection(reply, num_passages);
  auto picked = selection.picked;
  std::sort(picked.begin(), picked.end());
  RR_CHECK(std::adjacent_find(picked.begin(), picked.end()) == picked.end(), "each passage once");
  RR_CHECK(picked.empty() || picked.back() < num_passages, "passages of the list");
  RR_CHECK(picked.empty() == (selection.kind != rr::ParsedSelection::Kind::kPicked),
           "picked where it says so");

  auto order = rr::parse_teacher_ranking(reply, num_passages).order.order;
  std::sort(order.begin(), order.end());
  RR_CHECK(order.size() == num_passages, "an order of the whole list");
  for (std::size_t i = 0; i < order.size(); ++i) RR_CHECK(order[i] == i, "each passage once");

  const std::string words = rr::words_of(reply);
  RR_CHECK(rr::is_valid_utf8(words), "words are UTF-8");
  RR_CHECK(rr::words_of(words) == words, "words have the same words");
  if (!words.empty()) {
    RR_CHECK(rr::similarity(rr::min_hash(words), rr::min_hash(words)) == 1,
             "a text is like itself");
  }
  return 0;
}
