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

inline constexpr std::size_t kBlockSize = 128;  // postings that are packed together

// Bytes behind a list that may be read, not used, when it is unpacked.
inline constexpr std::size_t kUnpackSlack = 8;

// Postings in blocks that can each be unpacked alone. A view, cheap to make. Any bytes are safe:
// damage is found by decode(), and what last_doc() gives of damaged ones is any number.
class BlockList {
 public:
  BlockList() = default;

  // nullopt: damaged. The bytes, and kUnpackSlack behind them, must outlive the list.
  static std::optional<BlockList> open(std::span<const std::uint8_t> bytes,
                                       std::uint32_t num_postings, std::uint32_t num_docs);

  std::size_t num_blocks() const { return (num_postings_ + kBlockSize - 1) / kBlockSize; }
  std::size_t size_of(std::size_t block) const;

  // Known before the block is decoded where there are several. Requires num_blocks() > 1.
  std::uint32_t last_doc(std::size_t block) const;

  // The block's postings into the first size_of(block) places, documents increasing and below
  // num_docs; false: damaged.
  bool decode(std::size_t block, std::span<std::uint32_t, kBlockSize> docs,
              std::span<std::uint32_t, kBlockSize> frequencies) const;

 private:
  bool decode_short(std::span<std::uint32_t, kBlockSize> docs,
                    std::span<std::uint32_t, kBlockSize> frequencies) const;

  std::span<const std::uint8_t> bytes_;  // of the blocks alone
  std::span<const std::uint8_t> directory_;
  std::uint32_t num_postings_ = 0;
  std::uint32_t num_docs_ = 0;
};

// Codes of two bits for all documents: how often they have a term, 3 standing for three times and
// more. They lie in groups: byte i of a group holds documents i, i + 64, i + 128 and i + 192 of it,
// low bits first, so that many are looked at together.
inline constexpr std::size_t kGroupBytes = 64;
inline constexpr std::size_t kGroupDocs = 4 * kGroupBytes;
inline constexpr std::uint32_t kMostCode = 3;

inline std::uint32_t code_of(const std::uint8_t* codes, std::uint32_t doc) {
  const std::uint8_t byte = codes[doc / kGroupDocs * kGroupBytes + doc % kGroupBytes];
  return byte >> (2 * (doc % kGroupDocs / kGroupBytes)) & 3U;
}

// The documents of a term. Where one document in kDenseGap or more has it, the list is dense: it
// has codes for all, and lists those alone that have the term more than kMostCode times. A view,
// cheap to make; any bytes are safe.
class PostingList {
 public:
  static constexpr std::uint32_t kDenseGap = 64;

  // nullopt: damaged. The bytes, and kUnpackSlack behind them, must outlive the list.
  static std::optional<PostingList> open(std::span<const std::uint8_t> bytes,
                                         std::uint32_t num_postings, std::uint32_t num_docs);

  // Null: the list is not dense. Else of whole groups, 0 behind the last document.
  const std::uint8_t* codes() const { return codes_; }
  const BlockList& listed() const { return listed_; }

  // All of them, by document. False: damaged.
  bool decode_all(std::vector<Posting>& postings) const;

 private:
  const std::uint8_t* codes_ = nullptr;
  BlockList listed_;
  std::uint32_t num_docs_ = 0;
};

// Appends the list to `bytes` (docs/formats/index.md). Requires postings with increasing documents
// below num_docs, at least one.
void encode_postings(std::span<const Posting> postings, std::uint32_t num_docs, std::string& bytes);

}  // namespace rr::internal
