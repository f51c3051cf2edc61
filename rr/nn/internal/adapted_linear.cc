#include "rr/nn/internal/adapted_linear.h"

#include <algorithm>
#include <utility>

namespace rr::internal {

AdaptedLinear::AdaptedLinear(std::unique_ptr<Linear> base,
                             std::vector<std::vector<TensorRows>> panels, const LoraShape& shape,
                             AdapterProducts& products, const RowKernels& kernels)
    : base_(std::move(base)),
      rank_(shape.rank),
      low_width_(adapter_width(shape.rank, 1)),
      scale_(shape.alpha / static_cast<float>(shape.rank)),
      products_(products),
      kernels_(kernels) {
  for (const std::vector<TensorRows>& panel : panels) {
    std::vector<Piece>& pieces = panels_.emplace_back();
    std::size_t column = 0;
    for (const TensorRows& rows : panel) {
      pieces.push_back(
          {tensor_of(rows.name), rows.first_row, column,
           make_linear(products_.family, low_width_, {rows.num_rows}, products_.cache, kernels_)});
      column += rows.num_rows;
    }
  }
}

std::size_t AdaptedLinear::tensor_of(const std::string& name) {
  const auto known = std::find(names_.begin(), names_.end(), name);
  if (known != names_.end()) return static_cast<std::size_t>(known - names_.begin());
  names_.push_back(name);
  a_.push_back(
      make_linear(products_.family, base_->num_inputs(), {low_width_}, products_.cache, kernels_));
  return names_.size() - 1;
}

void AdaptedLinear::set_adapter(std::size_t tensor, const float* a, const float* b,
                                ProductScratch& scratch) {
  std::vector<float> filled(low_width_ * num_inputs());
  std::copy_n(a, rank_ * num_inputs(), filled.data());
  a_[tensor]->pack(0, filled.data(), scratch);
  for (std::vector<Piece>& pieces : panels_) {
    for (Piece& piece : pieces) {
      if (piece.tensor != tensor) continue;
      const std::size_t outputs = piece.b->panel_outputs(0);
      filled.assign(outputs * low_width_, 0.0f);
      for (std::size_t r = 0; r < outputs; ++r) {
        std::copy_n(b + (piece.first_row + r) * rank_, rank_, filled.data() + r * low_width_);
      }
      piece.b->pack(0, filled.data(), scratch);
    }
  }
}

void AdaptedLinear::multiply(std::size_t panel, std::size_t rows, const void* in, float* out,
                             ProductScratch& scratch) const {
  base_->multiply(panel, rows, in, out, scratch);
  const std::size_t count = padded_product_rows(rows) * low_width_;
  scratch.low.reserve(2 * count * sizeof(float));
  float* const low = scratch.low.data<float>();
  void* const activations = low + count;
  for (const Piece& piece : panels_[panel]) {
    a_[piece.tensor]->multiply(0, rows, in, low, scratch);
    if (activation_element(products_.family) == Element::kBf16) {
      kernels_.scale_bf16(low, scale_, rows * low_width_, static_cast<Bf16*>(activations));
    } else {
      kernels_.scale_f32(low, scale_, rows * low_width_, static_cast<float*>(activations));
    }
    piece.b->add_into(0, rows, activations, out + piece.column, base_->panel_outputs(panel),
                      scratch);
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
