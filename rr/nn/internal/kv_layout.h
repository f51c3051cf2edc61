#pragma once

#include <cstddef>

#include "rr/nn/internal/bf16.h"
#include "rr/nn/kv_block.h"

namespace rr::internal {

// Keys and values are kept in blocks of 64 tokens, each block in the order in which attention reads
// it as the right side of a product (t: token in the block, d: dimension of the head):
//
//   float32  key (t, d) at [d][t],          value (t, d) at [t][d]
//   bf16     key (t, d) at [d/2][t][d%2],   value (t, d) at [t/2][d][t%2]
//
// The pairs of bf16 are what both vdpbf16ps and the AMX tiles multiply at once.
static_assert(kKvBlockTokens == 64, "attention is written for blocks of 64 tokens");

// Writes the key and the value of one token and one KV head, both [head_dim].
static inline void write_kv(const float* key, const float* value, std::size_t token,
                            std::size_t head_dim, float* keys, float* values) {
  for (std::size_t d = 0; d < head_dim; ++d) {
    keys[d * kKvBlockTokens + token] = key[d];
    values[token * head_dim + d] = value[d];
  }
}

static inline void write_kv(const float* key, const float* value, std::size_t token,
                            std::size_t head_dim, Bf16* keys, Bf16* values) {
  for (std::size_t d = 0; d < head_dim; d += 2) {
    Bf16* const pair = keys + (d * kKvBlockTokens + 2 * token);
    pair[0] = to_bf16(key[d]);
    pair[1] = to_bf16(key[d + 1]);
  }
  Bf16* const row = values + (token / 2 * head_dim * 2 + token % 2);
  for (std::size_t d = 0; d < head_dim; ++d) row[2 * d] = to_bf16(value[d]);
}

}  // namespace rr::internal
