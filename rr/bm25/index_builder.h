#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "rr/base/result.h"
#include "rr/bm25/index_statistics.h"

namespace rr {

struct IndexOptions {
  // Postings are kept in about so much memory, then spilled to files beside the index and merged at
  // the end. On top come some 40 bytes a document, the different terms and 64 MB.
  std::uint64_t memory_bytes = std::uint64_t{1} << 30;
  std::size_t num_threads = 2;  // >= 1; one more reads. The index does not depend on it.
};

struct IndexReport {
  IndexStatistics statistics;         // of the whole index
  std::uint64_t num_added = 0;        // passages that came in
  std::size_t num_segments = 1;       // that the index has now
  std::uint64_t index_bytes = 0;      // of all its files
  std::size_t num_spills = 0;         // files of postings that were merged
  std::size_t repaired_utf8 = 0;      // ill-formed sequences in the corpus, each now one U+FFFD
  std::vector<std::string> left_out;  // files of a folder that gave no passages
};

// Makes an index (docs/formats/index.md) of a corpus (ir/corpus_file.h) in the folder `target`,
// from title and text of each passage as one text.
//
// The folder appears whole or not at all: a build that fails or is killed leaves an index that
// stood there as it was, and the next build starts from the beginning. Fails, beside what the
// corpus's reader refuses: no passages, a docid twice, another process building the same index, a
// full disk, a target that is something else than an index.
// `progress`, where given, is told the number of passages done so far.
Result<IndexReport> build_index(const std::filesystem::path& corpus,
                                const std::filesystem::path& target, const IndexOptions& options,
                                const std::function<void(std::uint64_t)>& progress = nullptr);

// Puts a corpus's passages behind those of an index, as a segment of their own. Every search finds
// what it would find in an index of all passages made in one go, with the same scores. In one step
// and with the same failures as build_index(); also refused: a docid that the index has already, a
// target that is no index. Takes the time and memory of the new passages, and reads the index once.
Result<IndexReport> add_to_index(const std::filesystem::path& corpus,
                                 const std::filesystem::path& target, const IndexOptions& options,
                                 const std::function<void(std::uint64_t)>& progress = nullptr);

// Makes one segment of all: afterwards the files are, byte for byte, those of an index of all
// passages made in one go. Takes as long as making that, but does not need the corpus.
Result<IndexReport> merge_index(const std::filesystem::path& target, const IndexOptions& options,
                                const std::function<void(std::uint64_t)>& progress = nullptr);

}  // namespace rr
