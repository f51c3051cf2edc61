#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "rr/nn/internal/bf16.h"

namespace rr::internal {

// A vector of float32 as wide as the instruction set that the including file is compiled for.
#if defined(__AVX512F__)
constexpr std::size_t kProductLanes = 16;
#elif defined(__AVX__)
constexpr std::size_t kProductLanes = 8;
#else
constexpr std::size_t kProductLanes = 4;
#endif
typedef float ProductVector __attribute__((vector_size(kProductLanes * sizeof(float))));

static inline ProductVector load_vector(const float* from) {
  ProductVector vector;
  std::memcpy(&vector, from, sizeof vector);
  return vector;
}

typedef std::uint32_t ProductWords __attribute__((vector_size(sizeof(ProductVector))));

static inline ProductVector floats_of(ProductWords bits) {
  ProductVector vector;
  std::memcpy(&vector, &bits, sizeof vector);
  return vector;
}

static inline ProductVector load_vector(const Bf16* from) {
  typedef Bf16 Halves __attribute__((vector_size(kProductLanes * sizeof(Bf16))));
  Halves halves;
  std::memcpy(&halves, from, sizeof halves);
  return floats_of(__builtin_convertvector(halves, ProductWords) << 16);
}

// The firsts of pairs, or the seconds. Pairs stand in the order of x86-64 and aarch64, the first
// one low.
template <bool kSeconds>
static inline ProductVector load_of_pairs(const Bf16* from) {
  ProductWords pairs;
  std::memcpy(&pairs, from, sizeof pairs);
  return floats_of(kSeconds ? pairs & 0xffff0000u : pairs << 16);
}

static inline void store_vector(ProductVector vector, float* to) {
  std::memcpy(to, &vector, sizeof vector);
}

static inline ProductVector fill_vector(float value) { return ProductVector{} + value; }

template <std::size_t kLanes>
struct LanesOf {
  typedef float Vector __attribute__((vector_size(kLanes * sizeof(float))));
};

// combine(combine(lane 0, lane n / 2), ...): all lanes into one, by halves. `combine` takes vectors
// and floats.
template <std::size_t kLanes = kProductLanes, typename Combine>
static inline float combine_lanes(typename LanesOf<kLanes>::Vector vector, Combine combine) {
  if constexpr (kLanes == 2) {
    return combine(vector[0], vector[1]);
  } else {
    typename LanesOf<kLanes / 2>::Vector halves[2];
    std::memcpy(halves, &vector, sizeof halves);
    return combine_lanes<kLanes / 2>(combine(halves[0], halves[1]), combine);
  }
}

static inline float largest_lane(ProductVector vector) {
  return combine_lanes(vector, [](auto a, auto b) { return a > b ? a : b; });
}

static inline float sum_of_lanes(ProductVector vector) {
  return combine_lanes(vector, [](auto a, auto b) { return a + b; });
}

}  // namespace rr::internal
