#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "rr/nn/internal/quantised_layout.h"
#include "rr/nn/internal/store_outputs.h"

namespace rr::internal {

// Without an instruction that sums four products: one that sums two, in 16 bits. Products of halves
// of bytes fit them over a whole block, for 32 / 4 * 2 * 15 * 127 = 30,480; so int8 is multiplied
// as two halves, q = low + 16 * high.

constexpr std::size_t kPairOutputs = 8;  // of a vector of bytes, four inputs each

// The halves of the bytes of 8 outputs.
struct ByteHalves {
  __m256i low;
  __m256i high;
};

static inline ByteHalves halves_of(const std::byte* from) {
  __m256i both;
  std::memcpy(&both, from, sizeof both);
  const __m256i low_bits = _mm256_set1_epi8(0x0f);
  return {_mm256_and_si256(both, low_bits), _mm256_and_si256(_mm256_srli_epi16(both, 4), low_bits)};
}

// sum + bytes * four inputs, in pairs.
static inline __m256i add_pairs(__m256i sum, __m256i bytes, __m256i four) {
  return _mm256_add_epi16(sum, _mm256_maddubs_epi16(bytes, four));
}

static inline __m256i add_neighbours(__m256i pairs) {
  return _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
}

static inline __m256i four_inputs(const std::int8_t* values) {
  std::int32_t four;
  std::memcpy(&four, values, sizeof four);
  return _mm256_set1_epi32(four);
}

// A single row waits for its weights more than for its products. What is read ahead may lie behind
// the last of them: nothing is touched.
static inline void read_ahead(const std::byte* from) {
  _mm_prefetch(reinterpret_cast<const char*>(from), _MM_HINT_T0);
}

// kVectors vectors of 8 outputs, from output `first` of the strip on.
template <std::size_t kRows, std::size_t kVectors>
static inline void multiply_int8_pairs(const QuantisedProduct& p, std::size_t row,
                                       std::size_t strip, std::size_t first) {
  const std::size_t inputs = p.rows.inputs;
  const std::size_t blocks = inputs / kQuantBlock;
  const std::byte* const weight = p.weight + strip * int8_strip_bytes(inputs);
  const std::int8_t* const in = p.rows.values + row * inputs;
  __m256 totals[kRows][kVectors];
  for (auto& total : totals) {
    for (__m256& vector : total) vector = _mm256_setzero_ps();
  }
  for (std::size_t b = 0; b < blocks; ++b) {
    __m256i low[kRows][kVectors];
    __m256i high[kRows][kVectors];
    for (std::size_t r = 0; r < kRows; ++r) {
      for (std::size_t v = 0; v < kVectors; ++v) low[r][v] = high[r][v] = _mm256_setzero_si256();
    }
    for (std::size_t k = b * kQuantBlock; k < (b + 1) * kQuantBlock; k += 4) {
      ByteHalves bytes[kVectors];
      for (std::size_t v = 0; v < kVectors; ++v) {
        const std::byte* const from = weight + int8_offset(first + v * kPairOutputs, k);
        bytes[v] = halves_of(from);
        if (kRows == 1 && v % 2 == 0) read_ahead(from + 16 * kStripOutputs);
      }
      for (std::size_t r = 0; r < kRows; ++r) {
        const __m256i four = four_inputs(in + r * inputs + k);
        for (std::size_t v = 0; v < kVectors; ++v) {
          low[r][v] = add_pairs(low[r][v], bytes[v].low, four);
          high[r][v] = add_pairs(high[r][v], bytes[v].high, four);
        }
      }
    }
    for (std::size_t r = 0; r < kRows; ++r) {
      const std::size_t at = (row + r) * blocks + b;
      const __m256i zero = _mm256_set1_epi32(kInt8Zero * p.rows.sums[at]);
      for (std::size_t v = 0; v < kVectors; ++v) {
        const __m256i tops = _mm256_slli_epi32(add_neighbours(high[r][v]), 4);
        const __m256i sum = _mm256_add_epi32(add_neighbours(low[r][v]), tops);
        const __m256 product = _mm256_cvtepi32_ps(_mm256_sub_epi32(sum, zero));
        totals[r][v] = _mm256_fmadd_ps(product, _mm256_set1_ps(p.rows.scales[at]), totals[r][v]);
      }
    }
  }
  for (std::size_t v = 0; v < kVectors; ++v) {
    const std::size_t output = first + v * kPairOutputs;
    __m256 scales;
    std::memcpy(&scales, weight + inputs * kStripOutputs + output * sizeof(float), sizeof scales);
    for (std::size_t r = 0; r < kRows; ++r) {
      store_outputs(_mm256_mul_ps(totals[r][v], scales), strip * kStripOutputs + output, p,
                    row + r);
    }
  }
}

// Eight numbers in half precision (half.h).
static inline __m256 eight_halves(const std::byte* from) {
  __m128i halves;
  std::memcpy(&halves, from, sizeof halves);
  const __m256i wide = _mm256_cvtepu16_epi32(halves);
  const __m256i signs = _mm256_slli_epi32(_mm256_srli_epi32(wide, 15), 31);
  const __m256i rest = _mm256_slli_epi32(_mm256_and_si256(wide, _mm256_set1_epi32(0x7fff)), 13);
  const __m256 scaled = _mm256_castsi256_ps(_mm256_or_si256(signs, rest));
  return _mm256_mul_ps(scaled, _mm256_set1_ps(0x1p112f));
}

// kVectors vectors of 8 outputs, from output `first` of the strip on.
template <std::size_t kRows, std::size_t kVectors>
static inline void multiply_int4_pairs(const QuantisedProduct& p, std::size_t row,
                                       std::size_t strip, std::size_t first) {
  const std::size_t inputs = p.rows.inputs;
  const std::size_t blocks = inputs / kQuantBlock;
  const std::byte* block = p.weight + strip * int4_strip_bytes(inputs);
  const std::int8_t* const in = p.rows.values + row * inputs;
  __m256 totals[kRows][kVectors];
  for (auto& total : totals) {
    for (__m256& vector : total) vector = _mm256_setzero_ps();
  }
  for (std::size_t b = 0; b < blocks; ++b, block += kInt4BlockBytes) {
    __m256i sums[kRows][kVectors];
    for (auto& sum : sums) {
      for (__m256i& vector : sum) vector = _mm256_setzero_si256();
    }
    for (std::size_t k = 0; k < kQuantBlock; k += 8) {
      ByteHalves bytes[kVectors];
      for (std::size_t v = 0; v < kVectors; ++v) {
        const std::byte* const from = block + int4_offset(first + v * kPairOutputs, k);
        bytes[v] = halves_of(from);
        if (kRows == 1 && v % 2 == 0) read_ahead(from + 4 * kInt4BlockBytes);
      }
      for (std::size_t r = 0; r < kRows; ++r) {
        const std::int8_t* const from = in + r * inputs + b * kQuantBlock + k;
        const __m256i four = four_inputs(from);
        const __m256i next = four_inputs(from + 4);
        for (std::size_t v = 0; v < kVectors; ++v) {
          sums[r][v] = add_pairs(sums[r][v], bytes[v].low, four);
          sums[r][v] = add_pairs(sums[r][v], bytes[v].high, next);
        }
      }
    }
    for (std::size_t v = 0; v < kVectors; ++v) {
      const std::byte* const factors = block + kInt4Quants + (first + v * kPairOutputs) * 2;
      const __m256 d = eight_halves(factors);
      const __m256 m = eight_halves(factors + kStripOutputs * 2);
      for (std::size_t r = 0; r < kRows; ++r) {
        const float scale = p.rows.scales[(row + r) * blocks + b];
        const float sum = scale * static_cast<float>(p.rows.sums[(row + r) * blocks + b]);
        const __m256 products = _mm256_mul_ps(_mm256_cvtepi32_ps(add_neighbours(sums[r][v])), d);
        const __m256 with_products = _mm256_fmadd_ps(products, _mm256_set1_ps(scale), totals[r][v]);
        totals[r][v] = _mm256_fmadd_ps(m, _mm256_set1_ps(sum), with_products);
      }
    }
  }
  for (std::size_t v = 0; v < kVectors; ++v) {
    const std::size_t output = strip * kStripOutputs + first + v * kPairOutputs;
    for (std::size_t r = 0; r < kRows; ++r) store_outputs(totals[r][v], output, p, row + r);
  }
}

// Of several rows few enough sums at a time to stay in registers; a single one takes its weights
// more in the order in which they stand.
template <std::size_t kRows, std::size_t kVectors>
static inline void multiply_int8_rows(const QuantisedProduct& p, std::size_t row,
                                      std::size_t strip) {
  for (std::size_t first = 0; first < kStripOutputs; first += kVectors * kPairOutputs) {
    multiply_int8_pairs<kRows, kVectors>(p, row, strip, first);
  }
}

static inline void multiply_int8(const QuantisedProduct& p) {
  for (std::size_t strip = 0; strip < num_strips(p.outputs); ++strip) {
    std::size_t row = 0;
    for (; row + 2 <= p.rows.count; row += 2) multiply_int8_rows<2, 2>(p, row, strip);
    for (; row < p.rows.count; ++row) multiply_int8_rows<1, 4>(p, row, strip);
  }
}

template <std::size_t kRows, std::size_t kVectors>
static inline void multiply_int4_rows(const QuantisedProduct& p, std::size_t row,
                                      std::size_t strip) {
  for (std::size_t first = 0; first < kStripOutputs; first += kVectors * kPairOutputs) {
    multiply_int4_pairs<kRows, kVectors>(p, row, strip, first);
  }
}

static inline void multiply_int4(const QuantisedProduct& p) {
  for (std::size_t strip = 0; strip < num_strips(p.outputs); ++strip) {
    std::size_t row = 0;
    for (; row + 4 <= p.rows.count; row += 4) multiply_int4_rows<4, 2>(p, row, strip);
    for (; row < p.rows.count; ++row) multiply_int4_rows<1, 8>(p, row, strip);
  }
}

}  // namespace rr::internal
