#pragma once

#include <cstddef>

#include "rr/nn/internal/added_product.h"

namespace rr::internal {

// Rows that a gradient is summed over at a time. Matrices of activations are padded with rows of
// zeros to whole blocks of this many.
constexpr std::size_t kGradientRows = 128;

constexpr std::size_t padded_gradient_rows(std::size_t rows) {
  return (rows + kGradientRows - 1) / kGradientRows * kGradientRows;
}

// A matrix of activations: [rows, columns], a row every `stride` elements. For gradients its rows
// are padded with zeros to padded_gradient_rows(rows).
struct ActivationMatrix {
  const void* data;
  std::size_t columns;
  std::size_t stride;
};

// Gradients of weights: gradient [outputs, inputs] += d_out^T [outputs, rows] * in [rows, inputs].
// The elements are floats or bf16 (activation_element(family)), the sums float32. Work is cut by
// outputs into panels that threads can take one by one; the order of adding depends on the number
// of rows alone.
class WeightGradientProducts {
 public:
  // `on_amx`: by own products on tiles, of bf16; otherwise by oneDNN's.
  WeightGradientProducts(Element element, bool on_amx) : products_(element), on_amx_(on_amx) {}

  static std::size_t num_panels(std::size_t outputs);

  // Adds one panel's share. Safe from several threads for different panels.
  void accumulate(std::size_t panel, const ActivationMatrix& d_out, const ActivationMatrix& in,
                  std::size_t rows, float* gradient, ProductScratch& scratch);

 private:
  AddedProducts products_;
  bool on_amx_;
};

}  // namespace rr::internal
