#include "rr/bm25/internal/posting_list.h"

#include <algorithm>
#include <bit>

#include "rr/base/check.h"
#include "rr/bm25/internal/little_endian.h"

namespace rr::internal {
namespace {

constexpr std::size_t kBlockEntryBytes = 8;  // last document and end of the block

void pack(std::span<const std::uint32_t> values, int width, std::string& bytes) {
  std::uint64_t pending = 0;
  int num_pending = 0;
  for (const std::uint32_t value : values) {
    pending |= static_cast<std::uint64_t>(value) << num_pending;
    for (num_pending += width; num_pending >= 8; num_pending -= 8, pending >>= 8) {
      bytes += static_cast<char>(pending & 0xFF);
    }
  }
  if (num_pending > 0) bytes += static_cast<char>(pending & 0xFF);
}

// Reads up to kUnpackSlack bytes behind the packed ones.
void unpack(const std::uint8_t* bytes, std::size_t count, unsigned width, std::uint32_t* values) {
  const std::uint64_t mask = (std::uint64_t{1} << width) - 1;
  for (std::size_t i = 0, bit = 0; i < count; ++i, bit += width) {
    values[i] =
        static_cast<std::uint32_t>(get_fixed<std::uint64_t>(bytes + bit / 8) >> (bit % 8) & mask);
  }
}

std::size_t packed_bytes(std::size_t count, unsigned width) { return (count * width + 7) / 8; }

int width_of(std::span<const std::uint32_t> values) {
  std::uint32_t all = 0;
  for (const std::uint32_t value : values) all |= value;
  return static_cast<int>(std::bit_width(all));
}

// The pairs that no other beats in both; by increasing length and frequency.
template <typename LengthOf>
void competitive_impacts(std::span<const Posting> postings, const LengthOf& length_of,
                         std::vector<Impact>& impacts) {
  std::array<std::uint32_t, 256> highest{};
  for (const Posting& posting : postings) {
    std::uint32_t& frequency = highest[length_of(posting.doc)];
    frequency = std::max(frequency, posting.frequency);
  }
  std::uint32_t best = 0;
  for (std::size_t length = 0; length < highest.size(); ++length) {
    if (highest[length] <= best) continue;
    best = highest[length];
    impacts.push_back({best, static_cast<std::uint8_t>(length)});
  }
}

void encode_short(std::span<const Posting> postings, std::string& bytes) {
  std::uint32_t next = 0;
  for (const Posting& posting : postings) {
    put_varint(bytes, posting.doc - next);
    put_varint(bytes, posting.frequency);
    next = posting.doc + 1;
  }
}

void encode_block(std::span<const Posting> postings, std::uint32_t next, std::string& bytes) {
  std::array<std::uint32_t, kBlockSize> gaps;
  std::array<std::uint32_t, kBlockSize> frequencies;
  for (std::size_t i = 0; i < postings.size(); ++i) {
    gaps[i] = postings[i].doc - next;
    frequencies[i] = postings[i].frequency - 1;
    next = postings[i].doc + 1;
  }
  const auto gap_values = std::span(gaps).first(postings.size());
  const auto frequency_values = std::span(frequencies).first(postings.size());
  bytes += static_cast<char>(width_of(gap_values));
  bytes += static_cast<char>(width_of(frequency_values));
  pack(gap_values, width_of(gap_values), bytes);
  pack(frequency_values, width_of(frequency_values), bytes);
}

}  // namespace

void encode_postings(std::span<const Posting> postings, std::span<const std::uint8_t> lengths,
                     std::string& bytes) {
  RR_CHECK(!postings.empty(), "a term stands in at least one document");
  if (postings.size() <= kBlockSize) return encode_short(postings, bytes);
  std::string directory;
  std::string impact_bytes;
  std::string blocks;
  std::vector<Impact> impacts;
  std::uint32_t next = 0;
  for (std::size_t i = 0; i < postings.size(); i += kBlockSize) {
    const auto block = postings.subspan(i, std::min(kBlockSize, postings.size() - i));
    encode_block(block, next, blocks);
    next = block.back().doc + 1;
    put_fixed(directory, block.back().doc);
    put_fixed(directory, static_cast<std::uint32_t>(blocks.size()));
    impacts.clear();
    competitive_impacts(
        block, [&](std::uint32_t doc) { return lengths[doc]; }, impacts);
    impact_bytes += static_cast<char>(impacts.size());
    for (const Impact& impact : impacts) {
      put_varint(impact_bytes, impact.frequency);
      impact_bytes += static_cast<char>(impact.length);
    }
  }
  bytes += directory;
  put_fixed(bytes, static_cast<std::uint32_t>(impact_bytes.size()));
  bytes += impact_bytes;
  bytes += blocks;
}

std::optional<PostingList> PostingList::open(std::span<const std::uint8_t> bytes,
                                             std::uint32_t num_postings, std::uint32_t num_docs,
                                             std::span<const std::uint8_t> lengths) {
  PostingList list;
  list.bytes_ = bytes;
  list.num_postings_ = num_postings;
  if (num_postings == 0 || num_postings > num_docs) return std::nullopt;
  const bool is_whole =
      list.is_short() ? list.open_short(num_docs, lengths) : list.open_long(num_docs);
  if (!is_whole) return std::nullopt;
  return list;
}

bool PostingList::open_short(std::uint32_t num_docs, std::span<const std::uint8_t> lengths) {
  std::array<std::uint32_t, kBlockSize> docs;
  std::array<std::uint32_t, kBlockSize> frequencies;
  if (!decode_short(docs, frequencies) || docs[num_postings_ - 1] >= num_docs) return false;
  blocks_.push_back({docs[num_postings_ - 1], 0, static_cast<std::uint32_t>(bytes_.size()), 0});
  // One impact that bounds them all: short lists decide little, and opening them must be cheap.
  Impact bound{0, 255};
  for (std::size_t i = 0; i < num_postings_; ++i) {
    bound.frequency = std::max(bound.frequency, frequencies[i]);
    bound.length = std::min(bound.length, lengths[docs[i]]);
  }
  impacts_.push_back(bound);
  return true;
}

bool PostingList::open_long(std::uint32_t num_docs) {
  const std::size_t num_blocks = (num_postings_ + kBlockSize - 1) / kBlockSize;
  const std::size_t impacts_at = num_blocks * kBlockEntryBytes + 4;
  if (bytes_.size() < impacts_at) return false;
  const auto impact_bytes = get_fixed<std::uint32_t>(bytes_.data() + impacts_at - 4);
  if (bytes_.size() - impacts_at < impact_bytes) return false;
  const std::size_t blocks_at = impacts_at + impact_bytes;
  blocks_.reserve(num_blocks);
  std::uint64_t next_doc = 0;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < num_blocks; ++i) {
    const std::uint8_t* entry = bytes_.data() + i * kBlockEntryBytes;
    const auto last_doc = get_fixed<std::uint32_t>(entry);
    const auto end = get_fixed<std::uint32_t>(entry + 4);
    if (last_doc < next_doc || last_doc >= num_docs || end < begin + 2 ||
        end > bytes_.size() - blocks_at) {
      return false;
    }
    blocks_.push_back({last_doc, static_cast<std::uint32_t>(blocks_at + begin),
                       static_cast<std::uint32_t>(blocks_at + end), 0});
    next_doc = std::uint64_t{last_doc} + 1;
    begin = end;
  }
  return read_impacts(bytes_.subspan(impacts_at, impact_bytes));
}

