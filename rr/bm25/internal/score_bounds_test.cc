#include "rr/bm25/internal/score_bounds.h"

#include <gtest/gtest.h>

#include "rr/bm25/internal/posting_list.h"
#include "rr/bm25/internal/small_float.h"

namespace rr::internal {
namespace {

std::vector<float> inverse_norms(float k1, float b) {
  std::vector<float> norms;
  for (int code = 0; code < 256; ++code) {
    const auto length = static_cast<float>(byte_to_length(static_cast<std::uint8_t>(code)));
    norms.push_back(1.0F / (k1 * ((1 - b) + b * length / 50.0F)));
  }
  return norms;
}

TEST(ShareTable, IsNeverBelowWhatATermGives) {
  for (const float k1 : {0.0F, 0.9F, 1.2F, 1000.0F}) {
    for (const float b : {0.0F, 0.4F, 1.0F}) {
      const std::vector<float> norms = inverse_norms(k1, b);
      const ShareTable table(norms);
      for (std::size_t code = 0; code < 256; ++code) {
        const auto length = static_cast<std::uint8_t>(code);
        for (const std::uint32_t frequency : {1U, 2U, 3U, 4U, 15U, 16U, 17U, 1000U, 2000000000U}) {
          const float weight = 7.3F;
          const float score =
              weight - weight / (1.0F + static_cast<float>(frequency) * norms[code]);
          ASSERT_GE(table.share(frequency, length) * weight, 255 * score)
              << k1 << ' ' << b << ' ' << frequency << ' ' << code;
          ASSERT_GE(table.share(frequency, length), table.share(frequency - 1, length));
          ASSERT_GE(table.share(frequency, length), 1);
        }
      }
    }
  }
}

TEST(ShareRows, HoldTheSharesOfEachDocument) {
  const ShareTable table(inverse_norms(0.9F, 0.4F));
  std::vector<std::uint8_t> lengths;
  for (std::size_t doc = 0; doc < 300; ++doc)
    lengths.push_back(static_cast<std::uint8_t>(doc % 90));
  const ShareRows rows(table, lengths);
  for (std::uint32_t frequency = 1; frequency <= 3; ++frequency) {
    for (std::size_t doc = 0; doc < 300; ++doc) {
      ASSERT_EQ(rows.row(frequency, 0)[doc], table.share(frequency, lengths[doc]));
    }
    for (std::size_t doc = 300; doc < 2 * kGroupDocs; ++doc) {
      ASSERT_EQ(rows.row(frequency, 0)[doc], 0);
    }
  }
}

}  // namespace
}  // namespace rr::internal
