// Products of AMX tiles, for the files compiled for them only.

#pragma once

#include <immintrin.h>

#include <cstddef>

#include "rr/nn/internal/bf16.h"

namespace rr::internal {

// Palette 1, eight tiles of 16 rows of 64 bytes (Intel SDM, LDTILECFG).
struct alignas(64) TileConfiguration {
  unsigned char palette = 1;
  unsigned char start_row = 0;
  unsigned char reserved[14] = {};
  unsigned short row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  unsigned char rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
static_assert(sizeof(TileConfiguration) == 64);

// out [16 or 32 rows, 32 columns] = or += left [rows, 32 * steps] * right. Strides are the bytes
// from one row of a tile to the next; a row of the right side is a pair of inputs for 16 columns.
struct TileProduct {
  const Bf16* left;
  std::size_t left_stride;
  const Bf16* right;
  std::size_t right_stride;
  std::size_t right_step;    // from one slice of 32 inputs to the next, in elements
  std::size_t right_second;  // from the first 16 columns to the second, in elements
  std::size_t steps;
  float* out;
  std::size_t out_stride;  // in bytes
};

// Tiles 0-3 sum, 4 and 5 hold rows of the left side, 6 and 7 columns of the right.
template <bool kAdd>
static inline void multiply_32x32(const TileProduct& p) {
  float* const lower = p.out + 16 * p.out_stride / sizeof(float);
  if constexpr (kAdd) {
    _tile_loadd(0, p.out, p.out_stride);
    _tile_loadd(1, p.out + 16, p.out_stride);
    _tile_loadd(2, lower, p.out_stride);
    _tile_loadd(3, lower + 16, p.out_stride);
  } else {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  }
  for (std::size_t k = 0; k < p.steps; ++k) {
    const Bf16* const left = p.left + 32 * k;
    const Bf16* const right = p.right + p.right_step * k;
    _tile_loadd(4, left, p.left_stride);
    _tile_loadd(6, right, p.right_stride);
    _tile_loadd(7, right + p.right_second, p.right_stride);
    _tile_loadd(5, left + 16 * p.left_stride / sizeof(Bf16), p.left_stride);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_stored(0, p.out, p.out_stride);
  _tile_stored(1, p.out + 16, p.out_stride);
  _tile_stored(2, lower, p.out_stride);
  _tile_stored(3, lower + 16, p.out_stride);
}

template <bool kAdd>
static inline void multiply_16x32(const TileProduct& p) {
  if constexpr (kAdd) {
    _tile_loadd(0, p.out, p.out_stride);
    _tile_loadd(1, p.out + 16, p.out_stride);
  } else {
    _tile_zero(0);
    _tile_zero(1);
  }
  for (std::size_t k = 0; k < p.steps; ++k) {
    const Bf16* const right = p.right + p.right_step * k;
    _tile_loadd(4, p.left + 32 * k, p.left_stride);
    _tile_loadd(6, right, p.right_stride);
    _tile_loadd(7, right + p.right_second, p.right_stride);
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
  }
  _tile_stored(0, p.out, p.out_stride);
  _tile_stored(1, p.out + 16, p.out_stride);
}

}  // namespace rr::internal
