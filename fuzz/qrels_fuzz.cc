// Any bytes as qrels: an error, or judgements that read the same after they were written in either
// layout.

#include "fuzz/input_file.h"
#include "rr/base/utf8.h"
#include "rr/ir/qrels_file.h"

namespace {

std::string written(const rr::Qrels& qrels, rr::QrelsLayout layout) {
  std::string text = layout == rr::QrelsLayout::kBeir ? rr::kBeirQrelsHeader : "";
  for (const auto& [qid, judgements] : qrels) {
    for (const auto& [docid, grade] : judgements) {
      text += rr::format_judgement({qid, docid, grade, "0"}, layout);
    }
  }
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const rr::InputFile file(data, size);
  const auto qrels = rr::read_qrels(file.path());
  if (!qrels.ok()) {
    RR_CHECK(rr::is_valid_utf8(qrels.error().message), "messages are text");
    return 0;
  }
  for (const rr::QrelsLayout layout : {rr::QrelsLayout::kTrec, rr::QrelsLayout::kBeir}) {
    const rr::InputFile copy(written(qrels.value(), layout));
    const auto again = rr::read_qrels(copy.path());
    RR_CHECK(again.ok() && again.value() == qrels.value(), "what was written reads the same");
  }
  return 0;
}
