#include "rr/nn/internal/quantised_linear.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "rr/base/check.h"
#include "rr/nn/internal/half.h"

namespace rr::internal {
namespace {

std::uint8_t* bytes_of(std::byte* bytes) { return reinterpret_cast<std::uint8_t*>(bytes); }

// What int8 and int4 have in common: panels of strips, and rows quantised on their way in.
class QuantisedLinear : public Linear {
 public:
  QuantisedLinear(std::size_t num_inputs, std::vector<std::size_t> panels, std::size_t strip_bytes,
                  WeightArena& arena, const RowKernels& kernels)
      : num_inputs_(num_inputs),
        inputs_(padded_inputs(num_inputs)),
        outputs_(std::move(panels)),
        strip_bytes_(strip_bytes),
        kernels_(kernels) {
    for (const std::size_t outputs : outputs_) {
      panels_.push_back(arena.allocate(num_strips(outputs) * strip_bytes));
    }
  }

  std::size_t num_inputs() const override { return num_inputs_; }
  std::size_t num_panels() const override { return panels_.size(); }
  std::size_t panel_outputs(std::size_t panel) const override { return outputs_[panel]; }

  std::size_t num_bytes() const override {
    std::size_t bytes = 0;
    for (const std::size_t outputs : outputs_) bytes += num_strips(outputs) * strip_bytes_;
    return bytes;
  }

 protected:
  std::size_t inputs() const { return inputs_; }  // padded
  const RowKernels& kernels() const { return kernels_; }

  std::byte* strip_of(std::size_t panel, std::size_t output) const {
    return panels_[panel] + output / kStripOutputs * strip_bytes_;
  }
  void clear(std::size_t panel) {
    std::memset(panels_[panel], 0, num_strips(outputs_[panel]) * strip_bytes_);
  }

  QuantisedPiece piece(std::size_t panel, std::size_t first_input, std::size_t count) const {
    return {panels_[panel], inputs_, outputs_[panel], first_input, count};
  }
  QuantisedProduct product(std::size_t panel, const QuantisedRows& rows, float* out) const {
    return {rows, panels_[panel], outputs_[panel], out};
  }

  QuantisedRows quantise(const float* in, std::size_t count, AlignedBuffer& buffer) const {
    const std::size_t blocks = inputs_ / kQuantBlock;
    buffer.reserve(count * (inputs_ + blocks * (sizeof(float) + sizeof(std::int32_t))));
    auto* const values = buffer.data<std::int8_t>();
    auto* const scales = reinterpret_cast<float*>(buffer.data() + count * inputs_);
    auto* const sums = reinterpret_cast<std::int32_t*>(scales + count * blocks);
    for (std::size_t r = 0; r < count; ++r) {
      for (std::size_t b = 0; b < blocks; ++b) {
        const std::size_t start = b * kQuantBlock;
        kernels_.quantise_block(
            in + r * num_inputs_ + start, std::min(kQuantBlock, num_inputs_ - start), kQuantBlock,
            values + r * inputs_ + start, scales + r * blocks + b, sums + r * blocks + b);
      }
    }
    return {count, inputs_, values, scales, sums};
  }

 private:
  std::size_t num_inputs_;
  std::size_t inputs_;
  std::vector<std::size_t> outputs_;
  std::size_t strip_bytes_;
  const RowKernels& kernels_;
  std::vector<std::byte*> panels_;
};

class Int8Linear : public QuantisedLinear {
 public:
  Int8Linear(std::size_t num_inputs, std::vector<std::size_t> panels, WeightArena& arena,
             const RowKernels& kernels)
      : QuantisedLinear(num_inputs, std::move(panels), int8_strip_bytes(padded_inputs(num_inputs)),
                        arena, kernels) {}

  void pack(std::size_t panel, const float* weight, ProductScratch&) override {
    clear(panel);
    for (std::size_t n = 0; n < panel_outputs(panel); ++n) {
      pack_row(weight + n * num_inputs(), n % kStripOutputs, strip_of(panel, n));
    }
  }

  void multiply(std::size_t panel, std::size_t rows, const void* in, float* out,
                ProductScratch& scratch) const override {
    const QuantisedRows quantised =
        quantise(static_cast<const float*>(in), rows, scratch.quantised);
    kernels().multiply_int8(product(panel, quantised, out));
  }

  void widen(std::size_t panel, std::size_t first_input, std::size_t count, Element element,
             void* out) const override {
    if (element == Element::kBf16) {
      kernels().widen_int8_bf16(piece(panel, first_input, count), static_cast<Bf16*>(out));
    } else {
      kernels().widen_int8_f32(piece(panel, first_input, count), static_cast<float*>(out));
    }
  }

  void weight_row(std::size_t panel, std::size_t row, float* out) const override {
    std::byte* const strip = strip_of(panel, row);
    const std::size_t output = row % kStripOutputs;
    float scale;
    std::memcpy(&scale, scale_of(strip, output), sizeof scale);
    for (std::size_t k = 0; k < num_inputs(); ++k) {
      const int q = std::to_integer<int>(strip[int8_offset(output, k)]) - kInt8Zero;
      out[k] = static_cast<float>(q) * scale;
    }
  }

 private:
  std::byte* scale_of(std::byte* strip, std::size_t output) const {
    return strip + inputs() * kStripOutputs + output * sizeof(float);
  }

