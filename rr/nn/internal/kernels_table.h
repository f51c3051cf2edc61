// The table of RowKernels for the instruction set that the including file is compiled for.
// Includes nothing that could leave an inline function of this instruction set to the rest of the
// program.

#pragma once

#include "rr/nn/internal/attention.h"
#include "rr/nn/internal/kernels.h"
#include "rr/nn/internal/kv_layout.h"
#include "rr/nn/internal/quantised_product.h"
#include "rr/nn/internal/quantised_widen.h"
#include "rr/nn/internal/read_ahead.h"
#include "rr/nn/internal/rms_norm.h"
#include "rr/nn/internal/rope.h"
#include "rr/nn/internal/small_product.h"
#include "rr/nn/internal/swiglu.h"

namespace rr::internal {

static inline void add_rows(const float* added, std::size_t size, float* sum) {
  for (std::size_t i = 0; i < size; ++i) sum[i] += added[i];
}

template <typename Out>
static inline void scale_row(const float* in, float factor, std::size_t size, Out* out) {
  for (std::size_t i = 0; i < size; ++i) store(in[i] * factor, out + i);
}

static inline void widen_row(const Bf16* in, std::size_t size, float* out) {
  constexpr std::size_t kAtOnce = 64;
  std::size_t i = 0;
  for (; i + kAtOnce <= size; i += kAtOnce) {
    read_ahead(in + i, kAtOnce);
    for (std::size_t j = i; j < i + kAtOnce; ++j) out[j] = to_float(in[j]);
  }
  for (; i < size; ++i) out[i] = to_float(in[i]);
}

template <typename Number>
static inline void multiply_rows_by(const RowsProduct& p, const Number* right) {
  const LeftFactor left = {p.left, p.left_stride, 1};
  const RightRows<Number> rows = {right, p.right_stride};
  if (p.adds) {
    add_product(left, rows, p.rows, p.width, p.depth, p.out, p.out_stride);
  } else {
    set_product(left, rows, p.rows, p.width, p.depth, p.out, p.out_stride);
  }
}

static inline RowKernels make_row_kernels(const char* name) {
  RowKernels table{};
  table.name = name;
  table.rms_norm_f32 = rms_norm<float>;
  table.rms_norm_bf16 = rms_norm<Bf16>;
  table.swiglu_f32 = swiglu<float>;
  table.swiglu_bf16 = swiglu<Bf16>;
  table.rotate_head = rotate_head;
  table.write_kv_f32 = write_kv<float>;
  table.write_kv_bf16 = write_kv<Bf16>;
  table.write_kv_int8 = write_kv<std::int8_t>;
  table.add = add_rows;
  table.scale_f32 = scale_row<float>;
  table.scale_bf16 = scale_row<Bf16>;
  table.widen = widen_row;
  table.multiply_f32 = multiply_rows_by<float>;
  table.multiply_bf16 = multiply_rows_by<Bf16>;
  table.attend_f32 = attend_in_float32<float>;
  table.attend_bf16 = attend_in_float32<Bf16>;
  table.attend_int8 = attend_in_float32<std::int8_t>;
  table.merge_attention = merge_attention;
  table.quantise_block = quantise_block;
  table.multiply_int8 = multiply_int8;
  table.multiply_int4 = multiply_int4;
  table.widen_int8_f32 = widen_int8<float>;
  table.widen_int8_bf16 = widen_int8<Bf16>;
  table.widen_int4_f32 = widen_int4<float>;
  table.widen_int4_bf16 = widen_int4<Bf16>;
  return table;
}

}  // namespace rr::internal
