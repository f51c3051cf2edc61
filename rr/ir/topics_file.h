#pragma once

#include <cstddef>
#include <filesystem>
#include <vector>

#include "rr/base/result.h"
#include "rr/ir/topic.h"

namespace rr {

struct ReadTopics {
  std::vector<Topic> topics;      // in the order of the file, no qid twice
  std::size_t repaired_utf8 = 0;  // ill-formed sequences in queries, each now one U+FFFD
  std::size_t unread_fields = 0;  // of JSONL records, beside qid, query and excluded documents
};

// Reads topics, plain or gzip (docs/formats/topics-and-corpora.md). The first line that is not
// empty tells the layout:
//
//   JSONL  a record a line. The qid is "_id", "id", "qid" or "query_id", the query "query", "text"
//          or "title": whichever comes first in these lists. BRIGHT's "excluded_ids" are kept; its
//          value "N/A" stands for none. Other fields are not read.
//   TSV    "qid<tab>query" a line; the query is everything after the first tab.
//
// Empty lines are left out. Refused, with the line: a malformed line, a topic twice, a query
// without anything but blanks, an id that is not UTF-8. An empty file has no topics.
// A folder stands for its queries.jsonl (a BEIR collection), query.jsonl or test_queries.jsonl
// (R2MED).
Result<ReadTopics> read_topics(const std::filesystem::path& path);

}  // namespace rr
