#pragma once

#include <cstddef>

#include "rr/nn/internal/attention.h"
#include "rr/nn/internal/bf16.h"
#include "rr/nn/internal/element.h"
#include "rr/nn/internal/quantised_layout.h"

namespace rr::internal {

// Puts the key and the value of one token and one KV head, both [head_dim], into a block.
using WriteKv = void (*)(const float* key, const float* value, std::size_t token,
                         std::size_t head_dim, std::byte* keys, std::byte* values);

using Attend = void (*)(const AttentionTile& tile);

// out [rows, width] = left [rows, depth] * right [depth, width], or += that, in float32, each with
// its stride (small_product.h). A row comes out the same whatever the number of rows.
struct RowsProduct {
  const float* left;
  std::size_t left_stride;
  std::size_t right_stride;
  std::size_t rows;
  std::size_t width;
  std::size_t depth;
  float* out;
  std::size_t out_stride;
  bool adds;
};

// The operations on rows and tiles, compiled for one instruction set. The same sources
// (rms_norm.h, swiglu.h, ...) are compiled in one file a set, each with its own compiler flags; the
// program itself needs no more than the base of the architecture.
struct RowKernels {
  const char* name;  // of the instruction set
  void (*rms_norm_f32)(const float* row, const float* weight, float epsilon, std::size_t size,
                       float* out);
  void (*rms_norm_bf16)(const float* row, const float* weight, float epsilon, std::size_t size,
                        Bf16* out);
  void (*swiglu_f32)(const float* gate, const float* up, std::size_t size, float* out);
  void (*swiglu_bf16)(const float* gate, const float* up, std::size_t size, Bf16* out);
  void (*rotate_head)(float* head, const float* cosines, const float* sines, std::size_t half);
  void (*add)(const float* added, std::size_t size, float* sum);  // sum_i += added_i
  void (*scale_f32)(const float* in, float factor, std::size_t size, float* out);
  void (*scale_bf16)(const float* in, float factor, std::size_t size, Bf16* out);
  void (*widen)(const Bf16* in, std::size_t size, float* out);

  void (*multiply_f32)(const RowsProduct& product, const float* right);
  void (*multiply_bf16)(const RowsProduct& product, const Bf16* right);  // the same to the bit

  // Queries in float32; keys and values in what the name says.
  WriteKv write_kv_f32;
  WriteKv write_kv_bf16;
  WriteKv write_kv_int8;
  Attend attend_f32;
  Attend attend_bf16;
  Attend attend_int8;
  void (*merge_attention)(std::size_t rows, std::size_t head_dim, const float* max,
                          const float* sum, const float* out, float* total_max, float* total_sum,
                          float* total_out);
  void (*quantise_block)(const float* in, std::size_t size, std::size_t padded, std::int8_t* values,
                         float* scale, std::int32_t* sum);
  void (*multiply_int8)(const QuantisedProduct& product);
  void (*multiply_int4)(const QuantisedProduct& product);
  void (*widen_int8_f32)(const QuantisedPiece& piece, float* out);
  void (*widen_int8_bf16)(const QuantisedPiece& piece, Bf16* out);
  void (*widen_int4_f32)(const QuantisedPiece& piece, float* out);
  void (*widen_int4_bf16)(const QuantisedPiece& piece, Bf16* out);
};

const RowKernels& baseline_kernels();

// On x86-64 alone.
const RowKernels& avx2_kernels();         // requires AVX2 and FMA
const RowKernels& avx512_kernels();       // requires AVX-512 F, BW, DQ, VL
const RowKernels& avx512_vnni_kernels();  // requires AVX-512 VNNI and these

// Attention on bf16 products: queries in bf16, keys and values in bf16 or 8 bits, sums in float32.
// Requires AVX512_BF16; head_dim % 16 == 0.
void attend_avx512_bf16(const AttentionTile& tile);
void attend_avx512_bf16_int8(const AttentionTile& tile);
// Requires AMX-BF16 and that; head_dim % 32 == 0.
void attend_amx_bf16(const AttentionTile& tile);
void attend_amx_bf16_int8(const AttentionTile& tile);

}  // namespace rr::internal
