#include "rr/bm25/internal/posting_list.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <iterator>
#include <utility>

#include "rr/base/check.h"
#include "rr/bm25/internal/little_endian.h"

namespace rr::internal {
namespace {

constexpr std::size_t kBlockEntryBytes = 8;  // last document, end of the block
constexpr std::size_t kLanes = 4;
constexpr std::size_t kLaneValues = kBlockSize / kLanes;

// Values are packed in four lanes, as four numbers are computed with at once: value 4 i + lane is
// the i-th of its lane, and the lanes' 32-bit words alternate. D. Lemire and L. Boytsov, "Decoding
// billions of integers per second through vectorization", SPE 45(1), 2015 (SIMD-BP128).
void pack_block(const std::uint32_t* values, unsigned width, std::string& bytes) {
  std::array<std::uint32_t, kBlockSize> words{};
  for (std::size_t i = 0; i < kLaneValues; ++i) {
    const std::size_t word = i * width / 32;
    const std::size_t shift = i * width % 32;
    for (std::size_t lane = 0; lane < kLanes; ++lane) {
      const std::uint64_t value = std::uint64_t{values[kLanes * i + lane]} << shift;
      words[kLanes * word + lane] |= static_cast<std::uint32_t>(value);
      if (shift + width > 32) {
        words[kLanes * (word + 1) + lane] |= static_cast<std::uint32_t>(value >> 32);
      }
    }
  }
  for (std::size_t i = 0; i < kLanes * width; ++i) put_fixed(bytes, words[i]);
}

// A word as one load, also where it is computed with three others.
std::uint32_t word_at(const std::uint8_t* bytes, std::size_t index) {
  if constexpr (std::endian::native == std::endian::little) {
    std::uint32_t word;
    std::memcpy(&word, bytes + 4 * index, sizeof word);
    return word;
  } else {
    return get_fixed<std::uint32_t>(bytes + 4 * index);
  }
}

template <unsigned kWidth>
void unpack_block(const std::uint8_t* bytes, std::uint32_t* values) {
  if constexpr (kWidth == 0) {
    std::fill_n(values, kBlockSize, 0U);
  } else {
    constexpr auto kMask = static_cast<std::uint32_t>((std::uint64_t{1} << kWidth) - 1);
    for (std::size_t i = 0; i < kLaneValues; ++i) {
      const std::size_t word = i * kWidth / 32;
      const std::size_t shift = i * kWidth % 32;
      for (std::size_t lane = 0; lane < kLanes; ++lane) {
        std::uint32_t value = word_at(bytes, kLanes * word + lane) >> shift;
        if (shift + kWidth > 32) {
          value |= word_at(bytes, kLanes * (word + 1) + lane) << ((32 - shift) % 32);
        }
        values[kLanes * i + lane] = value & kMask;
      }
    }
  }
}

using UnpackBlock = void (*)(const std::uint8_t*, std::uint32_t*);
constexpr std::array<UnpackBlock, 33> kUnpackBlock =
    []<std::size_t... kWidths>(std::index_sequence<kWidths...>) {
  return std::array<UnpackBlock, 33>{&unpack_block<kWidths>...};
}
(std::make_index_sequence<33>());

// What is left over after the full blocks: one value behind the other.
void pack_rest(std::span<const std::uint32_t> values, unsigned width, std::string& bytes) {
  std::uint64_t pending = 0;
  unsigned num_pending = 0;
  for (const std::uint32_t value : values) {
    pending |= static_cast<std::uint64_t>(value) << num_pending;
    for (num_pending += width; num_pending >= 8; num_pending -= 8, pending >>= 8) {
      bytes += static_cast<char>(pending & 0xFF);
    }
  }
  if (num_pending > 0) bytes += static_cast<char>(pending & 0xFF);
}

// Reads up to kUnpackSlack bytes behind the packed ones.
void unpack_rest(const std::uint8_t* bytes, std::size_t count, unsigned width,
                 std::uint32_t* values) {
  const std::uint64_t mask = (std::uint64_t{1} << width) - 1;
  for (std::size_t i = 0, bit = 0; i < count; ++i, bit += width) {
    values[i] =
        static_cast<std::uint32_t>(get_fixed<std::uint64_t>(bytes + bit / 8) >> (bit % 8) & mask);
  }
}

void pack(std::span<const std::uint32_t> values, unsigned width, std::string& bytes) {
  if (values.size() == kBlockSize) return pack_block(values.data(), width, bytes);
  pack_rest(values, width, bytes);
}

void unpack(const std::uint8_t* bytes, std::size_t count, unsigned width, std::uint32_t* values) {
  if (count == kBlockSize) return kUnpackBlock[width](bytes, values);
  unpack_rest(bytes, count, width, values);
}

std::size_t packed_bytes(std::size_t count, unsigned width) { return (count * width + 7) / 8; }

unsigned width_of(std::span<const std::uint32_t> values) {
  std::uint32_t all = 0;
  for (const std::uint32_t value : values) all |= value;
  return static_cast<unsigned>(std::bit_width(all));
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

void encode_blocks(std::span<const Posting> postings, std::string& bytes) {
  if (postings.size() <= kBlockSize) return encode_short(postings, bytes);
  std::string directory;
  std::string blocks;
  std::uint32_t next = 0;
  for (std::size_t i = 0; i < postings.size(); i += kBlockSize) {
    const auto block = postings.subspan(i, std::min(kBlockSize, postings.size() - i));
    encode_block(block, next, blocks);
    next = block.back().doc + 1;
    put_fixed(directory, block.back().doc);
    put_fixed(directory, static_cast<std::uint32_t>(blocks.size()));
  }
  bytes += directory;
  bytes += blocks;
}

bool is_dense(std::size_t num_postings, std::uint32_t num_docs) {
  return num_postings > kBlockSize && num_postings >= num_docs / PostingList::kDenseGap;
}

std::size_t code_bytes(std::uint32_t num_docs) {
  return (std::size_t{num_docs} + kGroupDocs - 1) / kGroupDocs * kGroupBytes;
}

void encode_codes(std::span<const Posting> postings, std::uint32_t num_docs, std::string& bytes) {
  std::string codes(code_bytes(num_docs), '\0');
  for (const Posting& posting : postings) {
    const std::uint32_t code = std::min(posting.frequency, kMostCode);
    const std::size_t doc = posting.doc;
    char& byte = codes[doc / kGroupDocs * kGroupBytes + doc % kGroupBytes];
    byte = static_cast<char>(static_cast<std::uint8_t>(byte) |
                             code << (2 * (doc % kGroupDocs / kGroupBytes)));
  }
  bytes += codes;
}

}  // namespace

void encode_postings(std::span<const Posting> postings, std::uint32_t num_docs,
                     std::string& bytes) {
  RR_CHECK(!postings.empty(), "a term stands in at least one document");
  if (!is_dense(postings.size(), num_docs)) return encode_blocks(postings, bytes);
  std::vector<Posting> listed;
  std::copy_if(postings.begin(), postings.end(), std::back_inserter(listed),
               [](const Posting& posting) { return posting.frequency > kMostCode; });
  encode_codes(postings, num_docs, bytes);
  put_fixed(bytes, static_cast<std::uint32_t>(listed.size()));
  encode_blocks(listed, bytes);
}

std::optional<PostingList> PostingList::open(std::span<const std::uint8_t> bytes,
                                             std::uint32_t num_postings, std::uint32_t num_docs) {
  if (num_postings == 0 || num_postings > num_docs) return std::nullopt;
  PostingList list;
  list.num_docs_ = num_docs;
  std::uint32_t num_listed = num_postings;
  if (is_dense(num_postings, num_docs)) {
    const std::size_t size = code_bytes(num_docs);
    if (bytes.size() < size + sizeof num_listed) return std::nullopt;
    list.codes_ = bytes.data();
    num_listed = get_fixed<std::uint32_t>(bytes.data() + size);
    bytes = bytes.subspan(size + sizeof num_listed);
  }
  const auto listed = BlockList::open(bytes, num_listed, num_docs);
  if (!listed) return std::nullopt;
  list.listed_ = *listed;
  return list;
}

bool PostingList::decode_all(std::vector<Posting>& postings) const {
  postings.clear();
  std::array<std::uint32_t, kBlockSize> docs;
  std::array<std::uint32_t, kBlockSize> frequencies;
  for (std::size_t block = 0; block < listed_.num_blocks(); ++block) {
    if (!listed_.decode(block, docs, frequencies)) return false;
    for (std::size_t i = 0; i < listed_.size_of(block); ++i) {
      postings.push_back({docs[i], frequencies[i]});
    }
  }
  if (codes_ == nullptr) return true;
  const std::vector<Posting> listed = std::exchange(postings, {});
  auto next = listed.begin();
  for (std::uint32_t doc = 0; doc < num_docs_; ++doc) {
    const std::uint32_t code = code_of(codes_, doc);
    const bool is_listed = next != listed.end() && next->doc == doc;
    if (is_listed && code != kMostCode) return false;
    if (code > 0) postings.push_back({doc, is_listed ? next->frequency : code});
    if (is_listed) ++next;
  }
  return true;
}

std::optional<BlockList> BlockList::open(std::span<const std::uint8_t> bytes,
                                         std::uint32_t num_postings, std::uint32_t num_docs) {
  if (num_postings > num_docs) return std::nullopt;
  BlockList list;
  list.bytes_ = bytes;
  list.num_postings_ = num_postings;
  list.num_docs_ = num_docs;
  if (list.num_blocks() <= 1) return list;
  const std::size_t directory_bytes = list.num_blocks() * kBlockEntryBytes;
  if (bytes.size() < directory_bytes) return std::nullopt;
  list.directory_ = bytes.first(directory_bytes);
  list.bytes_ = bytes.subspan(directory_bytes);
  return list;
}

std::uint32_t BlockList::last_doc(std::size_t block) const {
  return get_fixed<std::uint32_t>(directory_.data() + block * kBlockEntryBytes);
}

std::size_t BlockList::size_of(std::size_t block) const {
  return std::min<std::size_t>(kBlockSize, num_postings_ - block * kBlockSize);
}

bool BlockList::decode_short(std::span<std::uint32_t, kBlockSize> docs,
                             std::span<std::uint32_t, kBlockSize> frequencies) const {
  std::span<const std::uint8_t> rest = bytes_;
  std::uint64_t next = 0;
  for (std::size_t i = 0; i < num_postings_; ++i) {
    std::uint64_t gap = 0;
    std::uint64_t frequency = 0;
    if (!take_varint(rest, gap) || !take_varint(rest, frequency)) return false;
    if (gap >= num_docs_ || next + gap >= num_docs_ || frequency > 0xFFFFFFFFU) return false;
    docs[i] = static_cast<std::uint32_t>(next + gap);
    frequencies[i] = static_cast<std::uint32_t>(frequency);
    next += gap + 1;
  }
  return rest.empty();
}

bool BlockList::decode(std::size_t block, std::span<std::uint32_t, kBlockSize> docs,
                       std::span<std::uint32_t, kBlockSize> frequencies) const {
  if (num_blocks() == 1) return decode_short(docs, frequencies);
  const std::uint8_t* entry = directory_.data() + block * kBlockEntryBytes;
  const std::uint32_t begin =
      block == 0 ? 0 : get_fixed<std::uint32_t>(entry - kBlockEntryBytes + 4);
  const auto end = get_fixed<std::uint32_t>(entry + 4);
  if (end > bytes_.size() || begin > end || end - begin < 2) return false;
  const std::uint8_t* bytes = bytes_.data() + begin;
  const std::size_t count = size_of(block);
  const unsigned gap_width = bytes[0];
  const unsigned frequency_width = bytes[1];
  const std::size_t gap_bytes = packed_bytes(count, gap_width);
  if (gap_width > 32 || frequency_width > 32 ||
      end - begin != 2 + gap_bytes + packed_bytes(count, frequency_width)) {
    return false;
  }
  unpack(bytes + 2, count, gap_width, docs.data());
  unpack(bytes + 2 + gap_bytes, count, frequency_width, frequencies.data());
  std::uint64_t next = block == 0 ? 0 : std::uint64_t{last_doc(block - 1)} + 1;
  for (std::size_t i = 0; i < count; ++i) {
    next += docs[i];
    docs[i] = static_cast<std::uint32_t>(next++);
  }
  for (std::size_t i = 0; i < count; ++i) ++frequencies[i];
  return next <= num_docs_ && next == std::uint64_t{last_doc(block)} + 1;
}

}  // namespace rr::internal
