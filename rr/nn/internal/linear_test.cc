#include "rr/nn/internal/linear.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <vector>

#include "rr/nn/internal/decoder_weights.h"
#include "rr/nn/internal/fake_model.h"

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

  std::vector<float> run(const Linear& linear, Element element, std::size_t rows) const {
    ProductScratch scratch;
    AlignedBuffer activations(in.size() * element_bytes(element));
    for (std::size_t i = 0; i < in.size(); ++i) {
      if (element == Element::kBf16) {
        activations.data<Bf16>()[i] = to_bf16(in[i]);
      } else {
        activations.data<float>()[i] = in[i];
      }
    }
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

std::unique_ptr<Linear> packed(const Product& product, ProductFamily family,
                               std::vector<std::size_t> panels, ProductCache& cache) {
  auto linear = make_linear(family, product.inputs, std::move(panels), cache, baseline_kernels());
  ProductScratch scratch;
  std::size_t first = 0;
  for (std::size_t p = 0; p < linear->num_panels(); ++p) {
    linear->pack(p, product.weight.data() + first * product.inputs, scratch);
    first += linear->panel_outputs(p);
  }
  return linear;
}

TEST(Linear, IsTheProductOfThePlainLoops) {
  for (const ProductFamily family : families_here()) {
    for (const auto& [inputs, panels] :
         std::vector<std::pair<std::size_t, std::vector<std::size_t>>>{
             {64, {100}}, {160, {64, 64, 12}}, {576, {320, 256}}, {32, {1}}}) {
      const Product product{inputs, std::accumulate(panels.begin(), panels.end(), std::size_t{0})};
      ProductCache cache(family);
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
    if (family == ProductFamily::kBf16 && cpu_features().has_amx_bf16) {
      continue;  // oneDNN's own AMX products do: that is why kAmx stands before them
    }
    const Product product{1536, 576};
    ProductCache cache(family);
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

TEST(Linear, GivesBackARowOfItsWeight) {
  for (const ProductFamily family : families_here()) {
    const Product product{160, 140};
    ProductCache cache(family);
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

TEST(PanelOutputs, AreWholeTilesAndEnoughForAllThreads) {
  using Panels = std::vector<std::size_t>;
  EXPECT_EQ(panel_outputs(960, 2, 64), (Panels{512, 448}));
  EXPECT_EQ(panel_outputs(576, 1, 64), (Panels{576}));
  EXPECT_EQ(panel_outputs(64, 16, 64), (Panels{64}));
  EXPECT_EQ(panel_outputs(3000, 2, 64), (Panels{768, 768, 768, 696}));
}

}  // namespace
}  // namespace rr::internal
