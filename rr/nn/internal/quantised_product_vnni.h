#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "rr/nn/internal/quantised_layout.h"
#include "rr/nn/internal/unroll.h"

namespace rr::internal {

constexpr std::size_t kStripVectors = 4;  // of 16 outputs

static inline __m512i four_inputs(const std::int8_t* values) {
  std::int32_t four;
  std::memcpy(&four, values, sizeof four);
  return _mm512_set1_epi32(four);
}

// Which of 16 outputs from `first` on there are.
static inline __mmask16 outputs_there(const QuantisedProduct& p, std::size_t first) {
  const std::size_t left = first < p.outputs ? p.outputs - first : 0;
  return static_cast<__mmask16>(left >= 16 ? 0xffffu : (1u << left) - 1u);
}

// kVectors of the strip's four vectors of outputs, from `first_vector` on.
template <std::size_t kRows, std::size_t kVectors>
static inline void multiply_int8_strip(const QuantisedProduct& p, std::size_t row,
                                       std::size_t strip, std::size_t first_vector) {
  const std::size_t inputs = p.rows.inputs;
  const std::size_t blocks = inputs / kQuantBlock;
  const std::byte* const weight = p.weight + strip * int8_strip_bytes(inputs) + first_vector * 64;
  const std::int8_t* const in = p.rows.values + row * inputs;
  __m512 totals[kRows][kVectors];
  for (auto& total : totals) {
    for (__m512& vector : total) vector = _mm512_setzero_ps();
  }
  for (std::size_t b = 0; b < blocks; ++b) {
    __m512i sums[kRows][kVectors];
    for (std::size_t r = 0; r < kRows; ++r) {
      const __m512i zero = _mm512_set1_epi32(-kInt8Zero * p.rows.sums[(row + r) * blocks + b]);
      for (std::size_t v = 0; v < kVectors; ++v) sums[r][v] = zero;
    }
    for (std::size_t k = b * kQuantBlock; k < (b + 1) * kQuantBlock; k += 4) {
      __m512i weights[kVectors];
      for (std::size_t v = 0; v < kVectors; ++v) {
        weights[v] = _mm512_loadu_si512(weight + k * kStripOutputs + v * 64);
      }
      for (std::size_t r = 0; r < kRows; ++r) {
        const __m512i four = four_inputs(in + r * inputs + k);
        for (std::size_t v = 0; v < kVectors; ++v) {
          sums[r][v] = _mm512_dpbusd_epi32(sums[r][v], weights[v], four);
        }
      }
    }
    for (std::size_t r = 0; r < kRows; ++r) {
      const __m512 scale = _mm512_set1_ps(p.rows.scales[(row + r) * blocks + b]);
      for (std::size_t v = 0; v < kVectors; ++v) {
        totals[r][v] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(sums[r][v]), scale, totals[r][v]);
      }
    }
  }
  const std::byte* const scales =
      p.weight + strip * int8_strip_bytes(inputs) + inputs * kStripOutputs + first_vector * 64;
  RR_UNROLL
  for (std::size_t v = 0; v < kVectors; ++v) {
    const std::size_t first = strip * kStripOutputs + (first_vector + v) * 16;
    const __m512 output_scales = _mm512_loadu_ps(scales + v * 64);
    const __mmask16 mask = outputs_there(p, first);
    float* const out = p.out + row * p.outputs + first;
    RR_UNROLL
    for (std::size_t r = 0; r < kRows; ++r) {
      _mm512_mask_storeu_ps(out + r * p.outputs, mask, _mm512_mul_ps(totals[r][v], output_scales));
    }
  }
}

static inline void multiply_int8(const QuantisedProduct& p) {
  const std::size_t strips = num_strips(p.outputs);
  for (std::size_t strip = 0; strip < strips; ++strip) {
    std::size_t row = 0;
    for (; row + 6 <= p.rows.count; row += 6) {
      multiply_int8_strip<6, 2>(p, row, strip, 0);
      multiply_int8_strip<6, 2>(p, row, strip, 2);
    }
    for (; row + 2 <= p.rows.count; row += 2) multiply_int8_strip<2, 4>(p, row, strip, 0);
    for (; row < p.rows.count; ++row) multiply_int8_strip<1, 4>(p, row, strip, 0);
  }
}

