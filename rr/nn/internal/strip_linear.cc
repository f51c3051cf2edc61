#include "rr/nn/internal/strip_linear.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace rr::internal {
namespace {

constexpr std::size_t kStripWidth = 64;
constexpr std::size_t kStripDepth = 256;  // inputs widened at a time: 64 KiB, for the second cache

// So few rows read weights faster than a widened copy could be made.
constexpr std::size_t kRowsWidenedInPlace = 8;

template <typename Number>
class StripLinear : public Linear {
 public:
  StripLinear(std::size_t num_inputs, std::vector<std::size_t> panels, WeightArena& arena,
              const RowKernels& kernels)
      : num_inputs_(num_inputs), outputs_(std::move(panels)), kernels_(kernels) {
    for (const std::size_t outputs : outputs_) {
      void* const memory = arena.allocate(outputs * num_inputs * sizeof(Number));
      panels_.push_back(static_cast<Number*>(memory));
    }
  }

  std::size_t num_inputs() const override { return num_inputs_; }
  std::size_t num_panels() const override { return panels_.size(); }
  std::size_t panel_outputs(std::size_t panel) const override { return outputs_[panel]; }

  void pack(std::size_t panel, const float* weight, ProductScratch&) override {
    for (std::size_t output = 0; output < outputs_[panel]; ++output) {
      const Strip strip = strip_of(panel, output);
      for (std::size_t k = 0; k < num_inputs_; ++k) {
        store(weight[output * num_inputs_ + k], strip.column + k * strip.width);
      }
    }
  }

  void pack_columns(std::size_t panel, std::span<const float* const> rows,
                    ProductScratch&) override {
    for (std::size_t first = 0; first < outputs_[panel]; first += kStripWidth) {
      const Strip strip = strip_of(panel, first);
      for (std::size_t k = 0; k < rows.size(); ++k) {
        for (std::size_t i = 0; i < strip.width; ++i) {
          store(rows[k][first + i], strip.column + k * strip.width + i);
        }
      }
    }
  }

  void multiply(std::size_t panel, std::size_t rows, const void* in, float* out,
                ProductScratch& scratch) const override {
    multiply_into(panel, rows, in, out, outputs_[panel], scratch);
  }

  void multiply_into(std::size_t panel, std::size_t rows, const void* in, float* out,
                     std::size_t out_stride, ProductScratch& scratch) const override {
    multiply_strips(panel, rows, in, out, out_stride, /*adds=*/false, scratch);
  }

  void add_into(std::size_t panel, std::size_t rows, const void* in, float* out,
                std::size_t out_stride, ProductScratch& scratch) const override {
    multiply_strips(panel, rows, in, out, out_stride, /*adds=*/true, scratch);
  }

  void weight_row(std::size_t panel, std::size_t row, float* out) const override {
    const Strip strip = strip_of(panel, row);
    for (std::size_t k = 0; k < num_inputs_; ++k) out[k] = load(strip.column + k * strip.width);
  }

  std::size_t num_bytes() const override {
    return std::accumulate(outputs_.begin(), outputs_.end(), std::size_t{0}) * num_inputs_ *
           sizeof(Number);
  }

 private:
  // Where the weights of an output stand: `width` apart.
  struct Strip {
    Number* column;
    std::size_t width;
  };
  Strip strip_of(std::size_t panel, std::size_t output) const {
    const std::size_t first = output / kStripWidth * kStripWidth;
    return {panels_[panel] + first * num_inputs_ + output - first,
            std::min(kStripWidth, outputs_[panel] - first)};
  }

  void multiply_strips(std::size_t panel, std::size_t rows, const void* in, float* out,
                       std::size_t out_stride, bool adds, ProductScratch& scratch) const {
    const auto* const left = static_cast<const float*>(in);
    for (std::size_t first = 0; first < outputs_[panel]; first += kStripWidth) {
      const std::size_t width = std::min(kStripWidth, outputs_[panel] - first);
      const Number* const strip = panels_[panel] + first * num_inputs_;
      for (std::size_t k = 0; k < num_inputs_; k += kStripDepth) {
        const std::size_t depth = std::min(kStripDepth, num_inputs_ - k);
        multiply_piece({left + k, num_inputs_, width, rows, width, depth, out + first, out_stride,
                        adds || k > 0},
                       strip + k * width, scratch);
      }
    }
  }

  void multiply_piece(const RowsProduct& product, const float* right, ProductScratch&) const {
    kernels_.multiply_f32(product, right);
  }

  void multiply_piece(const RowsProduct& product, const Bf16* right,
                      ProductScratch& scratch) const {
    if (product.rows <= kRowsWidenedInPlace) {
      kernels_.multiply_bf16(product, right);
      return;
    }
    scratch.widened.reserve(kStripWidth * kStripDepth * sizeof(float));
    auto* const floats = scratch.widened.data<float>();
    kernels_.widen(right, product.depth * product.width, floats);
    kernels_.multiply_f32(product, floats);
  }

  std::size_t num_inputs_;
  std::vector<std::size_t> outputs_;
  const RowKernels& kernels_;
  std::vector<Number*> panels_;
};

}  // namespace

std::unique_ptr<Linear> make_strip_linear(ProductFamily family, std::size_t num_inputs,
                                          std::vector<std::size_t> panels, WeightArena& arena,
                                          const RowKernels& kernels) {
  if (family == ProductFamily::kF32) {
    return std::make_unique<StripLinear<float>>(num_inputs, std::move(panels), arena, kernels);
  }
  return std::make_unique<StripLinear<Bf16>>(num_inputs, std::move(panels), arena, kernels);
}

}  // namespace rr::internal
