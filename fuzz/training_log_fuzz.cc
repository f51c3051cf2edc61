// Any bytes as metrics.jsonl and samples.jsonl: an error, or a page.

#include "fuzz/input_folder.h"
#include "rr/base/utf8.h"
#include "rr/report/training_page.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const rr::InputFolder folder;
  folder.write("metrics.jsonl", data, size);
  folder.write("samples.jsonl", data, size);
  const auto log = rr::read_training_log(folder.path(), rr::Json::object());
  if (!log.ok()) {
    RR_CHECK(rr::is_valid_utf8(log.error().message), "messages are text");
    return 0;
  }
  RR_CHECK(log->samples.size() <= rr::kSampleSteps * rr::kSamplesOfStep, "few samples");
  RR_CHECK(rr::is_valid_utf8(rr::to_html(rr::training_page({log.value()}))), "UTF-8");
  return 0;
}
