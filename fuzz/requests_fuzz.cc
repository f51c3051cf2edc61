// Any bytes as rank_llm's requests: an error, or requests whose candidates have scores.

#include "fuzz/input_file.h"
#include "rr/base/utf8.h"
#include "rr/ir/requests_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const rr::InputFile file(data, size);
  const auto read = rr::read_requests(file.path());
  if (!read.ok()) {
    RR_CHECK(rr::is_valid_utf8(read.error().message), "messages are text");
    return 0;
  }
  for (const rr::Request& request : read->requests) {
    RR_CHECK(request.candidates.size() == request.scores.size(), "every candidate has a score");
    RR_CHECK(rr::is_valid_utf8(request.topic.query), "UTF-8");
  }
  return 0;
}
