// Any bytes as a run: an error, or a run that reads the same after it was written.

#include "fuzz/input_file.h"
#include "rr/base/utf8.h"
#include "rr/ir/run_file.h"

namespace {

std::string written(const rr::Run& run) {
  std::string text;
  for (const rr::Ranking& ranking : run.rankings) text += rr::format_ranking(ranking, "tag");
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const rr::InputFile file(data, size);
  rr::read_run(file.path(), rr::BlankDocids::kDrop).ok();
  const auto read = rr::read_run(file.path());
  if (!read.ok()) {
    RR_CHECK(rr::is_valid_utf8(read.error().message), "messages are text");
    return 0;
  }
  const std::string text = written(read->run);
  const rr::InputFile copy(text);
  const auto again = rr::read_run(copy.path());
  RR_CHECK(again.ok(), "what was written can be read");
  RR_CHECK(written(again->run) == text, "what was written reads the same");
  return 0;
}
