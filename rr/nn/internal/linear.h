#pragma once

#include <cstddef>
#include <memory>
#include <oneapi/dnnl/dnnl.hpp>
#include <span>
#include <string>
#include <vector>

#include "rr/nn/internal/aligned_buffer.h"
#include "rr/nn/internal/kernels.h"
#include "rr/nn/internal/weight_arena.h"

namespace rr::internal {

// How products are computed.
enum class ProductFamily {
  kAmx,      // own kernels on bf16 tiles; needs AMX-BF16 and inputs in whole groups of 32
  kBf16,     // oneDNN on bf16 activations and weights; needs AVX512_BF16
  kGeneric,  // weights kept in bf16, widened piece by piece for products in float32
  kF32,      // float32 weights. Both by our own loops (strip_linear.h)
  kInt8,     // weights of 8 bits by output, activations in blocks of 32; see quantised_layout.h
  kInt4,     // weights of 4 bits in blocks of 32, activations as for kInt8
};

// What its products take in.
constexpr Element activation_element(ProductFamily family) {
  const bool takes_bf16 = family == ProductFamily::kAmx || family == ProductFamily::kBf16;
  return takes_bf16 ? Element::kBf16 : Element::kF32;
}

constexpr bool is_quantised(ProductFamily family) {
  return family == ProductFamily::kInt8 || family == ProductFamily::kInt4;
}

// That of adapters beside such weights: beside quantised ones as in float32.
constexpr ProductFamily adapter_family(ProductFamily of_weights) {
  return activation_element(of_weights) == Element::kBf16 ? of_weights : ProductFamily::kF32;
}

// Numbers that stand between A and B for so many adapters: all ranks, and zeros up to a multiple of
// 32, which is what kAmx takes in.
constexpr std::size_t adapter_width(std::size_t rank, std::size_t num_adapters) {
  return (rank * num_adapters + 31) / 32 * 32;
}

// That of the output layer, which bears four bits less well than the others.
constexpr ProductFamily output_family(ProductFamily family) {
  return family == ProductFamily::kInt4 ? ProductFamily::kInt8 : family;
}

// What attention takes in beside such products: quantised weights leave it as it is in bf16.
Element attention_element(ProductFamily family, bool force_generic);

// The one engine of all primitives, streams and memories: oneDNN does not mix engines.
const dnnl::engine& cpu_engine();

// What one thread needs for products. Not shared.
struct ProductScratch {
  dnnl::stream stream{cpu_engine()};
  AlignedBuffer dnnl_scratchpad;
  AlignedBuffer widened;    // kGeneric; and what a gradient of weights turns, on AMX
  AlignedBuffer quantised;  // kInt8, kInt4
  AlignedBuffer low;        // of adapters: A x, in float32 and as activations
  AlignedBuffer panel;      // a panel's weight or product on its way
};

// oneDNN products are computed for a few numbers of rows only, so that few kernels have to be
// generated. Requires 1 <= rows <= kMaxProductRows.
constexpr std::size_t kMaxProductRows = 128;
std::size_t padded_product_rows(std::size_t rows);

struct Int4Block;

// The weight of a linear layer, packed once for products. It is cut by outputs into panels that
// threads can take one by one.
class Linear {
 public:
  virtual ~Linear() = default;

  virtual std::size_t num_inputs() const = 0;
  virtual std::size_t num_panels() const = 0;
  virtual std::size_t panel_outputs(std::size_t panel) const = 0;
  std::size_t max_panel_outputs() const;

  // Sets the weight of a panel: [panel_outputs, num_inputs] float32. Panels may be packed by
  // several threads at the same time.
  virtual void pack(std::size_t panel, const float* weight, ProductScratch& scratch) = 0;

  // The same from the weight's transpose: rows[k] has what input k gives to each output of the
  // panel.
  virtual void pack_columns(std::size_t panel, std::span<const float* const> rows,
                            ProductScratch& scratch);

  // Whether it takes weights that a file has in int4's own blocks (quantised_linear.h) as they are:
  // those of one output of a panel. As pack().
  virtual bool takes_int4_blocks() const { return false; }
  virtual void pack_int4(std::size_t panel, std::size_t output, std::span<const Int4Block> blocks);

  // out [rows padded, panel_outputs] float32 = in [rows padded, num_inputs] * weight^T. `in` holds
  // activation_element(family) numbers; what stands in padding rows does not matter, but must be
  // readable. A row's result does not depend on the other rows.
  virtual void multiply(std::size_t panel, std::size_t rows, const void* in, float* out,
                        ProductScratch& scratch) const = 0;

  // The same into rows that lie `out_stride` apart, of which there is room for `rows` padded.
  virtual void multiply_into(std::size_t panel, std::size_t rows, const void* in, float* out,
                             std::size_t out_stride, ProductScratch& scratch) const;

  // The same added to what stands there. Not for quantised weights.
  virtual void add_into(std::size_t panel, std::size_t rows, const void* in, float* out,
                        std::size_t out_stride, ProductScratch& scratch) const;

  // For how many rows a panel's weight is best read at once: a multiple of kMaxProductRows, and no
  // more than multiply() and multiply_into() take.
  virtual std::size_t rows_at_once() const { return kMaxProductRows; }

  // One row of the weight: [num_inputs].
  virtual void weight_row(std::size_t panel, std::size_t row, float* out) const = 0;

  // Some inputs of a panel's weight as plain numbers, for products with its transpose:
  // [panel_outputs, count] in `element`. Quantised families only; first_input a multiple of
  // 32.
  virtual void widen(std::size_t panel, std::size_t first_input, std::size_t count, Element element,
                     void* out) const;

  virtual std::size_t num_bytes() const = 0;
};

// Creates an empty Linear of these panels (outputs of each). `cache` holds its memory and the
// kernels that oneDNN makes, one for all layers of a shape, and must outlive it.
class ProductCache;
std::unique_ptr<Linear> make_linear(ProductFamily family, std::size_t num_inputs,
                                    std::vector<std::size_t> panels, ProductCache& cache,
                                    const RowKernels& kernels);

// Whether oneDNN multiplies bf16 on this machine by its own instructions.
bool can_multiply_bf16();

// oneDNN's kernels by shape, created on first use by any thread; and the memory of the weights of
// all families.
class ProductCache {
 public:
  ProductCache();
  ~ProductCache();
  ProductCache(const ProductCache&) = delete;
  ProductCache& operator=(const ProductCache&) = delete;

  class Shape;  // of one (inputs, outputs)
  Shape& shape(std::size_t num_inputs, std::size_t num_outputs);

  // Where the weights lie.
  WeightArena& arena();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace rr::internal
