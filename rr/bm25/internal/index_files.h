#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rr/base/result.h"
#include "rr/bm25/index_statistics.h"
#include "rr/bm25/internal/index_format.h"
#include "rr/bm25/internal/segment.h"
#include "rr/ir/passage.h"

namespace rr::internal {

// An index: its segments as one collection. Documents have numbers from 0 on through all segments.
// Index (bm25/index.h) is its public face.
class IndexFiles {
 public:
  // check_sums false: for fuzzing, which must reach what lies behind the checksums.
  static Result<IndexFiles> open(const std::filesystem::path& folder, bool check_sums = true);

  const Header& header() const { return header_; }
  const IndexStatistics& statistics() const { return header_.statistics; }
  std::string_view docid(std::uint32_t doc) const;
  std::optional<std::uint32_t> find(std::string_view docid) const;
  Result<Passage> passage(std::uint32_t doc) const;

  std::span<const Segment> segments() const { return segments_; }
  // The number of the segment's first document.
  std::uint32_t first_doc(std::size_t segment) const { return first_docs_[segment]; }

  bool has_term(std::string_view term) const;

  // Which of two documents with equal scores comes first: the one with the smaller docid, by bytes.
  bool comes_first(std::uint32_t doc, std::uint32_t other) const;

 private:
  // A document by its segment and its number in it.
  struct Place {
    std::size_t segment;
    std::uint32_t doc;
  };
  Place place_of(std::uint32_t doc) const;

  Header header_;
  std::vector<Segment> segments_;
  std::vector<std::uint32_t> first_docs_;
};

}  // namespace rr::internal
