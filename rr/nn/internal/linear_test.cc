#include "rr/nn/internal/linear.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <numeric>
#include <vector>

#include "rr/base/cpu.h"
#include "rr/nn/internal/decoder_weights.h"
#include "rr/nn/internal/fake_model.h"
#include "rr/nn/internal/half.h"
#include "rr/nn/internal/quantised_linear.h"
#include "rr/nn/internal/select_kernels.h"
#include "rr/nn/internal/strip_linear.h"
#include "rr/nn/internal/tensor_reader.h"

namespace rr::internal {
namespace {

std::vector<ProductFamily> families_here() {
  std::vector<ProductFamily> families = {ProductFamily::kF32, ProductFamily::kGeneric};
  if (can_multiply_bf16()) families.push_back(ProductFamily::kBf16);
  if (cpu_features().has_amx_bf16) families.push_back(ProductFamily::kAmx);
  return families;
}

// Values that bf16 holds exactly, so that all families have the same answer.
std::vector<float> exact_floats(std::size_t count, unsigned seed) {
  std::vector<float> values = some_floats(count, seed);
  for (float& value : values) value = to_float(to_bf16(value));
  return values;
}

// A linear layer of random weights, its input, and what a product gives.
struct Product {
  std::size_t inputs;
  std::size_t outputs;
  std::vector<float> weight = exact_floats(inputs * outputs, 1);
  std::vector<float> in = exact_floats(kMaxProductRows * inputs, 2);

  AlignedBuffer activations_in(Element element) const {
    AlignedBuffer activations(in.size() * element_bytes(element));
    for (std::size_t i = 0; i < in.size(); ++i) {
      if (element == Element::kBf16) {
        activations.data<Bf16>()[i] = to_bf16(in[i]);
      } else {
        activations.data<float>()[i] = in[i];
      }
    }
    return activations;
  }

  std::vector<float> run(const Linear& linear, Element element, std::size_t rows) const {
    ProductScratch scratch;
    const AlignedBuffer activations = activations_in(element);
    std::vector<float> all(rows * outputs);
    std::size_t first = 0;
    for (std::size_t p = 0; p < linear.num_panels(); ++p) {
      const std::size_t width = linear.panel_outputs(p);
      AlignedBuffer out(kMaxProductRows * width * sizeof(float));
      linear.multiply(p, rows, activations.data(), out.data<float>(), scratch);
      for (std::size_t r = 0; r < rows; ++r) {
        std::copy_n(out.data<float>() + r * width, width,
                    all.begin() + static_cast<std::ptrdiff_t>(r * outputs + first));
      }
      first += width;
    }
    return all;
  }

