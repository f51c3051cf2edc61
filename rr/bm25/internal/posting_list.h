#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace rr::internal {

// One document that has the term, and how often.
struct Posting {
  std::uint32_t doc;
  std::uint32_t frequency;  // >= 1
};

// A list is kept in blocks, each with its last document and what it can score at most
// (docs/formats/index.md).
inline constexpr std::size_t kBlockSize = 128;

// Bytes behind a list that may be read, not used, when it is unpacked.
inline constexpr std::size_t kUnpackSlack = 8;

// Appends the list to `bytes`. Requires postings with increasing documents, at least one; lengths:
// of all documents, as SmallFloat codes.
void encode_postings(std::span<const Posting> postings, std::span<const std::uint8_t> lengths,
                     std::string& bytes);

// A frequency and a length code such that no posting of the block has both a higher frequency and a
// shorter document than every pair of the block.
struct Impact {
  std::uint32_t frequency;
  std::uint8_t length;
};

struct PostingBlock {
  std::uint32_t last_doc;
  std::uint32_t begin;  // of its bytes, in the list
  std::uint32_t end;
  std::uint32_t first_impact;  // in PostingList::impacts(), up to the next block's
};

// Reads a list. Any bytes are safe: damage is found, by open() or by decode().
class PostingList {
 public:
  // nullopt: damaged. The bytes, and kUnpackSlack behind them, must outlive the list.
  static std::optional<PostingList> open(std::span<const std::uint8_t> bytes,
                                         std::uint32_t num_postings, std::uint32_t num_docs,
                                         std::span<const std::uint8_t> lengths);

  std::span<const PostingBlock> blocks() const { return blocks_; }
  std::span<const Impact> impacts_of(std::size_t block) const;
  std::size_t size_of(std::size_t block) const;

  // The block's postings into the first size_of(block) places; false: damaged.
  bool decode(std::size_t block, std::array<std::uint32_t, kBlockSize>& docs,
              std::array<std::uint32_t, kBlockSize>& frequencies) const;

 private:
  bool open_short(std::uint32_t num_docs, std::span<const std::uint8_t> lengths);
  bool open_long(std::uint32_t num_docs);
  bool read_impacts(std::span<const std::uint8_t> bytes);
  bool decode_short(std::array<std::uint32_t, kBlockSize>& docs,
                    std::array<std::uint32_t, kBlockSize>& frequencies) const;
  bool is_short() const { return num_postings_ <= kBlockSize; }

  std::span<const std::uint8_t> bytes_;
  std::uint32_t num_postings_ = 0;
  std::vector<PostingBlock> blocks_;
  std::vector<Impact> impacts_;
};

}  // namespace rr::internal
