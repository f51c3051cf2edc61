// Any bytes as a suite: an error, or systems that say of every data set what their run is.

#include "fuzz/input_file.h"
#include "rr/base/utf8.h"
#include "rr/measures/suite_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const rr::InputFile file(data, size);
  const auto suite = rr::read_suite(file.path());
  if (!suite.ok()) {
    RR_CHECK(rr::is_valid_utf8(suite.error().message), "messages are text");
    return 0;
  }
  RR_CHECK(!suite->datasets.empty() && !suite->systems.empty(), "a suite has something in it");
  for (const rr::SuiteSystem& system : suite->systems) {
    RR_CHECK(system.runs.size() == suite->datasets.size(), "a run for each data set, or none");
  }
  return 0;
}
