#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "rr/nn/internal/bf16.h"
#include "rr/nn/internal/half.h"
#include "rr/nn/internal/quantised_layout.h"

namespace rr::internal {

// Four inputs of a strip's outputs, as they stand side by side there, into rows of `out`. Of the
// last four of a row there may be fewer, `size`.
template <typename Out>
static inline void spread_four(const float* values, std::size_t outputs, std::size_t size, Out* out,
                               std::size_t stride) {
  alignas(64) Out fours[kStripOutputs * 4];
  for (std::size_t i = 0; i < kStripOutputs * 4; ++i) store(values[i], fours + i);
  if (size == 4) {
    for (std::size_t n = 0; n < outputs; ++n) {
      std::memcpy(out + n * stride, fours + n * 4, 4 * sizeof(Out));
    }
    return;
  }
  for (std::size_t n = 0; n < outputs; ++n) {
    std::memcpy(out + n * stride, fours + n * 4, size * sizeof(Out));
  }
}

// What QuantisedPiece says, of int8 and of int4. Out is float or Bf16.
template <typename Out>
static inline void widen_int8(const QuantisedPiece& piece, Out* out) {
  const std::size_t end = piece.first_input + piece.num_inputs;
  for (std::size_t first = 0; first < piece.outputs; first += kStripOutputs) {
    const std::size_t outputs =
        piece.outputs - first < kStripOutputs ? piece.outputs - first : kStripOutputs;
    const std::byte* const strip =
        piece.weight + first / kStripOutputs * int8_strip_bytes(piece.inputs);
    float strip_scales[kStripOutputs];
    std::memcpy(strip_scales, strip + piece.inputs * kStripOutputs, sizeof strip_scales);
    alignas(64) float scales[kStripOutputs * 4];
    for (std::size_t i = 0; i < kStripOutputs * 4; ++i) scales[i] = strip_scales[i / 4];
    for (std::size_t k = piece.first_input; k < end; k += 4) {
      std::uint8_t bytes[kStripOutputs * 4];
      std::memcpy(bytes, strip + int8_offset(0, k), sizeof bytes);
      alignas(64) float values[kStripOutputs * 4];
      for (std::size_t i = 0; i < kStripOutputs * 4; ++i) {
        values[i] = static_cast<float>(static_cast<int>(bytes[i]) - kInt8Zero) * scales[i];
      }
      spread_four(values, outputs, end - k < 4 ? end - k : 4,
                  out + first * piece.num_inputs + k - piece.first_input, piece.num_inputs);
    }
  }
}

// One of a block's two factors, each four times.
static inline void repeat_factors(const std::byte* from, float* out) {
  std::uint16_t halves[kStripOutputs];
  std::memcpy(halves, from, sizeof halves);
  float factors[kStripOutputs];
  for (std::size_t n = 0; n < kStripOutputs; ++n) factors[n] = half_bits_to_float(halves[n]);
  for (std::size_t i = 0; i < kStripOutputs * 4; ++i) out[i] = factors[i / 4];
}

template <typename Out>
static inline void widen_int4(const QuantisedPiece& piece, Out* out) {
  const std::size_t end = piece.first_input + piece.num_inputs;
  for (std::size_t first = 0; first < piece.outputs; first += kStripOutputs) {
    const std::size_t outputs =
        piece.outputs - first < kStripOutputs ? piece.outputs - first : kStripOutputs;
    const std::byte* const strip =
        piece.weight + first / kStripOutputs * int4_strip_bytes(piece.inputs);
    alignas(64) float d[kStripOutputs * 4];
    alignas(64) float m[kStripOutputs * 4];
    for (std::size_t k = piece.first_input; k < end; k += 4) {
      const std::byte* const block = strip + k / kQuantBlock * kInt4BlockBytes;
      if (k % kQuantBlock == 0) {
        repeat_factors(block + kInt4Quants, d);
        repeat_factors(block + kInt4Quants + kStripOutputs * sizeof(std::uint16_t), m);
      }
      std::uint8_t bytes[kStripOutputs * 4];
      std::memcpy(bytes, block + int4_offset(0, k % kQuantBlock), sizeof bytes);
      const int shift = static_cast<int>(int4_shift(k % kQuantBlock));
      alignas(64) float values[kStripOutputs * 4];
      for (std::size_t i = 0; i < kStripOutputs * 4; ++i) {
        values[i] = d[i] * static_cast<float>(bytes[i] >> shift & 0x0f) + m[i];
      }
      spread_four(values, outputs, end - k < 4 ? end - k : 4,
                  out + first * piece.num_inputs + k - piece.first_input, piece.num_inputs);
    }
  }
}

}  // namespace rr::internal
