#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "rr/base/result.h"
#include "rr/ir/topic.h"

namespace rr {

// A topic to make a sample of, with what the teacher may know when it labels.
struct SourceTopic {
  Topic topic;
  std::string dataset;       // where it is from
  std::string answer;        // the gold answer or solution; empty: there is none
  std::vector<Docid> links;  // documents that the answer links to
  std::string licence;       // of its text; empty: not known
};

struct ReadSourceTopics {
  std::vector<SourceTopic> topics;  // in the order of the file, no qid twice
  std::size_t repaired_utf8 = 0;    // ill-formed sequences, each now one U+FFFD
};

// Reads topics as ir/topics_file.h does, and of JSONL records also "dataset", "answer" or
// "solution", "links" (a list of docids) and "licence" or "license". Where a record names no data
// set it is `dataset`.
Result<ReadSourceTopics> read_source_topics(const std::filesystem::path& path,
                                            const std::string& dataset);

}  // namespace rr