bool PostingList::read_impacts(std::span<const std::uint8_t> bytes) {
  for (PostingBlock& block : blocks_) {
    if (bytes.empty()) return false;
    block.first_impact = static_cast<std::uint32_t>(impacts_.size());
    const std::size_t count = bytes.front();
    bytes = bytes.subspan(1);
    for (std::size_t i = 0; i < count; ++i) {
      std::uint64_t frequency = 0;
      if (!take_varint(bytes, frequency) || frequency > 0xFFFFFFFFU || bytes.empty()) return false;
      impacts_.push_back({static_cast<std::uint32_t>(frequency), bytes.front()});
      bytes = bytes.subspan(1);
    }
  }
  return bytes.empty();
}

std::span<const Impact> PostingList::impacts_of(std::size_t block) const {
  const std::size_t begin = blocks_[block].first_impact;
  const std::size_t end =
      block + 1 < blocks_.size() ? blocks_[block + 1].first_impact : impacts_.size();
  return std::span(impacts_).subspan(begin, end - begin);
}

std::size_t PostingList::size_of(std::size_t block) const {
  return std::min<std::size_t>(kBlockSize, num_postings_ - block * kBlockSize);
}

bool PostingList::decode_short(std::array<std::uint32_t, kBlockSize>& docs,
                               std::array<std::uint32_t, kBlockSize>& frequencies) const {
  std::span<const std::uint8_t> rest = bytes_;
  std::uint64_t next = 0;
  for (std::size_t i = 0; i < num_postings_; ++i) {
    std::uint64_t gap = 0;
    std::uint64_t frequency = 0;
    if (!take_varint(rest, gap) || !take_varint(rest, frequency)) return false;
    if (gap > 0xFFFFFFFFU || next + gap > 0xFFFFFFFFU || frequency > 0xFFFFFFFFU) return false;
    docs[i] = static_cast<std::uint32_t>(next + gap);
    frequencies[i] = static_cast<std::uint32_t>(frequency);
    next += gap + 1;
  }
  return rest.empty();
}

bool PostingList::decode(std::size_t block, std::array<std::uint32_t, kBlockSize>& docs,
                         std::array<std::uint32_t, kBlockSize>& frequencies) const {
  if (is_short()) return decode_short(docs, frequencies);
  const PostingBlock& place = blocks_[block];
  const std::uint8_t* bytes = bytes_.data() + place.begin;
  const std::size_t count = size_of(block);
  const unsigned gap_width = bytes[0];
  const unsigned frequency_width = bytes[1];
  const std::size_t gap_bytes = packed_bytes(count, gap_width);
  if (gap_width > 32 || frequency_width > 32 ||
      place.end - place.begin != 2 + gap_bytes + packed_bytes(count, frequency_width)) {
    return false;
  }
  unpack(bytes + 2, count, gap_width, docs.data());
  unpack(bytes + 2 + gap_bytes, count, frequency_width, frequencies.data());
  std::uint64_t next = block == 0 ? 0 : std::uint64_t{blocks_[block - 1].last_doc} + 1;
  for (std::size_t i = 0; i < count; ++i) {
    next += docs[i];
    docs[i] = static_cast<std::uint32_t>(next++);
    ++frequencies[i];
  }
  return next == std::uint64_t{place.last_doc} + 1;
}

}  // namespace rr::internal
