#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "rr/nn/internal/kernels.h"
#include "rr/nn/internal/linear.h"
#include "rr/nn/parameter.h"

namespace rr::internal {

// Outputs of a panel that come, one after another, from rows of one tensor.
struct TensorRows {
  std::string name;  // "model.layers.0.self_attn.q_proj.weight"
  std::size_t first_row;
  std::size_t num_rows;
};

// The products of adapters, as a learner's are.
struct AdapterProducts {
  explicit AdapterProducts(ProductFamily of_weights) : family(adapter_family(of_weights)) {}

  ProductFamily family;
  ProductCache cache;
};

// A linear layer with an adapter beside each of the tensors that it is made of:
//
//   out = W x + scale * B (A x)          scale = alpha / rank
//
// A x is rounded as activations are, after scaling, and the sum of W x goes on by B's, as
// LearnedLinear has it.
class AdaptedLinear : public Linear {
 public:
  // `panels`: what each panel of `base` is made of. The adapters begin as zero.
  AdaptedLinear(std::unique_ptr<Linear> base, std::vector<std::vector<TensorRows>> panels,
                const LoraShape& shape, AdapterProducts& products, const RowKernels& kernels);

  // Of the tensors, "model.layers.0.self_attn.q_proj.weight", in the order of set_adapter().
  const std::vector<std::string>& tensors() const { return names_; }

  // a: [rank, inputs]; b: [outputs of the tensor, rank].
  void set_adapter(std::size_t tensor, const float* a, const float* b, ProductScratch& scratch);

  std::size_t num_inputs() const override { return base_->num_inputs(); }
  std::size_t num_panels() const override { return base_->num_panels(); }
  std::size_t panel_outputs(std::size_t panel) const override {
    return base_->panel_outputs(panel);
  }
  void pack(std::size_t panel, const float* weight, ProductScratch& scratch) override {
    base_->pack(panel, weight, scratch);
  }
  void multiply(std::size_t panel, std::size_t rows, const void* in, float* out,
                ProductScratch& scratch) const override;
  void weight_row(std::size_t panel, std::size_t row, float* out) const override {
    base_->weight_row(panel, row, out);
  }
  std::size_t num_bytes() const override;

 private:
  struct Piece {
    std::size_t tensor;
    std::size_t first_row;
    std::size_t column;  // of the panel
    std::unique_ptr<Linear> b;
  };

  std::size_t tensor_of(const std::string& name);

  std::unique_ptr<Linear> base_;
  std::size_t rank_;
  std::size_t low_width_;
  float scale_;
  AdapterProducts& products_;
  const RowKernels& kernels_;
  std::vector<std::string> names_;
  std::vector<std::unique_ptr<Linear>> a_;  // of each tensor
  std::vector<std::vector<Piece>> panels_;
};

}  // namespace rr::internal