  double expected(std::size_t row, std::size_t output) const {
    double sum = 0;
    for (std::size_t k = 0; k < inputs; ++k) {
      sum += static_cast<double>(in[row * inputs + k]) * weight[output * inputs + k];
    }
    return sum;
  }
};

void pack(const Product& product, Linear& linear) {
  ProductScratch scratch;
  std::size_t first = 0;
  for (std::size_t p = 0; p < linear.num_panels(); ++p) {
    linear.pack(p, product.weight.data() + first * product.inputs, scratch);
    first += linear.panel_outputs(p);
  }
}

std::unique_ptr<Linear> packed(const Product& product, ProductFamily family,
                               std::vector<std::size_t> panels, ProductCache& cache) {
  auto linear = make_linear(family, product.inputs, std::move(panels), cache, baseline_kernels());
  pack(product, *linear);
  return linear;
}

TEST(Linear, IsTheProductOfThePlainLoops) {
  for (const ProductFamily family : families_here()) {
    for (const auto& [inputs, panels] :
         std::vector<std::pair<std::size_t, std::vector<std::size_t>>>{
             {64, {100}}, {160, {64, 64, 12}}, {576, {320, 256}}, {32, {1}}}) {
      const Product product{inputs, std::accumulate(panels.begin(), panels.end(), std::size_t{0})};
      ProductCache cache;
      const auto linear = packed(product, family, panels, cache);
      for (const std::size_t rows : std::vector<std::size_t>{1, 5, 17, 33, 128}) {
        const auto found = product.run(*linear, activation_element(family), rows);
        for (std::size_t r = 0; r < rows; r += 4) {
          for (std::size_t n = 0; n < product.outputs; ++n) {
            ASSERT_NEAR(found[r * product.outputs + n], product.expected(r, n), 2e-4)
                << "family " << static_cast<int>(family) << ", inputs " << inputs << ", row " << r;
          }
        }
      }
    }
  }
}

TEST(Linear, ARowDoesNotDependOnTheOtherRowsOrOnThePanels) {
  for (const ProductFamily family : families_here()) {
    const Product product{1536, 576};
    ProductCache cache;
    const auto whole = packed(product, family, {576}, cache);
    const auto cut = packed(product, family, {192, 256, 128}, cache);
    const Element element = activation_element(family);
    const auto all = product.run(*whole, element, 128);
    for (const std::size_t rows : std::vector<std::size_t>{1, 2, 3, 7, 16, 40, 128}) {
      const auto some = product.run(*cut, element, rows);
      EXPECT_TRUE(std::equal(some.begin(), some.end(), all.begin()))
          << "family " << static_cast<int>(family) << ", rows " << rows;
    }
  }
}

TEST(Linear, OwnStripsAreTheProductOfThePlainLoopsInAnyBatch) {
  for (const RowKernels* const kernels : usable_row_kernels()) {
    for (const ProductFamily family : {ProductFamily::kF32, ProductFamily::kGeneric}) {
      const Product product{600, 140};
      ProductCache cache;
      const auto linear =
          make_strip_linear(family, product.inputs, {128, 12}, cache.arena(), *kernels);
      pack(product, *linear);
      const auto all = product.run(*linear, Element::kF32, 128);
      for (std::size_t r = 0; r < 128; r += 9) {
        for (std::size_t n = 0; n < product.outputs; ++n) {
          ASSERT_NEAR(all[r * product.outputs + n], product.expected(r, n), 2e-4)
              << kernels->name << ", row " << r;
        }
      }
      const auto cut =
          make_strip_linear(family, product.inputs, {5, 64, 50, 21}, cache.arena(), *kernels);
      pack(product, *cut);
      for (const std::size_t rows : std::vector<std::size_t>{1, 3, 7, 40}) {
        const auto some = product.run(*cut, Element::kF32, rows);
        EXPECT_TRUE(std::equal(some.begin(), some.end(), all.begin()))
            << kernels->name << ", rows " << rows;
      }
      std::vector<float> row(product.inputs);
      linear->weight_row(1, 11, row.data());
      EXPECT_TRUE(std::equal(row.begin(), row.end(), product.weight.end() - 600));
    }
  }
}

TEST(Linear, GivesBackARowOfItsWeight) {
  for (const ProductFamily family : families_here()) {
    const Product product{160, 140};
    ProductCache cache;
    const auto linear = packed(product, family, {128, 12}, cache);
    std::vector<float> row(160);
    for (const std::size_t n : std::vector<std::size_t>{0, 1, 17, 63, 64, 127, 128, 139}) {
      linear->weight_row(n / 128, n % 128, row.data());
      EXPECT_TRUE(std::equal(row.begin(), row.end(),
                             product.weight.begin() + static_cast<std::ptrdiff_t>(n * 160)))
          << "family " << static_cast<int>(family) << ", row " << n;
    }
  }
}

TEST(Linear, IsPackedFromItsTransposeToo) {
  for (const ProductFamily family : families_here()) {
    const Product product{96, 140};
    ProductCache cache;
    const auto by_rows = packed(product, family, {128, 12}, cache);
    const auto by_columns = make_linear(family, 96, {128, 12}, cache, baseline_kernels());
    std::vector<float> transpose(product.weight.size());
    for (std::size_t n = 0; n < 140; ++n) {
      for (std::size_t k = 0; k < 96; ++k) transpose[k * 140 + n] = product.weight[n * 96 + k];
    }
    ProductScratch scratch;
    std::vector<const float*> rows(96);
    for (std::size_t panel = 0; panel < 2; ++panel) {
      for (std::size_t k = 0; k < 96; ++k) rows[k] = &transpose[k * 140 + 128 * panel];
      by_columns->pack_columns(panel, rows, scratch);
    }
    const Element element = activation_element(family);
    EXPECT_EQ(product.run(*by_columns, element, 5), product.run(*by_rows, element, 5))
        << "family " << static_cast<int>(family);
  }
}

// Into columns 3 to 42 of rows of 55.
TEST(Linear, MultipliesIntoRowsThatLieApartAndAddsToThem) {
  for (const ProductFamily family : families_here()) {
    for (const std::size_t rows : {std::size_t{32}, kMaxProductRows}) {
      SCOPED_TRACE("family " + std::to_string(static_cast<int>(family)));
      const Product product{64, 40};
      ProductCache cache;
      const auto linear = packed(product, family, {40}, cache);
      const Element element = activation_element(family);
      const AlignedBuffer in = product.activations_in(element);
      std::vector<float> set(rows * 55, 7.0f);
      std::vector<float> added(rows * 55, 7.0f);
      ProductScratch scratch;
      linear->multiply_into(0, rows, in.data(), set.data() + 3, 55, scratch);
      linear->add_into(0, rows, in.data(), added.data() + 3, 55, scratch);
      const auto dense = product.run(*linear, element, rows);
      for (std::size_t r = 0; r < rows; ++r) {
        for (std::size_t n = 0; n < 55; ++n) {
          const bool is_output = n >= 3 && n < 43;
          const float expected = is_output ? dense[r * 40 + n - 3] : 7.0f;
          EXPECT_EQ(set[r * 55 + n], expected) << rows << " rows";
          EXPECT_NEAR(added[r * 55 + n], is_output ? 7.0f + expected : 7.0f, 1e-5) << rows;
        }
      }
    }
  }
}

TEST(Linear, TakesAsManyRowsAsItIsBestReadFor) {
  for (const ProductFamily family : families_here()) {
    Product product{64, 72};
    ProductCache cache;
    const auto linear = packed(product, family, {40, 32}, cache);
    const Element element = activation_element(family);
    const auto once = product.run(*linear, element, kMaxProductRows);
    const std::size_t rows = linear->rows_at_once();
    ASSERT_EQ(rows % kMaxProductRows, 0);
    const std::vector<float> in = product.in;
    while (product.in.size() < rows * product.inputs) {
      product.in.insert(product.in.end(), in.begin(), in.end());
    }
    const AlignedBuffer activations = product.activations_in(element);
    std::vector<float> out(rows * 72);
    ProductScratch scratch;
    linear->multiply_into(0, rows, activations.data(), out.data(), 72, scratch);
    linear->multiply_into(1, rows, activations.data(), out.data() + 40, 72, scratch);
    for (std::size_t i = 0; i < out.size(); ++i) EXPECT_EQ(out[i], once[i % once.size()]);
  }
}

// As to_bf16() does, both ways, in widths that layouts like and in others.
TEST(Linear, RoundsWeightsToTheNearest) {
  for (const ProductFamily family : families_here()) {
    if (activation_element(family) != Element::kBf16) continue;
    const std::vector<std::size_t> panels = {256, 192, 80, 48, 17};
    constexpr std::size_t kInputs = 160;
    ProductCache cache;
    for (const bool by_columns : {false, true}) {
      const auto linear = make_linear(family, kInputs, panels, cache, baseline_kernels());
      ProductScratch scratch;
      for (std::size_t panel = 0; panel < panels.size(); ++panel) {
        const std::size_t outputs = panels[panel];
        const std::vector<float> weight =
            some_floats(outputs * kInputs, static_cast<unsigned>(panel));
        if (by_columns) {
          std::vector<float> transpose(weight.size());
          std::vector<const float*> rows(kInputs);
          for (std::size_t k = 0; k < kInputs; ++k) {
            rows[k] = &transpose[k * outputs];
            for (std::size_t n = 0; n < outputs; ++n) {
              transpose[k * outputs + n] = weight[n * kInputs + k];
            }
          }
          linear->pack_columns(panel, rows, scratch);
        } else {
          linear->pack(panel, weight.data(), scratch);
        }
        std::vector<float> row(kInputs);
        for (std::size_t n = 0; n < outputs; ++n) {
          linear->weight_row(panel, n, row.data());
          for (std::size_t k = 0; k < kInputs; ++k) {
            ASSERT_EQ(row[k], to_float(to_bf16(weight[n * kInputs + k])))
                << "family " << static_cast<int>(family) << ", panel " << panel << ", output " << n
                << ", input " << k << (by_columns ? ", by columns" : "");
          }
        }
      }
    }
  }
}

// Quantised ------------------------------------------------------------------------------------

std::unique_ptr<Linear> quantised(const Product& product, ProductFamily family,
                                  std::vector<std::size_t> panels, ProductCache& cache,
                                  const RowKernels& kernels) {
  auto linear = make_linear(family, product.inputs, std::move(panels), cache, kernels);
  ProductScratch scratch;
  std::size_t first = 0;
  for (std::size_t p = 0; p < linear->num_panels(); ++p) {
    linear->pack(p, product.weight.data() + first * product.inputs, scratch);
    first += linear->panel_outputs(p);
  }
  return linear;
}

// The kernels with rows rounded as the baseline rounds them: where a number lies halfway between
// two steps, instruction sets may differ.
RowKernels with_baseline_rounding(const RowKernels& kernels) {
  RowKernels result = kernels;
  result.quantise_block = baseline_kernels().quantise_block;
  return result;
}

// A row of the input after its rounding.
std::vector<float> rounded_row(const Product& product, std::size_t row) {
  std::vector<float> rounded;
  for (std::size_t start = 0; start < product.inputs; start += kQuantBlock) {
    const std::size_t size = std::min(kQuantBlock, product.inputs - start);
    std::vector<std::int8_t> values(size);
    float scale = 0;
    std::int32_t sum = 0;
    baseline_kernels().quantise_block(product.in.data() + row * product.inputs + start, size, size,
                                      values.data(), &scale, &sum);
    for (const std::int8_t value : values) rounded.push_back(scale * value);
  }
  return rounded;
}

TEST(QuantiseBlock, RoundsToTheNearestOf127StepsOfTheLargest) {
  for (const RowKernels* const kernels : usable_row_kernels()) {
    for (const std::size_t size : std::vector<std::size_t>{1, 31, 32, 576}) {
      const auto row = some_floats(size, 3);
      std::vector<std::int8_t> values(size + 5, 1);
      float scale = 0;
      std::int32_t sum = 0;
      kernels->quantise_block(row.data(), size, size + 5, values.data(), &scale, &sum);
      float most = 0;
      for (const float value : row) most = std::max(most, std::abs(value));
      EXPECT_FLOAT_EQ(scale, most / 127) << kernels->name;
      for (std::size_t i = 0; i < size; ++i) {
        EXPECT_LE(std::abs(scale * values[i] - row[i]), 0.5001f * scale) << kernels->name;
      }
      EXPECT_EQ(std::accumulate(values.begin(), values.end(), 0), sum) << kernels->name;
      EXPECT_TRUE(std::all_of(values.end() - 5, values.end(), [](auto v) { return v == 0; }));
    }
  }
}

TEST(QuantiseBlock, PassesOnZerosAndNumbersThatAreNone) {
  for (const RowKernels* const kernels : usable_row_kernels()) {
    for (const float odd : {0.0f, NAN, INFINITY, -INFINITY}) {
      std::vector<float> row(40);
      row[33] = odd;
      std::vector<std::int8_t> values(40);
      float scale = 1;
      std::int32_t sum = 1;
      kernels->quantise_block(row.data(), 40, 40, values.data(), &scale, &sum);
      EXPECT_EQ(std::isfinite(scale), std::isfinite(odd)) << kernels->name << " " << odd;
      if (odd != 0) continue;
      EXPECT_EQ(scale, 0.0f);
      EXPECT_EQ(sum, 0);
    }
  }
}

class QuantisedLinear : public testing::TestWithParam<ProductFamily> {};

TEST_P(QuantisedLinear, IsTheProductOfItsWeightAndTheRoundedRow) {
  for (const RowKernels* const kernels : usable_row_kernels()) {
    for (const auto& [inputs, panels] :
         std::vector<std::pair<std::size_t, std::vector<std::size_t>>>{
             {64, {100}}, {60, {3}}, {160, {64, 64, 12}}, {1536, {70}}, {4, {64}}}) {
      const Product product{inputs, std::accumulate(panels.begin(), panels.end(), std::size_t{0})};
      ProductCache cache;
      const RowKernels rounding = with_baseline_rounding(*kernels);
      const auto linear = quantised(product, GetParam(), panels, cache, rounding);
      std::vector<float> weight(inputs);
      for (const std::size_t rows : std::vector<std::size_t>{1, 2, 3, 7, 128}) {
        const auto found = product.run(*linear, Element::kF32, rows);
        for (std::size_t n = 0; n < product.outputs; n += 5) {
          linear->weight_row(n / panels[0], n % panels[0], weight.data());
          for (std::size_t r = 0; r < rows; r += 6) {
            const std::vector<float> row = rounded_row(product, r);
            double expected = 0;
            for (std::size_t k = 0; k < inputs; ++k) {
              expected += static_cast<double>(row[k]) * weight[k];
            }
            ASSERT_NEAR(found[r * product.outputs + n], expected,
                        1e-5 * std::sqrt(static_cast<double>(inputs)))
                << kernels->name << ", inputs " << inputs << ", rows " << rows << ", row " << r;
          }
        }
      }
    }
  }
}

// Weights and rows at the ends of their steps, where a sum in few bits would overflow first.
TEST_P(QuantisedLinear, HoldsTheLargestSumsOfABlock) {
  for (const RowKernels* const kernels : usable_row_kernels()) {
    for (const float end : {1.0f, -1.0f}) {
      Product product{96, 64};
      for (std::size_t i = 0; i < product.weight.size(); ++i) {
        product.weight[i] = i % kQuantBlock == 0 ? 0.0f : end;
      }
      for (std::size_t i = 0; i < product.in.size(); ++i) {
        product.in[i] = i / product.inputs % 2 == 0 ? 1.0f : -1.0f;
      }
      ProductCache cache;
      const auto linear = quantised(product, GetParam(), {64}, cache, *kernels);
      for (const std::size_t rows : std::vector<std::size_t>{1, 8}) {
        const auto found = product.run(*linear, Element::kF32, rows);
        for (std::size_t i = 0; i < found.size(); ++i) {
          const double expected = product.expected(i / 64, i % 64);
          ASSERT_NEAR(found[i], expected, 0.05) << kernels->name << ", rows " << rows;
        }
      }
    }
  }
}

TEST_P(QuantisedLinear, ARowDoesNotDependOnTheOtherRowsOrOnThePanels) {
  for (const RowKernels* const kernels : usable_row_kernels()) {
    const Product product{1536, 576};
    ProductCache cache;
    const auto whole = quantised(product, GetParam(), {576}, cache, *kernels);
    const auto cut = quantised(product, GetParam(), {192, 256, 128}, cache, *kernels);
    const auto all = product.run(*whole, Element::kF32, 128);
    for (const std::size_t rows : std::vector<std::size_t>{1, 2, 3, 4, 5, 6, 7, 40, 127}) {
      const auto some = product.run(*cut, Element::kF32, rows);
      EXPECT_TRUE(std::equal(some.begin(), some.end(), all.begin()))
          << kernels->name << ", rows " << rows;
    }
  }
}

TEST_P(QuantisedLinear, KeepsWeightsToHalfAStep) {
  const Product product{160, 140};
  ProductCache cache;
  const auto linear = quantised(product, GetParam(), {128, 12}, cache, baseline_kernels());
  std::vector<float> row(160);
  for (std::size_t n = 0; n < 140; ++n) {
    linear->weight_row(n / 128, n % 128, row.data());
    const float* const weight = product.weight.data() + n * 160;
    const std::size_t block = GetParam() == ProductFamily::kInt4 ? 32 : 160;
    for (std::size_t start = 0; start < 160; start += block) {
      const auto [low, high] = std::minmax_element(weight + start, weight + start + block);
      const float step = GetParam() == ProductFamily::kInt4
                             ? (*high - *low) / 15
                             : std::max(std::abs(*low), std::abs(*high)) / 127;
      for (std::size_t k = start; k < start + block; ++k) {
        EXPECT_LE(std::abs(row[k] - weight[k]), 0.52f * step) << n << " " << k;
      }
    }
  }
}

TEST_P(QuantisedLinear, IsWidenedToWhatItKeeps) {
  for (const RowKernels* const kernels : usable_row_kernels()) {
    for (const std::size_t inputs : std::vector<std::size_t>{4, 31, 32, 97, 160}) {
      const Product product{inputs, 140};
      ProductCache cache;
      const auto linear = quantised(product, GetParam(), {128, 12}, cache, *kernels);
      std::vector<float> row(inputs);
      for (std::size_t first = 0; first < inputs; first += 64) {
        const std::size_t count = std::min<std::size_t>(64, inputs - first);
        for (std::size_t panel = 0; panel < 2; ++panel) {
          const std::size_t outputs = linear->panel_outputs(panel);
          std::vector<float> floats(outputs * count);
          std::vector<Bf16> rounded(outputs * count);
          linear->widen(panel, first, count, Element::kF32, floats.data());
          linear->widen(panel, first, count, Element::kBf16, rounded.data());
          for (std::size_t n = 0; n < outputs; ++n) {
            linear->weight_row(panel, n, row.data());
            for (std::size_t k = 0; k < count; ++k) {
              const float expected = row[first + k];
              ASSERT_NEAR(floats[n * count + k], expected, 1e-6)
                  << kernels->name << " " << n << " " << k;
              ASSERT_NEAR(to_float(rounded[n * count + k]), expected,
                          1e-6 + std::abs(expected) / 256);
            }
          }
        }
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Both, QuantisedLinear,
                         testing::Values(ProductFamily::kInt8, ProductFamily::kInt4),
                         [](const auto& tested) {
                           return tested.param == ProductFamily::kInt8 ? "Int8" : "Int4";
                         });

// Rows of Q4_0 and Q4_1 with all sorts of bytes come out as GGML dequantises them.
TEST(Int4Blocks, AreTheFilesOwn) {
  const FakeModel files = small_model(small_config("qwen2"));
  const DecoderConfig config = read_decoder_config(files).value();
  const TensorReader reader(files, config);
  for (const TensorType type : {TensorType::kQ4_0, TensorType::kQ4_1}) {
    const std::size_t block_bytes = block_shape(type).bytes;
    std::vector<std::byte> bytes(3 * block_bytes);
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(i * 89 + 7);
    for (std::size_t b = 0; b < 3; ++b) {  // scales of moderate size, one negative
      const std::uint16_t d = float_to_half_bits(b == 1 ? -0.123f : 0.0456f);
      const std::uint16_t m = float_to_half_bits(-0.3f);
      std::memcpy(&bytes[b * block_bytes], &d, 2);
      if (type == TensorType::kQ4_1) std::memcpy(&bytes[b * block_bytes + 2], &m, 2);
    }
    const TensorView tensor{"w", type, {1, 96}, bytes};
    std::vector<float> expected(96);
    dequantize_row(tensor, 0, expected);
    std::vector<Int4Block> blocks(3);
    ASSERT_TRUE(reader.read_int4_row({&tensor, 0}, 0, blocks).ok());
    for (std::size_t i = 0; i < 96; ++i) {
      const Int4Block& block = blocks[i / 32];
      EXPECT_EQ(half_bits_to_float(block.d) * block.q[i % 32] + half_bits_to_float(block.m),
                expected[i]);
    }
  }
}

TEST(Half, IsExactBothWaysForEveryFiniteNumber) {
  for (unsigned half = 0; half < 0x10000; ++half) {
    if ((half & 0x7c00u) == 0x7c00u) continue;  // infinity, NaN
    const float value = half_bits_to_float(static_cast<std::uint16_t>(half));
    EXPECT_EQ(float_to_half_bits(value), half);
    const int exponent = static_cast<int>(half >> 10 & 31u);
    const double mantissa = (half & 1023u) + (exponent > 0 ? 1024 : 0);
    const double magnitude = std::ldexp(mantissa, std::max(exponent, 1) - 25);
    EXPECT_EQ(value, (half & 0x8000u) != 0 ? -magnitude : magnitude);
  }
}

TEST(PanelOutputs, AreWholeTilesAndEnoughForAllThreads) {
  using Panels = std::vector<std::size_t>;
  EXPECT_EQ(panel_outputs(960, 2, 64), (Panels{512, 448}));
  EXPECT_EQ(panel_outputs(576, 1, 64), (Panels{576}));
  EXPECT_EQ(panel_outputs(64, 16, 64), (Panels{64}));
  EXPECT_EQ(panel_outputs(3000, 2, 64), (Panels{768, 768, 768, 696}));
}

}  // namespace
}  // namespace rr::internal
