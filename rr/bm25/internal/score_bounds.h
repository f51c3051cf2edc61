#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace rr::internal {

// What a term gives a document, as a share of its weight, which no document reaches: in 255ths,
// rounded up. It depends on the frequency and the document's length alone.
class ShareTable {
 public:
  // inverse_norms: [256], by length code, as in Retrieval::run().
  explicit ShareTable(std::span<const float> inverse_norms);

  // At least 1 where frequency >= 1, at most 255; monotonic in the frequency.
  std::uint8_t share(std::uint32_t frequency, std::uint8_t length) const {
    return shares_[std::min(frequency, kMostFrequency)][length];
  }

 private:
  static constexpr std::uint32_t kMostFrequency = 16;  // stands for any higher one as well
  std::array<std::array<std::uint8_t, 256>, kMostFrequency + 1> shares_;
};

// The shares of frequencies 1, 2 and 3 for each document of a segment, filled up with zeros to
// whole groups (posting_list.h).
class ShareRows {
 public:
  ShareRows(const ShareTable& table, std::span<const std::uint8_t> lengths);

  // From document `doc` on. Requires 1 <= frequency <= 3.
  const std::uint8_t* row(std::uint32_t frequency, std::size_t doc) const {
    return rows_[frequency - 1].data() + doc;
  }

 private:
  std::array<std::vector<std::uint8_t>, 3> rows_;
};

}  // namespace rr::internal
