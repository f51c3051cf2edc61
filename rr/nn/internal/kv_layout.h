#pragma once

#include <cstddef>
#include <cstdint>

#include "rr/nn/internal/bf16.h"
#include "rr/nn/internal/element.h"
#include "rr/nn/internal/quantise.h"
#include "rr/nn/kv_block.h"

namespace rr::internal {

// Keys and values are kept in blocks of 64 tokens, each block in the order in which attention reads
// it as the right side of a product (t: token in the block, d: dimension of the head):
//
//   float32  key (t, d) at [d][t],          value (t, d) at [t][d]
//   bf16     key (t, d) at [d/2][t][d%2],   value (t, d) at [t/2][d][t%2]
//   8 bits   as bf16; behind the keys a scale for each token's key, float32 [64], behind the values
//            one for each token's value
//
// The pairs of bf16 are what both vdpbf16ps and the AMX tiles multiply at once. Whole numbers of 8
// bits are exact in bf16: their products are those of bf16, and scales come in afterwards.
static_assert(kKvBlockTokens == 64, "attention is written for blocks of 64 tokens");

// Bytes of a block's keys of one KV head, or of its values: whole cache lines.
static constexpr std::size_t kv_head_bytes(Element element, std::size_t head_dim) {
  const std::size_t scale = element == Element::kInt8 ? sizeof(float) : 0;
  return kKvBlockTokens * (head_dim * element_bytes(element) + scale);
}

// Where the scales stand in a block's keys of one KV head, or in its values.
static inline const float* kv_scales(const std::byte* head, std::size_t head_dim) {
  return static_cast<const float*>(static_cast<const void*>(head + kKvBlockTokens * head_dim));
}

static inline void write_kv_numbers(const float* key, const float* value, std::size_t token,
                                    std::size_t head_dim, float* keys, float* values) {
  for (std::size_t d = 0; d < head_dim; ++d) {
    keys[d * kKvBlockTokens + token] = key[d];
    values[token * head_dim + d] = value[d];
  }
}

static inline void write_kv_numbers(const float* key, const float* value, std::size_t token,
                                    std::size_t head_dim, Bf16* keys, Bf16* values) {
  for (std::size_t d = 0; d < head_dim; d += 2) {
    Bf16* const pair = keys + (d * kKvBlockTokens + 2 * token);
    pair[0] = to_bf16(key[d]);
    pair[1] = to_bf16(key[d + 1]);
  }
  Bf16* const row = values + (token / 2 * head_dim * 2 + token % 2);
  for (std::size_t d = 0; d < head_dim; ++d) row[2 * d] = to_bf16(value[d]);
}

static inline void write_kv_numbers(const float* key, const float* value, std::size_t token,
                                    std::size_t head_dim, std::int8_t* keys, std::int8_t* values) {
  float* const key_scales =
      static_cast<float*>(static_cast<void*>(keys + kKvBlockTokens * head_dim));
  float* const value_scales =
      static_cast<float*>(static_cast<void*>(values + kKvBlockTokens * head_dim));
  const Int8Scale of_key = int8_scale(key, head_dim);
  const Int8Scale of_value = int8_scale(value, head_dim);
  key_scales[token] = of_key.scale;
  value_scales[token] = of_value.scale;
  for (std::size_t d = 0; d < head_dim; d += 2) {
    std::int8_t* const pair = keys + (d * kKvBlockTokens + 2 * token);
    pair[0] = to_int8(key[d], of_key.inverse);
    pair[1] = to_int8(key[d + 1], of_key.inverse);
  }
  std::int8_t* const row = values + (token / 2 * head_dim * 2 + token % 2);
  for (std::size_t d = 0; d < head_dim; ++d) row[2 * d] = to_int8(value[d], of_value.inverse);
}

// Writes the key and the value of one token and one KV head, both [head_dim], as numbers of Kv.
template <typename Kv>
static inline void write_kv(const float* key, const float* value, std::size_t token,
                            std::size_t head_dim, std::byte* keys, std::byte* values) {
  write_kv_numbers(key, value, token, head_dim, static_cast<Kv*>(static_cast<void*>(keys)),
                   static_cast<Kv*>(static_cast<void*>(values)));
}

}  // namespace rr::internal