  void pack_row(const float* weight, std::size_t output, std::byte* strip) const {
    float most = 0;
    for (std::size_t k = 0; k < num_inputs(); ++k) most = std::max(most, std::abs(weight[k]));
    const float inverse = most > 0 ? 127.0f / most : 0.0f;
    for (std::size_t k = 0; k < num_inputs(); ++k) {
      const int q = static_cast<int>(std::lrint(weight[k] * inverse)) + kInt8Zero;
      bytes_of(strip)[int8_offset(output, k)] = static_cast<std::uint8_t>(q);
    }
    const float scale = most / 127.0f;
    std::memcpy(scale_of(strip, output), &scale, sizeof scale);
  }
};

class Int4Linear : public QuantisedLinear {
 public:
  Int4Linear(std::size_t num_inputs, std::vector<std::size_t> panels, WeightArena& arena,
             const RowKernels& kernels)
      : QuantisedLinear(num_inputs, std::move(panels), int4_strip_bytes(padded_inputs(num_inputs)),
                        arena, kernels) {}

  void pack(std::size_t panel, const float* weight, ProductScratch&) override {
    clear(panel);
    for (std::size_t n = 0; n < panel_outputs(panel); ++n) {
      for (std::size_t k = 0; k < num_inputs(); k += kQuantBlock) {
        const std::size_t count = std::min(kQuantBlock, num_inputs() - k);
        put(panel, n, k, quantise_int4({weight + n * num_inputs() + k, count}));
      }
    }
  }

  bool takes_int4_blocks() const override { return num_inputs() % kQuantBlock == 0; }

  void pack_int4(std::size_t panel, std::size_t output,
                 std::span<const Int4Block> blocks) override {
    for (std::size_t b = 0; b < blocks.size(); ++b) put(panel, output, b * kQuantBlock, blocks[b]);
  }

  void multiply(std::size_t panel, std::size_t rows, const void* in, float* out,
                ProductScratch& scratch) const override {
    const QuantisedRows quantised =
        quantise(static_cast<const float*>(in), rows, scratch.quantised);
    kernels().multiply_int4(product(panel, quantised, out));
  }

  void widen(std::size_t panel, std::size_t first_input, std::size_t count, Element element,
             void* out) const override {
    if (element == Element::kBf16) {
      kernels().widen_int4_bf16(piece(panel, first_input, count), static_cast<Bf16*>(out));
    } else {
      kernels().widen_int4_f32(piece(panel, first_input, count), static_cast<float*>(out));
    }
  }

  void weight_row(std::size_t panel, std::size_t row, float* out) const override {
    const std::size_t output = row % kStripOutputs;
    for (std::size_t k = 0; k < num_inputs(); ++k) {
      const std::byte* const block = strip_of(panel, row) + k / kQuantBlock * kInt4BlockBytes;
      const std::size_t in_block = k % kQuantBlock;
      const unsigned both = std::to_integer<unsigned>(block[int4_offset(output, in_block)]);
      const unsigned q = both >> int4_shift(in_block) & 0x0fu;
      out[k] = half_bits_to_float(factor(block, output)) * static_cast<float>(q) +
               half_bits_to_float(factor(block, kStripOutputs + output));
    }
  }

 private:
  static std::uint16_t factor(const std::byte* block, std::size_t index) {
    std::uint16_t half;
    std::memcpy(&half, block + kInt4Quants + index * sizeof half, sizeof half);
    return half;
  }

  void put(std::size_t panel, std::size_t n, std::size_t first_input, const Int4Block& from) {
    std::byte* const block = strip_of(panel, n) + first_input / kQuantBlock * kInt4BlockBytes;
    const std::size_t output = n % kStripOutputs;
    for (std::size_t k = 0; k < kQuantBlock; k += 8) {
      for (std::size_t i = k; i < k + 4; ++i) {
        bytes_of(block)[int4_offset(output, i)] =
            static_cast<std::uint8_t>(from.q[i] | from.q[i + 4] << 4);
      }
    }
    std::byte* const factors = block + kInt4Quants;
    std::memcpy(factors + output * sizeof from.d, &from.d, sizeof from.d);
    std::memcpy(factors + (kStripOutputs + output) * sizeof from.m, &from.m, sizeof from.m);
  }
};

}  // namespace

Int4Block quantise_int4(std::span<const float> weights) {
  const auto [low, high] = std::minmax_element(weights.begin(), weights.end());
  Int4Block block;
  block.m = float_to_half_bits(*low);
  block.d = float_to_half_bits((*high - *low) / 15.0f);
  const float m = half_bits_to_float(block.m);
  const float d = half_bits_to_float(block.d);
  for (std::size_t i = 0; i < weights.size() && d > 0; ++i) {
    const long q = std::lrint((weights[i] - m) / d);
    block.q[i] = static_cast<std::uint8_t>(std::clamp(q, 0L, 15L));
  }
  return block;
}

std::unique_ptr<Linear> make_quantised_linear(ProductFamily family, std::size_t num_inputs,
                                              std::vector<std::size_t> panels, WeightArena& arena,
                                              const RowKernels& kernels) {
  if (family == ProductFamily::kInt4) {
    return std::make_unique<Int4Linear>(num_inputs, std::move(panels), arena, kernels);
  }
  RR_CHECK(family == ProductFamily::kInt8, "a quantised family");
  return std::make_unique<Int8Linear>(num_inputs, std::move(panels), arena, kernels);
}

}  // namespace rr::internal
