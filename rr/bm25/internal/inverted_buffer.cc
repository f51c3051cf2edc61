#include "rr/bm25/internal/inverted_buffer.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <numeric>

#include "rr/bm25/internal/little_endian.h"
#include "rr/bm25/internal/output_file.h"

namespace rr::internal {

void InvertedBuffer::add(std::uint32_t doc, std::span<const std::uint32_t> terms) {
  for (const std::uint32_t term : terms) {
    if (term >= last_.size()) last_.resize(std::size_t{term} + 1);
    Last& last = last_[term];
    if (last.doc == doc) {
      ++postings_[last.place].posting.frequency;
    } else {
      last = {doc, postings_.size()};
      postings_.push_back({term, {doc, 1}});
    }
  }
}

std::size_t InvertedBuffer::memory_bytes() const {
  return postings_.capacity() * sizeof(Entry) + postings_.size() * sizeof(Posting) +
         last_.capacity() * (sizeof(Last) + sizeof(std::size_t) + sizeof(std::uint32_t));
}

// A counting sort, which keeps the documents' order.
std::vector<Posting> InvertedBuffer::postings_by_term(std::vector<std::size_t>& ends) const {
  ends.assign(last_.size(), 0);
  for (const Entry& entry : postings_) ++ends[entry.term];
  std::exclusive_scan(ends.begin(), ends.end(), ends.begin(), std::size_t{0});
  std::vector<Posting> sorted(postings_.size());
  for (const Entry& entry : postings_) sorted[ends[entry.term]++] = entry.posting;
  return sorted;  // ends[term] is now where its postings end
}

Status InvertedBuffer::spill(const EnglishAnalyzer& analyzer, const std::filesystem::path& path) {
  std::vector<std::size_t> ends;
  const std::vector<Posting> sorted = postings_by_term(ends);
  std::vector<std::uint32_t> order(ends.size());
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin(), order.end(), [&analyzer](std::uint32_t a, std::uint32_t b) {
    return analyzer.term(a) < analyzer.term(b);
  });
  RR_TRY(OutputFile file, OutputFile::create(path));
  std::string bytes;
  for (const std::uint32_t term : order) {
    const std::size_t begin = term == 0 ? 0 : ends[term - 1];
    if (begin == ends[term]) continue;  // of a text that was not kept
    bytes.clear();
    put_varint(bytes, analyzer.term(term).size());
    bytes += analyzer.term(term);
    put_varint(bytes, ends[term] - begin);
    std::uint32_t before = 0;
    for (std::size_t i = begin; i < ends[term]; ++i) {
      put_varint(bytes, sorted[i].doc - before);
      put_varint(bytes, sorted[i].frequency);
      before = sorted[i].doc;
    }
    RR_TRY_STATUS(file.write(bytes));
  }
  *this = InvertedBuffer();
  return file.close();
}

Result<SpillReader> SpillReader::open(const std::filesystem::path& path) {
  SpillReader reader;
  reader.path_ = path;
  reader.file_.reset(std::fopen(path.c_str(), "rb"));
  if (reader.file_ == nullptr) {
    return Error{Errc::kRejected, std::string("cannot be read: ") + std::strerror(errno),
                 path.string()};
  }
  return reader;
}

Error SpillReader::damaged() const {
  return Error{Errc::kUnavailable,
               "what was written a moment ago reads back damaged; is the disk sound?",
               path_.string()};
}

bool SpillReader::read_varint(std::uint64_t& value) {
  value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    const int byte = ::getc_unlocked(file_.get());
    if (byte == EOF) return false;
    value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

Result<bool> SpillReader::next() {
  const int first = ::getc_unlocked(file_.get());
  if (first == EOF) {
    if (std::ferror(file_.get()) != 0) return damaged();
    return false;
  }
  std::ungetc(first, file_.get());
  std::uint64_t size = 0;
  if (!read_varint(size) || size > 4096) return damaged();
  term_.resize(size);
  if (std::fread(term_.data(), 1, size, file_.get()) != size) return damaged();
  return true;
}

Status SpillReader::append_postings(std::vector<Posting>& postings) {
  std::uint64_t count = 0;
  if (!read_varint(count)) return damaged();
  std::uint32_t doc = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    std::uint64_t gap = 0;
    std::uint64_t frequency = 0;
    if (!read_varint(gap) || !read_varint(frequency)) return damaged();
    doc += static_cast<std::uint32_t>(gap);
    postings.push_back({doc, static_cast<std::uint32_t>(frequency)});
  }
  return ok_status();
}

}  // namespace rr::internal
