#include "rr/bm25/internal/window_kernels.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "rr/base/cpu.h"
#include "rr/base/random.h"
#include "rr/bm25/internal/posting_list.h"

namespace rr::internal {
namespace {

struct NamedKernels {
  std::string name;
  const WindowKernels* kernels;
};

// All that this machine runs.
std::vector<NamedKernels> all_kernels() {
  std::vector<NamedKernels> all = {{"baseline", &baseline_window_kernels()}};
#if defined(__x86_64__)
  if (cpu_features().has_avx2) all.push_back({"avx2", &avx2_window_kernels()});
  if (cpu_features().has_avx512) all.push_back({"avx512", &avx512_window_kernels()});
#endif
  return all;
}

std::vector<std::uint8_t> random_bytes(RandomStream& random, std::size_t count) {
  std::vector<std::uint8_t> bytes;
  for (std::size_t i = 0; i < count; ++i) {
    bytes.push_back(static_cast<std::uint8_t>(random.below(256)));
  }
  return bytes;
}

DensePair pair_of(const std::uint8_t* a, std::uint8_t weight_a, const std::uint8_t* b,
                  std::uint8_t weight_b) {
  DensePair pair{{a, b}, {}};
  for (std::size_t c = 1; c <= 3; ++c) {
    for (std::size_t i = 0; i < 64; ++i) {
      const int sum = (i % 4 == c ? weight_a : 0) + (i / 4 % 4 == c ? weight_b : 0);
      pair.weights[c - 1][i] = static_cast<std::uint8_t>(sum);
    }
  }
  return pair;
}

TEST(WindowKernels, AddWeightTimesShareOfEachCode) {
  constexpr std::uint32_t kSkipped = kGroupDocs;  // the window is not the list's first
  constexpr std::uint32_t kDocs = 3 * kGroupDocs;
  RandomStream random(7, 0);
  const std::vector<std::uint8_t> weights = {3, 130, 60, 62};  // together the 255 allowed
  std::vector<std::vector<std::uint8_t>> codes;
  for (std::size_t t = 0; t < weights.size(); ++t) codes.push_back(random_bytes(random, 4 * 64));
  std::vector<std::vector<std::uint8_t>> shares;
  for (int i = 0; i < 3; ++i) shares.push_back(random_bytes(random, kDocs));
  const std::vector<DensePair> pairs = {
      pair_of(codes[0].data(), weights[0], codes[1].data(), weights[1]),
      pair_of(codes[2].data(), weights[2], codes[3].data(), weights[3])};
  const std::vector<const std::uint8_t*> rows = {shares[0].data(), shares[1].data(),
                                                 shares[2].data()};
  for (const auto& [name, kernels] : all_kernels()) {
    std::vector<std::uint16_t> sums(kDocs, 40000);
    kernels->add_dense(pairs.data(), pairs.size(), kSkipped / 4, rows.data(), kDocs, sums.data());
    for (std::uint32_t doc = 0; doc < kDocs; ++doc) {
      std::uint32_t product = 0;
      for (std::size_t t = 0; t < weights.size(); ++t) {
        const std::uint32_t code = code_of(codes[t].data(), kSkipped + doc);
        if (code > 0) product += std::uint32_t{weights[t]} * shares[code - 1][doc];
      }
      ASSERT_EQ(sums[doc], 40000 + (product + 255) / 256) << name << ' ' << doc;
    }
  }
}

TEST(WindowKernels, CountAndFindSums) {
  RandomStream random(8, 0);
  std::vector<std::uint16_t> sums;
  for (std::size_t i = 0; i < 2 * kGroupDocs; ++i) {
    sums.push_back(static_cast<std::uint16_t>(random.below(i % 3 == 0 ? 65536 : 300)));
  }
  for (const auto& [name, kernels] : all_kernels()) {
    EXPECT_EQ(kernels->highest(sums.data(), sums.size()),
              *std::max_element(sums.begin(), sums.end()))
        << name;
    for (const std::uint16_t low : {std::uint16_t{1}, std::uint16_t{250}, std::uint16_t{40000}}) {
      std::vector<std::uint32_t> expected;
      std::size_t reaching = 0;
      const auto high = static_cast<std::uint16_t>(low + 20000);
      for (std::uint32_t i = 0; i < sums.size(); ++i) {
        reaching += sums[i] >= low ? 1 : 0;
        if (sums[i] >= low && sums[i] <= high) expected.push_back(i);
      }
      std::vector<std::uint32_t> places(sums.size() + 1);
      places.resize(kernels->places_between(sums.data(), sums.size(), low, high, places.data()));
      EXPECT_EQ(places, expected) << name << ' ' << low;
      EXPECT_EQ(kernels->count_at_least(sums.data(), sums.size(), low), reaching) << name;
    }
  }
}

}  // namespace
}  // namespace rr::internal
