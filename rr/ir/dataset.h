#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "rr/base/result.h"

namespace rr {

// The files of one collection, by what they hold; each list in the order of the paths.
struct Dataset {
  std::string name;  // of the folder; of a part of BRIGHT the part's ("biology")
  std::vector<std::filesystem::path> corpora;
  std::vector<std::filesystem::path> long_corpora;  // BRIGHT's whole documents
  std::vector<std::filesystem::path> topics;
  std::vector<std::filesystem::path> qrels;
  std::vector<std::filesystem::path> runs;
  std::vector<std::filesystem::path> requests;
};

struct FoundDatasets {
  std::string layout;  // "BRIGHT", "R2MED", "BEIR" or "TREC"
  std::vector<Dataset> datasets;
  std::vector<std::filesystem::path> unread;  // data in a form that is not read (Parquet, archives)
  std::vector<std::filesystem::path> other;   // files that say nothing to us
};

// What lies in a folder, told by names alone, two folders deep (docs/datasets.md):
//
//   BRIGHT  a folder examples/; files of documents/, long_documents/, examples/, qrels*/ and runs*/
//   (and
//           the folders in it) that begin alike ("biology.jsonl", "biology-00000...") are one part
//   R2MED   corpus.jsonl with query.jsonl or test_queries.jsonl
//   BEIR    corpus.jsonl with queries.jsonl
//   TREC    any other folder with at least two of: topics, a corpus, qrels, runs, requests
//
// Refused: what is no folder (kNotFound), and a folder of none of these layouts (kMalformed).
Result<FoundDatasets> find_datasets(const std::filesystem::path& folder);

}  // namespace rr
