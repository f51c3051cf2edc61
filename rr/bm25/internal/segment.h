#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rr/base/mapped_file.h"
#include "rr/base/result.h"
#include "rr/bm25/index_statistics.h"
#include "rr/bm25/internal/index_format.h"
#include "rr/bm25/internal/posting_list.h"
#include "rr/ir/passage.h"

namespace rr::internal {

// The files of a segment, checked so far that no number in them leads out of them. Documents have
// numbers, from 0 in each segment.
class Segment {
 public:
  // In the folder of the index. check_sums false: for fuzzing, which must reach what lies behind
  // the checksums.
  static Result<Segment> open(const std::filesystem::path& index, const SegmentHeader& header,
                              bool check_sums = true);

  const IndexStatistics& statistics() const { return header_.statistics; }
  std::string_view docid(std::uint32_t doc) const;
  std::optional<std::uint32_t> find(std::string_view docid) const;
  Result<Passage> passage(std::uint32_t doc) const;

  // The passages frame by frame, in the order of their documents. Requires frame < num_frames().
  std::size_t num_frames() const { return header_.num_frames; }
  Result<std::vector<Passage>> passages_of_frame(std::size_t frame) const;

  // Of all documents, as SmallFloat codes.
  std::span<const std::uint8_t> lengths() const { return lengths_; }

  // Places of the segment's documents when sorted by docid: the order of documents with equal
  // scores.
  std::span<const std::uint32_t> docid_ranks() const { return docid_ranks_; }

  // The number of documents that have the term; nullopt where none has.
  struct Term {
    std::uint32_t number;
    std::uint32_t num_documents;
  };
  std::optional<Term> find_term(std::string_view term) const;
  Result<PostingList> postings_of(Term term) const;

  // What a damaged list of postings is told as.
  Error damaged_postings() const;

 private:
  using Bytes = std::span<const std::uint8_t>;

  struct File {
    std::string path;
    MappedFile mapped;
    Bytes bytes;
  };

  Segment(std::filesystem::path folder, SegmentHeader header)
      : folder_(std::move(folder)), header_(std::move(header)) {}
  Result<File> map(const char* name, bool check_sums) const;
  Status read_terms();
  Status read_documents();
  Status read_frames();
  std::string_view term(std::uint32_t number) const;
  std::uint32_t first_doc_of(std::size_t frame) const;
  Result<std::string> decompress_frame(std::size_t frame) const;

  std::filesystem::path folder_;
  SegmentHeader header_;
  std::vector<File> files_;  // terms, postings, documents, texts, frames
  // Columns of the files.
  Bytes term_ends_, posting_ends_, posting_counts_, term_text_;
  Bytes lengths_, docid_order_, docid_ends_, docid_text_;
  Bytes frames_;
  std::vector<std::uint32_t> docid_ranks_;
};

}  // namespace rr::internal
