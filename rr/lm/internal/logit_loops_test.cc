#include "rr/lm/internal/logit_loops.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "rr/base/cpu.h"
#include "rr/base/random.h"

namespace rr::internal {
namespace {

std::vector<const LogitLoops*> usable_loops() {
  std::vector<const LogitLoops*> loops = {&baseline_logit_loops()};
#if defined(__x86_64__)
  if (cpu_features().has_avx2) loops.push_back(&avx2_logit_loops());
  if (cpu_features().has_avx512) loops.push_back(&avx512_logit_loops());
#endif
  return loops;
}

std::vector<float> some_logits(std::size_t size) {
  RandomStream random(3, size);
  std::vector<float> logits(size);
  for (float& logit : logits) logit = static_cast<float>(random.uniform() * 40 - 20);
  if (size > 2) logits[size / 2] = -std::numeric_limits<float>::infinity();
  return logits;
}

TEST(LogitLoops, GiveWhatALoopInDoubleGives) {
  for (const std::size_t size : std::vector<std::size_t>{1, 15, 16, 17, 255, 256, 257, 1000}) {
    const std::vector<float> logits = some_logits(size);
    const float top = baseline_logit_loops().largest(logits.data(), size);
    EXPECT_EQ(top, *std::max_element(logits.begin(), logits.end()));
    for (const float least : {0.0f, 0.01f}) {
      std::vector<float> sums((size + kLogitBlock - 1) / kLogitBlock);
      baseline_logit_loops().sum_weights(logits.data(), size, top, 0.5f, least, sums.data());
      for (std::size_t block = 0; block < sums.size(); ++block) {
        double expected = 0;
        for (std::size_t i = block * kLogitBlock; i < std::min(size, (block + 1) * kLogitBlock);
             ++i) {
          const double weight = std::exp(static_cast<double>(logits[i] - top) / 2);
          if (weight >= static_cast<double>(least)) expected += weight;
        }
        EXPECT_NEAR(sums[block], expected, 1e-6 * expected) << size << ", block " << block;
      }
    }
  }
}

TEST(LogitLoops, GiveTheSameBitsOnEachInstructionSet) {
  for (const LogitLoops* const loops : usable_loops()) {
    SCOPED_TRACE(loops->name);
    for (const std::size_t size : std::vector<std::size_t>{1, 100, 4999}) {
      const std::vector<float> logits = some_logits(size);
      const float top = baseline_logit_loops().largest(logits.data(), size);
      EXPECT_EQ(loops->largest(logits.data(), size), top);
      std::vector<float> expected((size + kLogitBlock - 1) / kLogitBlock);
      std::vector<float> found(expected.size());
      baseline_logit_loops().sum_weights(logits.data(), size, top, 1.25f, 1e-4f, expected.data());
      loops->sum_weights(logits.data(), size, top, 1.25f, 1e-4f, found.data());
      EXPECT_EQ(found, expected);
    }
  }
}

TEST(LogitLoops, ANumberThatIsNoneComesOut) {
  for (const LogitLoops* const loops : usable_loops()) {
    SCOPED_TRACE(loops->name);
    for (const std::size_t place : std::vector<std::size_t>{0, 5, 40, 299}) {
      std::vector<float> logits(300, 1.0f);
      logits[place] = std::numeric_limits<float>::quiet_NaN();
      std::vector<float> sums(2);
      loops->sum_weights(logits.data(), logits.size(), 1, 1, 0, sums.data());
      EXPECT_TRUE(std::isnan(sums[0] + sums[1])) << place;
    }
  }
}

}  // namespace
}  // namespace rr::internal
