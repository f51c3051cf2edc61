#pragma once

#include <cstddef>
#include <filesystem>

#include "rr/base/result.h"
#include "rr/ir/qrels.h"

namespace rr {

// Reads relevance judgements, plain or gzip (docs/formats/qrels.md), in one of two layouts:
//
//   TREC  "qid iteration docid grade" a line, divided by blanks. Two columns are read from the left
//         and one from the right, so that a docid may hold blanks.
//   BEIR  the header "query-id<tab>corpus-id<tab>score", then "qid<tab>docid<tab>grade" a line.
//
// A grade is a whole number. Empty lines and lines that begin with '#' are left out, as in
// trec_eval. Refused, with the line: a malformed line (said in so many words where the file looks
// like a run), a document judged twice for a topic, an id that is not UTF-8.
// A folder stands for its qrels/test.tsv (a BEIR collection) or test.tsv.
Result<Qrels> read_qrels(const std::filesystem::path& path);

}  // namespace rr
