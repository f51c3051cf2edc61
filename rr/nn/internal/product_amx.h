#pragma once

#include <cstddef>

#include "rr/nn/internal/bf16.h"

namespace rr::internal {

// Products on AMX tiles. oneDNN has them too, but splits and orders its sums by the number of rows
// and columns; these always add the inputs in one order, so that a row's result depends on nothing
// but the row.
//
// The packed weight: for each 32 outputs, for each 32 inputs, two tiles of 16 outputs; a tile is
// [16 pairs of inputs][16 outputs][2], 1 KiB. So a product reads it from front to back.

constexpr std::size_t amx_packed_elements(std::size_t num_outputs, std::size_t num_inputs) {
  return (num_outputs + 31) / 32 * 32 * num_inputs;
}

// Where weight (output, input) stands, in elements.
constexpr std::size_t amx_packed_offset(std::size_t output, std::size_t input,
                                        std::size_t num_inputs) {
  return output / 32 * 32 * num_inputs + input / 32 * 1024 + output % 32 / 16 * 512 +
         input % 32 / 2 * 32 + output % 16 * 2 + input % 2;
}

// weight: [num_outputs, num_inputs]. Requires num_inputs % 32 == 0, AMX-BF16 and AVX512_BF16.
void pack_for_amx(const float* weight, std::size_t num_outputs, std::size_t num_inputs,
                  Bf16* packed);

// The same from its transpose: rows[input] has [num_outputs].
void pack_columns_for_amx(const float* const* rows, std::size_t num_outputs, std::size_t num_inputs,
                          Bf16* packed);

// Weights come from a cache that all cores share at a tenth of what the tiles could take, so they
// are read once for as many rows as leave room for the rows themselves in a core's own cache.
// A multiple of 128.
std::size_t amx_rows_at_once(std::size_t num_inputs);

// out [rows, num_outputs] = in [rows, num_inputs] * weight^T. Both must have room for whole groups
// of 16 rows; what stands in the rows beyond is read and written but has no meaning. Rows of out
// lie `out_stride` apart.
void multiply_on_amx(const Bf16* in, std::size_t rows, std::size_t num_inputs, const Bf16* packed,
                     std::size_t num_outputs, float* out, std::size_t out_stride);

// The same on top of what stands in out: the sum goes on from there.
void add_on_amx(const Bf16* in, std::size_t rows, std::size_t num_inputs, const Bf16* packed,
                std::size_t num_outputs, float* out, std::size_t out_stride);

// A sum over rows of outer products, as gradients of weights are:
//
//   out [outputs, inputs] += left^T [outputs, rows] * right [rows, inputs]
//
// Rows lie apart by their strides, in elements. Requires rows % 32 == 0.
struct AmxRowSum {
  const Bf16* left;
  std::size_t left_stride;
  std::size_t num_outputs;
  const Bf16* right;
  std::size_t right_stride;
  std::size_t num_inputs;
  std::size_t rows;
  float* out;
  std::size_t out_stride;
};

// What it turns its sides in. It is quickest for some 512 rows.
std::size_t amx_row_sum_elements(std::size_t num_outputs, std::size_t rows);
void add_row_sum_on_amx(const AmxRowSum& sum, Bf16* scratch);

}  // namespace rr::internal
