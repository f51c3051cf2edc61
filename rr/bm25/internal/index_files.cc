#include "rr/bm25/internal/index_files.h"

#include <algorithm>
#include <utility>

#include "rr/base/file.h"

namespace rr::internal {
namespace {

namespace fs = std::filesystem;

// Another process may put a new index in the place of this one while it is opened.
constexpr int kMostTries = 5;

struct OpenSegments {
  std::vector<Segment> segments;
  std::vector<std::uint32_t> first_docs;
};

Result<OpenSegments> open_segments(const fs::path& folder, const Header& header, bool check_sums) {
  OpenSegments opened;
  std::uint32_t next_doc = 0;
  for (const SegmentHeader& one : header.segments) {
    RR_TRY(Segment segment, Segment::open(folder, one, check_sums));
    opened.segments.push_back(std::move(segment));
    opened.first_docs.push_back(next_doc);
    next_doc += static_cast<std::uint32_t>(one.statistics.num_documents);
  }
  return opened;
}

}  // namespace

Result<IndexFiles> IndexFiles::open(const fs::path& folder, bool check_sums) {
  std::error_code error;
  const fs::path header_path = folder / kHeaderFile;
  if (!fs::is_directory(folder, error) || !fs::exists(header_path, error)) {
    return Error{Errc::kNotFound,
                 "expected the folder of an index, as `reasonrank index` makes it, found none",
                 folder.string()};
  }
  IndexFiles files;
  RR_TRY(std::string line, read_file(header_path));
  for (int tries = 1;; ++tries) {
    RR_TRY(files.header_, parse_header(line, header_path.string()));
    auto opened = open_segments(folder, files.header_, check_sums);
    if (opened.ok()) {
      files.segments_ = std::move(opened->segments);
      files.first_docs_ = std::move(opened->first_docs);
      return files;
    }
    const auto again = read_file(header_path);
    const bool was_replaced = again.ok() && again.value() != line;
    if (!was_replaced || tries == kMostTries) return std::move(opened).error();
    line = again.value();
  }
}

IndexFiles::Place IndexFiles::place_of(std::uint32_t doc) const {
  const auto behind = std::upper_bound(first_docs_.begin(), first_docs_.end(), doc);
  const auto segment = static_cast<std::size_t>(behind - first_docs_.begin()) - 1;
  return {segment, doc - first_docs_[segment]};
}

std::string_view IndexFiles::docid(std::uint32_t doc) const {
  const Place place = place_of(doc);
  return segments_[place.segment].docid(place.doc);
}

Result<Passage> IndexFiles::passage(std::uint32_t doc) const {
  const Place place = place_of(doc);
  return segments_[place.segment].passage(place.doc);
}

std::optional<std::uint32_t> IndexFiles::find(std::string_view docid) const {
  for (std::size_t i = 0; i < segments_.size(); ++i) {
    if (const auto doc = segments_[i].find(docid)) return first_docs_[i] + *doc;
  }
  return std::nullopt;
}

bool IndexFiles::has_term(std::string_view term) const {
  return std::any_of(segments_.begin(), segments_.end(), [term](const Segment& segment) {
    return segment.find_term(term).has_value();
  });
}

bool IndexFiles::comes_first(std::uint32_t doc, std::uint32_t other) const {
  if (segments_.size() == 1) {
    const auto ranks = segments_.front().docid_ranks();
    return ranks[doc] < ranks[other];
  }
  const Place a = place_of(doc);
  const Place b = place_of(other);
  if (a.segment != b.segment) {
    return segments_[a.segment].docid(a.doc) < segments_[b.segment].docid(b.doc);
  }
  const auto ranks = segments_[a.segment].docid_ranks();
  return ranks[a.doc] < ranks[b.doc];
}

}  // namespace rr::internal
