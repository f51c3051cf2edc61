#pragma once

#include <cstddef>
#include <filesystem>
#include <vector>

#include "rr/base/result.h"
#include "rr/ir/ranking.h"

namespace rr {

struct ReadRequests {
  std::vector<Request> requests;  // in the order of the file, no qid twice
  std::size_t repaired_utf8 = 0;  // ill-formed sequences of text, each now one U+FFFD
};

// Reads rank_llm's requests, plain or gzip: a JSON array of requests, one request, or JSONL with a
// request a line (docs/formats/requests.md). Both of its layouts are known:
//
//   {"query": {"text", "qid"}, "candidates": [{"docid", "score", "doc": {"title", "text"}}]}
//   {"query": "text",          "hits": [{"qid", "docid", "rank", "score", "content"}]}
//
// Candidates stand in the order of the list; a "rank" is not read. Where no candidate has a score,
// scores are 1 / rank. A request without any qid gets its number in the file, from 1.
// Refused, with the request's number: a missing field or one of another type, a query of nothing
// but blanks, a document twice in a topic, a topic twice, candidates with and without scores.
Result<ReadRequests> read_requests(const std::filesystem::path& path);

}  // namespace rr
