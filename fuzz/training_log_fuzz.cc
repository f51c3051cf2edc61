// Any bytes as metrics.jsonl and samples.jsonl: an error, or a page.

#include "rr/base/utf8.h"
#include "rr/report/training_page.h"
#include "tests/test_folder.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const rr::TestFolder folder;
  folder.write("metrics.jsonl", text);
  folder.write("samples.jsonl", text);
  const auto log = rr::read_training_log(folder, rr::Json::object());
  if (!log.ok()) {
    RR_CHECK(rr::is_valid_utf8(log.error().message), "messages are text");
    return 0;
  }
  RR_CHECK(log->samples.size() <= rr::kSampleSteps * rr::kSamplesOfStep, "few samples");
  RR_CHECK(rr::is_valid_utf8(rr::to_html(rr::training_page({log.value()}))), "UTF-8");
  return 0;
}
