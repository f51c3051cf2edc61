// Any bytes as a corpus: an error, or passages with a docid and text in UTF-8.

#include "fuzz/input_file.h"
#include "rr/base/utf8.h"
#include "rr/ir/corpus_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const rr::InputFile file(data, size);
  auto corpus = rr::CorpusReader::open(file.path());
  RR_CHECK(corpus.ok(), "a file that is there opens");
  for (rr::Passage passage;;) {
    const auto more = corpus->next(passage);
    if (!more.ok()) {
      RR_CHECK(rr::is_valid_utf8(more.error().message), "messages are text");
      return 0;
    }
    if (!more.value()) return 0;
    RR_CHECK(!passage.docid.str().empty(), "a passage has a docid");
    RR_CHECK(rr::is_valid_utf8(passage.docid.str()) && rr::is_valid_utf8(passage.title) &&
                 rr::is_valid_utf8(passage.text),
             "UTF-8");
  }
}
