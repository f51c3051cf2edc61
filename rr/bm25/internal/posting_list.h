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

// Reads a list in place: a view, cheap to make. Any bytes are safe: damage is found by decode() and
// impacts_of(), and what last_doc() gives of a damaged list is any number.
class PostingList {
 public:
  // nullopt: damaged. The bytes, and kUnpackSlack behind them, must outlive the list.
  static std::optional<PostingList> open(std::span<const std::uint8_t> bytes,
                                         std::uint32_t num_postings, std::uint32_t num_docs);

  std::size_t num_blocks() const { return (num_postings_ + kBlockSize - 1) / kBlockSize; }
  std::size_t size_of(std::size_t block) const;

  // A list of one block has no directory: it is decoded to know these. Requires num_blocks() > 1.
  std::uint32_t last_doc(std::size_t block) const;
  // False: damaged.
  bool impacts_of(std::size_t block, std::vector<Impact>& impacts) const;

  // The block's postings into the first size_of(block) places, documents increasing and below
  // num_docs; false: damaged.
  bool decode(std::size_t block, std::span<std::uint32_t, kBlockSize> docs,
              std::span<std::uint32_t, kBlockSize> frequencies) const;

 private:
  bool open_long();
  bool decode_short(std::span<std::uint32_t, kBlockSize> docs,
                    std::span<std::uint32_t, kBlockSize> frequencies) const;

  std::span<const std::uint8_t> bytes_;  // of a longer list: of its blocks
  std::span<const std::uint8_t> directory_;
  std::span<const std::uint8_t> impacts_;
  std::uint32_t num_postings_ = 0;
  std::uint32_t num_docs_ = 0;
};

}  // namespace rr::internal
