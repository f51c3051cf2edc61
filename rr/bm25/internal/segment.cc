#include "rr/bm25/internal/segment.h"

#include <fmt/core.h>
#include <zstd.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "rr/base/file.h"
#include "rr/base/utf8.h"
#include "rr/bm25/internal/little_endian.h"
#include "rr/bm25/internal/output_file.h"

namespace rr::internal {
namespace {

namespace fs = std::filesystem;
using Bytes = std::span<const std::uint8_t>;

enum FileNumber : std::size_t { kTerms, kPostings, kDocuments, kTexts, kFrames };
constexpr std::size_t kFrameEntryBytes = 12;  // end of the frame, its first document

// No frame is larger: 16 KB and one passage that the corpus's reader let through.
constexpr std::uint64_t kMaxFrameBytes = std::uint64_t{3} << 30;

Error damaged(const std::string& what, const std::string& path) {
  return Error{Errc::kMalformed, what + "; make the index anew", path};
}

std::string_view text_of(Bytes bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Takes `count` numbers of `width` bytes off the front.
bool take_column(Bytes& rest, std::uint64_t count, std::uint64_t width, Bytes& column) {
  if (count > rest.size() / width) return false;
  column = rest.first(count * width);
  rest = rest.subspan(count * width);
  return true;
}

std::uint64_t number64(Bytes column, std::size_t i) {
  return get_fixed<std::uint64_t>(column.data() + i * 8);
}
std::uint32_t number32(Bytes column, std::size_t i) {
  return get_fixed<std::uint32_t>(column.data() + i * 4);
}

// Whether the ends never fall and the last is the size of what they divide.
bool are_ends(Bytes column, std::uint64_t size) {
  std::uint64_t before = 0;
  for (std::size_t i = 0; i < column.size() / 8; ++i) {
    const std::uint64_t end = number64(column, i);
    if (end < before) return false;
    before = end;
  }
  return before == size;
}

std::string_view piece(Bytes text, Bytes ends, std::size_t i) {
  const std::uint64_t begin = i == 0 ? 0 : number64(ends, i - 1);
  return text_of(text.subspan(begin, number64(ends, i) - begin));
}

bool take_text(Bytes& rest, std::string& text) {
  std::uint64_t size = 0;
  if (!take_varint(rest, size) || size > rest.size()) return false;
  text = text_of(rest.first(size));
  rest = rest.subspan(size);
  return true;
}

}  // namespace

Result<Segment::File> Segment::map(const char* name, bool check_sums) const {
  const fs::path path = folder_ / name;
  RR_TRY(MappedFile mapped, MappedFile::open(path));
  const auto bytes = mapped.bytes();
  const Bytes view(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  const Json& seal = header_.files[name];
  if (check_sums && seal["bytes"] != view.size()) {
    return damaged(fmt::format("the index is damaged: expected {} bytes, found {}",
                               seal["bytes"].get<std::uint64_t>(), view.size()),
                   path.string());
  }
  // The texts may be many times larger than all else, and zstd checks what is read of them.
  const bool reads_all = check_sums && std::string_view(name) != kTextsFile;
  if (reads_all && seal["crc32"] != crc32_of(text_of(view))) {
    return damaged("the index is damaged: the file's checksum differs", path.string());
  }
  return File{path.string(), std::move(mapped), view};
}

Result<Segment> Segment::open(const fs::path& index, const SegmentHeader& header, bool check_sums) {
  Segment segment(index / header.name, header);
  for (const char* name : kSegmentFiles) {
    RR_TRY(File file, segment.map(name, check_sums));
    segment.files_.push_back(std::move(file));
  }
  RR_TRY_STATUS(segment.read_terms());
  RR_TRY_STATUS(segment.read_documents());
  RR_TRY_STATUS(segment.read_frames());
  return segment;
}

Status Segment::read_terms() {
  const std::uint64_t count = header_.statistics.num_terms;
  const std::size_t postings_size = files_[kPostings].bytes.size();
  term_text_ = files_[kTerms].bytes;
  if (!take_column(term_text_, count, 8, term_ends_) ||
      !take_column(term_text_, count, 8, posting_ends_) ||
      !take_column(term_text_, count, 4, posting_counts_) ||
      !are_ends(term_ends_, term_text_.size()) || postings_size < kUnpackSlack ||
      !are_ends(posting_ends_, postings_size - kUnpackSlack)) {
    return damaged("the table of terms is damaged", files_[kTerms].path);
  }
  return ok_status();
}

Status Segment::read_documents() {
  const std::uint64_t count = header_.statistics.num_documents;
  docid_text_ = files_[kDocuments].bytes;
  const Error error = damaged("the table of documents is damaged", files_[kDocuments].path);
  if (!take_column(docid_text_, count, 1, lengths_) ||
      !take_column(docid_text_, count, 4, docid_order_) ||
      !take_column(docid_text_, count, 8, docid_ends_) ||
      !are_ends(docid_ends_, docid_text_.size())) {
    return error;
  }
  constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();
  docid_ranks_.assign(count, kNone);
  for (std::uint32_t rank = 0; rank < count; ++rank) {
    const std::uint32_t doc = number32(docid_order_, rank);
    if (doc >= count || docid_ranks_[doc] != kNone) return error;
    docid_ranks_[doc] = rank;
  }
  return ok_status();
}

Status Segment::read_frames() {
  frames_ = files_[kFrames].bytes;
  const Error error = damaged("the directory of texts is damaged", files_[kFrames].path);
  if (frames_.size() / kFrameEntryBytes != header_.num_frames ||
      frames_.size() % kFrameEntryBytes != 0 || frames_.empty()) {
    return error;
  }
  std::uint64_t before = 0;
  std::uint64_t next_doc = 0;
  for (std::size_t at = 0; at < frames_.size(); at += kFrameEntryBytes) {
    const auto end = get_fixed<std::uint64_t>(&frames_[at]);
    const auto first_doc = get_fixed<std::uint32_t>(&frames_[at + 8]);
    if (end < before || first_doc < next_doc || (at == 0 && first_doc != 0)) return error;
    before = end;
    next_doc = std::uint64_t{first_doc} + 1;
  }
  if (before != files_[kTexts].bytes.size() || next_doc > header_.statistics.num_documents) {
    return error;
  }
  return ok_status();
}

std::string_view Segment::docid(std::uint32_t doc) const {
  return piece(docid_text_, docid_ends_, doc);
}

std::optional<std::uint32_t> Segment::find(std::string_view docid) const {
  std::size_t low = 0;
  std::size_t high = docid_ranks_.size();
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    const std::uint32_t doc = number32(docid_order_, middle);
    const int order = this->docid(doc).compare(docid);
    if (order == 0) return doc;
    (order < 0 ? low : high) = order < 0 ? middle + 1 : middle;
  }
  return std::nullopt;
}

std::string_view Segment::term(std::uint32_t number) const {
  return piece(term_text_, term_ends_, number);
}

std::optional<Segment::Term> Segment::find_term(std::string_view term) const {
  std::uint32_t low = 0;
  auto high = static_cast<std::uint32_t>(header_.statistics.num_terms);
  while (low < high) {
    const std::uint32_t middle = low + (high - low) / 2;
    const int order = this->term(middle).compare(term);
    if (order == 0) return Term{middle, number32(posting_counts_, middle)};
    (order < 0 ? low : high) = order < 0 ? middle + 1 : middle;
  }
  return std::nullopt;
}

Error Segment::damaged_postings() const {
  return damaged("a list of postings is damaged", files_[kPostings].path);
}

Result<PostingList> Segment::postings_of(Term term) const {
  const std::uint64_t begin = term.number == 0 ? 0 : number64(posting_ends_, term.number - 1);
  const std::uint64_t end = number64(posting_ends_, term.number);
  auto list = PostingList::open(files_[kPostings].bytes.subspan(begin, end - begin),
                                term.num_documents, static_cast<std::uint32_t>(lengths_.size()));
  if (!list) return damaged_postings();
  return std::move(*list);
}

Result<std::string> Segment::decompress_frame(std::size_t frame) const {
  const Error error = damaged("a stored text is damaged", files_[kTexts].path);
  const auto end_of = [this](std::size_t i) {
    return get_fixed<std::uint64_t>(&frames_[i * kFrameEntryBytes]);
  };
  const std::uint64_t begin = frame == 0 ? 0 : end_of(frame - 1);
  const Bytes compressed = files_[kTexts].bytes.subspan(begin, end_of(frame) - begin);
  const unsigned long long size = ZSTD_getFrameContentSize(compressed.data(), compressed.size());
  // zstd packs no more than some 50,000 to one: what claims more would only take memory.
  if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN || size > kMaxFrameBytes ||
      size / 65536 > compressed.size()) {
    return error;
  }
  std::string raw(size, '\0');
  const std::size_t result =
      ZSTD_decompress(raw.data(), raw.size(), compressed.data(), compressed.size());
  if (ZSTD_isError(result) != 0 || result != size) return error;
  return raw;
}

std::uint32_t Segment::first_doc_of(std::size_t frame) const {
  return get_fixed<std::uint32_t>(&frames_[frame * kFrameEntryBytes + 8]);
}

Result<std::vector<Passage>> Segment::passages_of_frame(std::size_t frame) const {
  RR_TRY(const std::string raw, decompress_frame(frame));
  Bytes rest(reinterpret_cast<const std::uint8_t*>(raw.data()), raw.size());
  const std::uint32_t end = frame + 1 < num_frames()
                                ? first_doc_of(frame + 1)
                                : static_cast<std::uint32_t>(header_.statistics.num_documents);
  std::vector<Passage> passages;
  for (std::uint32_t doc = first_doc_of(frame); doc < end; ++doc) {
    Passage passage{Docid(std::string(docid(doc))), "", ""};
    if (!take_text(rest, passage.title) || !take_text(rest, passage.text)) {
      return damaged("a stored text is damaged", files_[kTexts].path);
    }
    passages.push_back(std::move(passage));
  }
  return passages;
}

Result<Passage> Segment::passage(std::uint32_t doc) const {
  std::size_t low = 0;  // the last frame whose first document is not behind `doc`
  for (std::size_t high = num_frames(); high - low > 1;) {
    const std::size_t middle = (low + high) / 2;
    (first_doc_of(middle) <= doc ? low : high) = middle;
  }
  RR_TRY(std::vector<Passage> passages, passages_of_frame(low));
  return std::move(passages[doc - first_doc_of(low)]);
}

}  // namespace rr::internal
