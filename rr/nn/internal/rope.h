#pragma once

#include <cstddef>

namespace rr::internal {

// Rotary position embedding of one head in the half-split layout (Su et al., arXiv 2104.09864, as
// Hugging Face lays it out): pair i is (head[i], head[half + i]), turned by the angle of pair i.
//
// head: [2 * half], in place. cosines, sines: [half], of this position (with YaRN's attention
// factor worked in).
static inline void rotate_head(float* head, const float* cosines, const float* sines,
                               std::size_t half) {
  float* const first = head;
  float* const second = head + half;
  for (std::size_t i = 0; i < half; ++i) {
    const float a = first[i];
    const float b = second[i];
    first[i] = a * cosines[i] - b * sines[i];
    second[i] = b * cosines[i] + a * sines[i];
  }
}

}  // namespace rr::internal
