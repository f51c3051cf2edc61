#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "rr/nn/internal/half.h"
#include "rr/nn/internal/quantised_layout.h"
#include "rr/nn/internal/small_product.h"
#include "rr/nn/internal/store_outputs.h"

namespace rr::internal {

// Without integer products: bytes become floats, whose sums of products over a block are the same
// integers, for they stay below 2^24.
typedef std::int32_t IntegerVector __attribute__((vector_size(kProductLanes * 4)));

// The byte of each lane that stands `shift` bits up, as a number.
static inline ProductVector byte_of(IntegerVector lanes, int shift, int mask) {
  return __builtin_convertvector((lanes >> shift) & mask, ProductVector);
}

static inline IntegerVector load_lanes(const std::byte* from) {
  IntegerVector lanes;
  std::memcpy(&lanes, from, sizeof lanes);
  return lanes;
}

template <std::size_t kRows>
static inline void multiply_int8_lanes(const QuantisedProduct& p, std::size_t row,
                                       std::size_t strip, std::size_t first) {
  const std::size_t inputs = p.rows.inputs;
  const std::size_t blocks = inputs / kQuantBlock;
  const std::byte* const weight = p.weight + strip * int8_strip_bytes(inputs);
  const std::int8_t* const in = p.rows.values + row * inputs;
  ProductVector totals[kRows] = {};
  for (std::size_t b = 0; b < blocks; ++b) {
    ProductVector sums[kRows] = {};
    for (std::size_t k = b * kQuantBlock; k < (b + 1) * kQuantBlock; k += 4) {
      const IntegerVector lanes = load_lanes(weight + k * kStripOutputs + first * 4);
      for (std::size_t i = 0; i < 4; ++i) {
        const ProductVector weights = byte_of(lanes, static_cast<int>(8 * i), 0xff);
        for (std::size_t r = 0; r < kRows; ++r) {
          sums[r] += weights * static_cast<float>(in[r * inputs + k + i]);
        }
      }
    }
    for (std::size_t r = 0; r < kRows; ++r) {
      const std::size_t at = (row + r) * blocks + b;
      const auto zero = static_cast<float>(kInt8Zero * p.rows.sums[at]);
      totals[r] += (sums[r] - zero) * p.rows.scales[at];
    }
  }
  ProductVector scales;
  std::memcpy(&scales, weight + inputs * kStripOutputs + first * 4, sizeof scales);
  for (std::size_t r = 0; r < kRows; ++r) {
    store_outputs(totals[r] * scales, strip * kStripOutputs + first, p, row + r);
  }
}

template <std::size_t kRows>
static inline void multiply_int4_lanes(const QuantisedProduct& p, std::size_t row,
                                       std::size_t strip, std::size_t first) {
  const std::size_t inputs = p.rows.inputs;
  const std::size_t blocks = inputs / kQuantBlock;
  const std::byte* block = p.weight + strip * int4_strip_bytes(inputs);
  ProductVector totals[kRows] = {};
  for (std::size_t b = 0; b < blocks; ++b, block += kInt4BlockBytes) {
    ProductVector sums[kRows] = {};
    for (std::size_t k = 0; k < kQuantBlock; ++k) {
      const IntegerVector lanes = load_lanes(block + k / 8 * (kStripOutputs * 4) + first * 4);
      const int shift = static_cast<int>(8 * (k % 4) + int4_shift(k));
      const ProductVector weights = byte_of(lanes, shift, 0x0f);
      for (std::size_t r = 0; r < kRows; ++r) {
        const std::int8_t value = p.rows.values[(row + r) * inputs + b * kQuantBlock + k];
        sums[r] += weights * static_cast<float>(value);
      }
    }
    std::uint16_t factors[2][kProductLanes];  // d, m
    std::memcpy(factors[0], block + kInt4Quants + first * 2, sizeof factors[0]);
    std::memcpy(factors[1], block + kInt4Quants + (kStripOutputs + first) * 2, sizeof factors[1]);
    ProductVector d;
    ProductVector m;
    for (std::size_t lane = 0; lane < kProductLanes; ++lane) {
      d[lane] = half_bits_to_float(factors[0][lane]);
      m[lane] = half_bits_to_float(factors[1][lane]);
    }
    for (std::size_t r = 0; r < kRows; ++r) {
      const float scale = p.rows.scales[(row + r) * blocks + b];
      const float sum = scale * static_cast<float>(p.rows.sums[(row + r) * blocks + b]);
      totals[r] += sums[r] * d * scale;
      totals[r] += m * sum;
    }
  }
  for (std::size_t r = 0; r < kRows; ++r) {
    store_outputs(totals[r], strip * kStripOutputs + first, p, row + r);
  }
}

static inline void multiply_int8(const QuantisedProduct& p) {
  const std::size_t lanes = num_strips(p.outputs) * kStripOutputs;
  for (std::size_t n = 0; n < lanes; n += kProductLanes) {
    const std::size_t strip = n / kStripOutputs;
    const std::size_t first = n % kStripOutputs;
    std::size_t row = 0;
    for (; row + 4 <= p.rows.count; row += 4) multiply_int8_lanes<4>(p, row, strip, first);
    for (; row < p.rows.count; ++row) multiply_int8_lanes<1>(p, row, strip, first);
  }
}

static inline void multiply_int4(const QuantisedProduct& p) {
  const std::size_t lanes = num_strips(p.outputs) * kStripOutputs;
  for (std::size_t n = 0; n < lanes; n += kProductLanes) {
    const std::size_t strip = n / kStripOutputs;
    const std::size_t first = n % kStripOutputs;
    std::size_t row = 0;
    for (; row + 4 <= p.rows.count; row += 4) multiply_int4_lanes<4>(p, row, strip, first);
    for (; row < p.rows.count; ++row) multiply_int4_lanes<1>(p, row, strip, first);
  }
}

}  // namespace rr::internal
