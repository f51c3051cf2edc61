#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "rr/base/atomic_file.h"
#include "rr/base/result.h"

namespace rr {

// Conversions between the formats that the program reads (docs/formats/convert.md). Each reads
// `input` whole, appends the other format to `output` and does not commit it: a failure leaves
// nothing behind.

struct ConvertOptions {
  // Where the target has no room for something that was said, go on without it and count it; else
  // that is refused (kRejected) and names the first place.
  bool lossy = false;
};

struct Conversion {
  std::size_t records = 0;         // lines of a run or qrels, topics, passages, requests
  std::vector<std::string> notes;  // what is not as it was, with its count: "3 titles ..."
};

// A TREC run or rank_llm's requests (told by the first character that is not blank; standard input
// is taken for a run) become
//   kTrec          a TREC run; the texts of requests have no place in one, which is noted
//   kRequests      a JSON array of requests
//   kRequestsJsonl the same, a request a line
// Requests out of a run need topics and corpus, else the paths stay empty. A run keeps the order of
// its lines, which the ranks then have.
enum class RunFormat { kTrec, kRequests, kRequestsJsonl };
struct RunSources {
  std::filesystem::path topics;
  std::filesystem::path corpus;
};
Result<Conversion> convert_run(const std::filesystem::path& input, RunFormat to,
                               const RunSources& sources, AtomicFile& output);

// TREC or BEIR qrels become the other or the same, in the order of the file. BEIR has no iteration:
// one other than 0 and Q0 is a loss.
enum class QrelsFormat { kTrec, kBeir };
Result<Conversion> convert_qrels(const std::filesystem::path& input, QrelsFormat to,
                                 const ConvertOptions& options, AtomicFile& output);

// Topics in JSONL or TSV become
//   kJsonl  {"_id", "text"}, BEIR's; with "excluded_ids" where there are some
//   kTsv    qid<tab>query: excluded documents, and line ends in a query (now blanks), are a loss
enum class TopicsFormat { kJsonl, kTsv };
Result<Conversion> convert_topics(const std::filesystem::path& input, TopicsFormat to,
                                  const ConvertOptions& options, AtomicFile& output);

// A corpus, one passage at a time, becomes
//   kBeir      {"_id", "title", "text"}
//   kPyserini  {"id", "contents"}: a title goes before its text with a line end, as Anserini
//   indexes
//              BEIR; the number of titles is noted
//   kTsv       docid<tab>text: a title goes before its text with a blank; line ends in a text (now
//              blanks) are a loss
enum class CorpusFormat { kBeir, kPyserini, kTsv };
Result<Conversion> convert_corpus(const std::filesystem::path& input, CorpusFormat to,
                                  const ConvertOptions& options, AtomicFile& output);

}  // namespace rr
