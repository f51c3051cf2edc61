#include "rr/nn/internal/adapted_linear.h"

#include <algorithm>
#include <utility>

namespace rr::internal {

AdapterProducts::AdapterProducts(ProductFamily the_family)
    : family(activation_element(the_family) == Element::kBf16 ? ProductFamily::kBf16
                                                              : ProductFamily::kF32) {}

AdaptedLinear::AdaptedLinear(std::unique_ptr<Linear> base,
                             std::vector<std::vector<TensorRows>> panels, const LoraShape& shape,
                             AdapterProducts& products, const RowKernels& kernels)
    : base_(std::move(base)),
      rank_(shape.rank),
      scale_(shape.alpha / static_cast<float>(shape.rank)),
      products_(products),
      kernels_(kernels) {
  for (const std::vector<TensorRows>& panel : panels) {
    std::vector<Piece>& pieces = panels_.emplace_back();
    std::size_t column = 0;
    for (const TensorRows& rows : panel) {
      pieces.push_back(
          {tensor_of(rows.name), rows.first_row, column,
           make_linear(products_.family, rank_, {rows.num_rows}, products_.cache, kernels_)});
      column += rows.num_rows;
    }
  }
}

std::size_t AdaptedLinear::tensor_of(const std::string& name) {
  const auto known = std::find(names_.begin(), names_.end(), name);
  if (known != names_.end()) return static_cast<std::size_t>(known - names_.begin());
  names_.push_back(name);
  a_.push_back(
      make_linear(products_.family, base_->num_inputs(), {rank_}, products_.cache, kernels_));
  return names_.size() - 1;
}

void AdaptedLinear::set_adapter(std::size_t tensor, const float* a, const float* b,
                                ProductScratch& scratch) {
  a_[tensor]->pack(0, a, scratch);
  for (std::vector<Piece>& pieces : panels_) {
    for (Piece& piece : pieces) {
      if (piece.tensor == tensor) piece.b->pack(0, b + piece.first_row * rank_, scratch);
    }
  }
}

void AdaptedLinear::multiply(std::size_t panel, std::size_t rows, const void* in, float* out,
                             ProductScratch& scratch) const {
  base_->multiply(panel, rows, in, out, scratch);
  const std::size_t padded = padded_product_rows(rows);
  scratch.low.reserve(2 * padded * rank_ * sizeof(float));
  float* const low = scratch.low.data<float>();
  std::byte* const activations = scratch.low.data() + padded * rank_ * sizeof(float);
  for (const Piece& piece : panels_[panel]) {
    a_[piece.tensor]->multiply(0, rows, in, low, scratch);
    if (activation_element(products_.family) == Element::kBf16) {
      kernels_.scale_bf16(low, scale_, rows * rank_,
                          static_cast<Bf16*>(static_cast<void*>(activations)));
    } else {
      kernels_.scale_f32(low, scale_, rows * rank_,
                         static_cast<float*>(static_cast<void*>(activations)));
    }
    add_piece(piece, rows, base_->panel_outputs(panel), out, scratch);
  }
}

// Adds B times what lies behind `scratch.low`'s floats to some columns of out [rows, width].
void AdaptedLinear::add_piece(const Piece& piece, std::size_t rows, std::size_t width, float* out,
                              ProductScratch& scratch) const {
  const std::size_t padded = padded_product_rows(rows);
  const std::size_t outputs = piece.b->panel_outputs(0);
  scratch.added.reserve(padded * outputs * sizeof(float));
  float* const added = scratch.added.data<float>();
  piece.b->multiply(0, rows, scratch.low.data() + padded * rank_ * sizeof(float), added, scratch);
  for (std::size_t r = 0; r < rows; ++r) {
    kernels_.add(added + r * outputs, outputs, out + r * width + piece.column);
  }
}

std::size_t AdaptedLinear::num_bytes() const {
  std::size_t bytes = base_->num_bytes();
  for (const auto& a : a_) bytes += a->num_bytes();
  for (const auto& pieces : panels_) {
    for (const Piece& piece : pieces) bytes += piece.b->num_bytes();
  }
  return bytes;
}

}  // namespace rr::internal
