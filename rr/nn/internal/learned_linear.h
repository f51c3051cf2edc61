#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "rr/base/result.h"
#include "rr/nn/internal/added_product.h"
#include "rr/nn/internal/aligned_buffer.h"
#include "rr/nn/internal/crew.h"
#include "rr/nn/internal/linear.h"
#include "rr/nn/internal/panel_packing.h"
#include "rr/nn/internal/weight_gradient.h"

namespace rr::internal {

// How the products of learning are computed; shared by all layers, one of which computes at a time.
struct LearningProducts {
  // `widened_element`: what quantised weights become on the way back.
  LearningProducts(ProductFamily the_family, const RowKernels& the_kernels,
                   Element widened_element = Element::kF32);

  ProductFamily family;
  Element element;  // of activations
  const RowKernels& kernels;
  ProductCache cache;
  WeightGradientProducts gradients;
  AddedProducts widened;           // with quantised weights, on the way back
  AlignedBuffer widened_gradient;  // that goes into them, in their element
};

// A weight as float32 rows: [outputs, inputs].
struct LinearPart {
  std::size_t outputs;
  const float* weight;  // where it stands while it learns or is loaded; null: pack_from_file()
  float* gradient;      // null where it does not learn

  // The adapter, where there is one.
  std::size_t rank = 0;
  const float* a = nullptr;  // [rank, inputs]
  const float* b = nullptr;  // [outputs, rank]
  float* d_a = nullptr;
  float* d_b = nullptr;
};

// A linear layer that learns, or through which others learn: tensors side by side that read the
// same input (q, k, v; gate, up), each with an adapter or none (all or none of a layer).
//
//   out_p = W_p x + scale * B_p (A_p x)          scale = alpha / rank
//   d_x   = sum_p W_p^T g_p + A_p^T h_p          h_p = scale * B_p^T g_p
//   d_W_p = sum_rows g_p x^T,  d_B_p = sum_rows g_p (scale * A_p x)^T,  d_A_p = sum_rows h_p x^T
//
// Quantised weights are kept once. On the way forward they round x as they do in serving; on the
// way back that rounding counts for none (the straight-through estimate, Bengio et al., arXiv
// 1308.3432), and pieces of W are widened as they are needed.
//
// The adapters of a layer are multiplied as one: A stacked, and B's beside one another on a
// diagonal, among zeros. Their sum goes on from W's in the same place.
//
// Matrices of rows are padded to padded_gradient_rows(rows) with zeros, x and g in activation
// elements; products fill the padding rows with zeros again.
class LearnedLinear {
 public:
  // `family`: of the weights.
  LearnedLinear(std::size_t inputs, std::vector<LinearPart> parts, float lora_scale,
                ProductFamily family, LearningProducts& products);

  std::size_t inputs() const { return inputs_; }
  std::size_t outputs() const { return outputs_; }
  bool has_adapter() const { return rank_ > 0; }
  std::size_t low_width() const { return adapter_width(rank_, parts_.size()); }

  // Packs the weights, or the adapters, from where the parts say they stand.
  void pack_weights(Crew& crew);
  void pack_adapters(Crew& crew);

  // Packs quantised weights from a file's tensors, one a part, none of which is ever whole in
  // float32. Fails by name where a weight is not finite.
  Status pack_from_file(const TensorReader& reader, std::span<const RowSource> tensors, Crew& crew);

  // The weights' floats may go after this: packed is packed.
  void forget_weights();

  // Off: multiply() has W x alone.
  void set_adapters_on(bool on) { adapters_on_ = on; }

  // out [rows padded, outputs] float32. `low` gets scale * A x, [rows padded, low_width()]
  // activations, where there are adapters.
  void multiply(const void* x, std::size_t rows, float* out, AlignedBuffer& low, Crew& crew) const;

  // d_x [rows padded, inputs] float32 is written. `d_low` gets h as `low` is laid out.
  void multiply_backward(const void* g, std::size_t rows, float* d_x, AlignedBuffer& d_low,
                         Crew& crew) const;

  // Adds to the gradients of whatever learns. `low` and `d_low` as the two above left them.
  void accumulate(const void* x, const void* g, std::size_t rows, const AlignedBuffer& low,
                  const AlignedBuffer& d_low, Crew& crew) const;

  // One row of the weight as it is in products: for embeddings that are an output layer.
  void weight_row(std::size_t row, float* out) const;

  std::size_t num_bytes() const;

 private:
  using Rows = std::vector<const float*>;

  void multiply_all(const Linear& linear, const Linear* adapter, const void* x, std::size_t rows,
                    const AlignedBuffer& low, float* out, Crew& crew) const;
  void multiply_low(const Linear& linear, const void* x, std::size_t rows, AlignedBuffer& low,
                    Crew& crew) const;
  void multiply_widened(const void* g, std::size_t rows, float* d_x, Crew& crew) const;
  void add_low(const Linear& adapter, std::size_t rows, const AlignedBuffer& low, float* out,
               Crew& crew) const;
  const std::byte* widened_gradient(const void* g, std::size_t rows, Crew& crew) const;
  std::vector<SourceRows> sources_of(std::size_t panel, std::span<const RowSource> tensors) const;
  static void pack_rows(Linear& linear, const Rows& rows, Crew& crew);
  static void pack_columns(Linear& linear, const Rows& rows, Crew& crew);

  std::size_t inputs_;
  std::size_t outputs_ = 0;
  std::size_t rank_ = 0;
  float scale_;
  bool adapters_on_ = true;
  std::vector<LinearPart> parts_;
  std::vector<std::size_t> part_starts_;
  LearningProducts& products_;
  std::unique_ptr<Linear> forward_;     // all parts' rows, one after another
  std::unique_ptr<Linear> backward_;    // its transpose; null where the weights are quantised
  std::unique_ptr<Linear> a_forward_;   // [low_width, inputs]
  std::unique_ptr<Linear> a_backward_;  // its transpose
  std::unique_ptr<Linear> b_forward_;   // [outputs, low_width], cut as forward_ is
  std::unique_ptr<Linear> b_backward_;  // its transpose
};

}  // namespace rr::internal
