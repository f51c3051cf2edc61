// Any bytes as topics: an error, or topics with a qid and a query in UTF-8.

#include "fuzz/input_file.h"
#include "rr/base/utf8.h"
#include "rr/ir/topics_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const rr::InputFile file(data, size);
  const auto read = rr::read_topics(file.path());
  if (!read.ok()) {
    RR_CHECK(rr::is_valid_utf8(read.error().message), "messages are text");
    return 0;
  }
  for (const rr::Topic& topic : read->topics) {
    RR_CHECK(!topic.qid.str().empty() && !topic.query.empty(), "a topic has a qid and a query");
    RR_CHECK(rr::is_valid_utf8(topic.qid.str()) && rr::is_valid_utf8(topic.query), "UTF-8");
  }
  return 0;
}
