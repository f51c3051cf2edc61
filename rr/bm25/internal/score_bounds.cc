#include "rr/bm25/internal/score_bounds.h"

#include <cmath>

#include "rr/bm25/internal/posting_list.h"

namespace rr::internal {
namespace {

// Far more than the 32-bit floats of a score can be off, and far less than a 255th.
constexpr double kRoundingMargin = 0.01;

std::uint8_t share_of(double frequency, double inverse_norm) {
  const double share = 1 - 1 / (1 + frequency * inverse_norm);
  if (!(share < 1)) return 255;  // k1 of 0, or an index without words
  return static_cast<std::uint8_t>(
      std::clamp(std::ceil(255 * share + kRoundingMargin), 1.0, 255.0));
}

}  // namespace

ShareTable::ShareTable(std::span<const float> inverse_norms) {
  shares_.front().fill(0);
  shares_.back().fill(255);
  for (std::uint32_t frequency = 1; frequency < kMostFrequency; ++frequency) {
    for (std::size_t length = 0; length < 256; ++length) {
      shares_[frequency][length] = share_of(frequency, static_cast<double>(inverse_norms[length]));
    }
  }
}

ShareRows::ShareRows(const ShareTable& table, std::span<const std::uint8_t> lengths) {
  const std::size_t padded = (lengths.size() + kGroupDocs - 1) / kGroupDocs * kGroupDocs;
  for (std::uint32_t frequency = 1; frequency <= kMostCode; ++frequency) {
    std::vector<std::uint8_t>& row = rows_[frequency - 1];
    row.resize(padded);
    std::transform(lengths.begin(), lengths.end(), row.begin(),
                   [&](std::uint8_t length) { return table.share(frequency, length); });
  }
}

}  // namespace rr::internal
