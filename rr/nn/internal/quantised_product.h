#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "rr/nn/internal/quantise.h"
#include "rr/nn/internal/quantised_layout.h"

// multiply_int8 and multiply_int4: what QuantisedProduct says, on what the including file is
// compiled for.
#if defined(__AVX512VNNI__)
#include "rr/nn/internal/quantised_product_vnni.h"
#elif defined(__AVX2__)
#include "rr/nn/internal/quantised_product_pairs.h"
#else
#include "rr/nn/internal/quantised_product_plain.h"
#endif

namespace rr::internal {

// Quantises `size` numbers of a row as one block; the rest of `padded` values become 0. NaN and
// infinity pass into the scale, and so into every result.
static inline void quantise_block(const float* in, std::size_t size, std::size_t padded,
                                  std::int8_t* values, float* scale, std::int32_t* sum) {
  const Int8Scale found = int8_scale(in, size);
  *scale = found.scale;
  std::int32_t total = 0;
  for (std::size_t i = 0; i < size; ++i) {
    values[i] = to_int8(in[i], found.inverse);
    total += values[i];
  }
  for (std::size_t i = size; i < padded; ++i) values[i] = 0;
  *sum = total;
}

}  // namespace rr::internal