// The same for four bits.
template <std::size_t kRows, std::size_t kVectors>
static inline void multiply_int4_strip(const QuantisedProduct& p, std::size_t row,
                                       std::size_t strip, std::size_t first_vector) {
  const std::size_t inputs = p.rows.inputs;
  const std::size_t blocks = inputs / kQuantBlock;
  const std::byte* weight = p.weight + strip * int4_strip_bytes(inputs) + first_vector * 64;
  const std::byte* factors =
      p.weight + strip * int4_strip_bytes(inputs) + kInt4Quants + first_vector * 32;
  const std::int8_t* const in = p.rows.values + row * inputs;
  const __m512i low_halves = _mm512_set1_epi8(0x0f);
  __m512 totals[kRows][kVectors];
  for (auto& total : totals) {
    for (__m512& vector : total) vector = _mm512_setzero_ps();
  }
  for (std::size_t b = 0; b < blocks; ++b) {
    __m512i sums[kRows][kVectors];
    for (auto& sum : sums) {
      for (__m512i& vector : sum) vector = _mm512_setzero_si512();
    }
    for (std::size_t k = 0; k < kQuantBlock; k += 8) {
      __m512i low[kVectors];
      __m512i high[kVectors];
      for (std::size_t v = 0; v < kVectors; ++v) {
        const __m512i both = _mm512_loadu_si512(weight + k * (kStripOutputs / 2) + v * 64);
        low[v] = _mm512_and_si512(both, low_halves);
        high[v] = _mm512_and_si512(_mm512_srli_epi16(both, 4), low_halves);
      }
      for (std::size_t r = 0; r < kRows; ++r) {
        const std::int8_t* const from = in + r * inputs + b * kQuantBlock + k;
        const __m512i first = four_inputs(from);
        const __m512i second = four_inputs(from + 4);
        for (std::size_t v = 0; v < kVectors; ++v) {
          sums[r][v] = _mm512_dpbusd_epi32(sums[r][v], low[v], first);
          sums[r][v] = _mm512_dpbusd_epi32(sums[r][v], high[v], second);
        }
      }
    }
    for (std::size_t v = 0; v < kVectors; ++v) {
      const auto* const d_bits = reinterpret_cast<const __m256i*>(factors + v * 32);
      const auto* const m_bits = reinterpret_cast<const __m256i*>(factors + v * 32 + 128);
      const __m512 d = _mm512_cvtph_ps(_mm256_loadu_si256(d_bits));
      const __m512 m = _mm512_cvtph_ps(_mm256_loadu_si256(m_bits));
      for (std::size_t r = 0; r < kRows; ++r) {
        const float scale = p.rows.scales[(row + r) * blocks + b];
        const float sum = scale * static_cast<float>(p.rows.sums[(row + r) * blocks + b]);
        const __m512 products = _mm512_mul_ps(_mm512_cvtepi32_ps(sums[r][v]), d);
        totals[r][v] = _mm512_fmadd_ps(products, _mm512_set1_ps(scale), totals[r][v]);
        totals[r][v] = _mm512_fmadd_ps(m, _mm512_set1_ps(sum), totals[r][v]);
      }
    }
    weight += kInt4BlockBytes;
    factors += kInt4BlockBytes;
  }
  for (std::size_t v = 0; v < kVectors; ++v) {
    const std::size_t first = strip * kStripOutputs + (first_vector + v) * 16;
    const __mmask16 mask = outputs_there(p, first);
    float* const out = p.out + row * p.outputs + first;
    for (std::size_t r = 0; r < kRows; ++r) {
      _mm512_mask_storeu_ps(out + r * p.outputs, mask, totals[r][v]);
    }
  }
}

static inline void multiply_int4(const QuantisedProduct& p) {
  const std::size_t strips = num_strips(p.outputs);
  for (std::size_t strip = 0; strip < strips; ++strip) {
    std::size_t row = 0;
    for (; row + 4 <= p.rows.count; row += 4) {
      multiply_int4_strip<4, 2>(p, row, strip, 0);
      multiply_int4_strip<4, 2>(p, row, strip, 2);
    }
    for (; row + 2 <= p.rows.count; row += 2) multiply_int4_strip<2, 4>(p, row, strip, 0);
    for (; row < p.rows.count; ++row) multiply_int4_strip<1, 4>(p, row, strip, 0);
  }
}

}  // namespace rr::internal
