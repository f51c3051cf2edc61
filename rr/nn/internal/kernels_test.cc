// Each operation of each instruction set that this machine has, against a plain loop in double.

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "rr/nn/internal/aligned_buffer.h"

#include "rr/base/cpu.h"
#include "rr/nn/internal/fake_model.h"
#include "rr/nn/internal/select_kernels.h"

namespace rr::internal {
namespace {

TEST(Bf16, RoundsToNearestAndTiesToEven) {
  EXPECT_EQ(to_bf16(1.0f), 0x3f80);
  EXPECT_EQ(to_bf16(1.00390625f), 0x3f80);  // 1 + 2^-8, halfway: to the even neighbour below
  EXPECT_EQ(to_bf16(1.01171875f), 0x3f82);  // 1 + 3 * 2^-8, halfway: to the even one above
  EXPECT_EQ(to_bf16(-1.004f), 0xbf81);
  EXPECT_EQ(to_float(0x3f82), 1.015625f);
}

TEST(Kernels, RmsNormIsTheRowOverItsRootMeanSquare) {
  for (const RowKernels* const kernels : usable_row_kernels()) {
    SCOPED_TRACE(kernels->name);
    for (const std::size_t size : std::vector<std::size_t>{1, 15, 16, 64, 576}) {
      const auto row = some_floats(size, 1);
      const auto weight = some_floats(size, 2);
      double squares = 0;
      for (const float value : row) squares += static_cast<double>(value) * value;
      const double scale = 1 / std::sqrt(squares / static_cast<double>(size) + 1e-5);
      std::vector<float> found(size);
      std::vector<Bf16> rounded(size);
      kernels->rms_norm_f32(row.data(), weight.data(), 1e-5f, size, found.data());
      kernels->rms_norm_bf16(row.data(), weight.data(), 1e-5f, size, rounded.data());
      for (std::size_t i = 0; i < size; ++i) {
        const double expected = static_cast<double>(weight[i]) * row[i] * scale;
        EXPECT_NEAR(found[i], expected, 1e-6 * (1 + std::abs(expected)));
        EXPECT_EQ(rounded[i], to_bf16(found[i]));
      }
    }
  }
}

TEST(Kernels, SwigluGatesBySilu) {
  for (const RowKernels* const kernels : usable_row_kernels()) {
    SCOPED_TRACE(kernels->name);
    auto gate = some_floats(100, 3, 5);
    gate[7] = 200;   // silu(x) = x
    gate[8] = -200;  // silu(x) = 0
    const auto up = some_floats(100, 4);
    std::vector<float> found(100);
    std::vector<Bf16> rounded(100);
    kernels->swiglu_f32(gate.data(), up.data(), 100, found.data());
    kernels->swiglu_bf16(gate.data(), up.data(), 100, rounded.data());
    for (std::size_t i = 0; i < 100; ++i) {
      const double expected = gate[i] / (1 + std::exp(-static_cast<double>(gate[i]))) * up[i];
      EXPECT_NEAR(found[i], expected, 1e-6 * (1 + std::abs(expected)));
      EXPECT_EQ(rounded[i], to_bf16(found[i]));
    }
  }
}

TEST(Kernels, RopeTurnsTheHalvesOfAHead) {
  for (const RowKernels* const kernels : usable_row_kernels()) {
    SCOPED_TRACE(kernels->name);
    std::vector<float> head = {1, 2, 3, 10, 20, 30};
    const std::vector<float> cosines = {1, 0, 0.6f};
    const std::vector<float> sines = {0, 1, 0.8f};
    kernels->rotate_head(head.data(), cosines.data(), sines.data(), 3);
    // (1, 10) stays; (2, 20) by a right angle; (3, 30): 0.6 * 3 - 0.8 * 30, 0.6 * 30 + 0.8 * 3
    const std::vector<float> expected = {1, -20, -22.2f, 10, 2, 20.4f};
    for (std::size_t i = 0; i < 6; ++i) EXPECT_FLOAT_EQ(head[i], expected[i]);
  }
}

// Attention -------------------------------------------------------------------------------------

// Queries of some positions against keys and values of a sequence, with the answer in double.
struct AttentionCase {
  std::size_t head_dim;
  std::size_t num_keys;
  std::vector<std::size_t> visible;  // by row
  std::vector<float> queries;        // [rows, head_dim]
  std::vector<float> keys;           // [num_keys, head_dim]
  std::vector<float> values;

  // The keys that the row sees, attended to by the textbook's formula.
  std::vector<double> expected(std::size_t row) const {
    std::vector<double> scores;
    double top = -INFINITY;
    for (std::size_t t = 0; t < visible[row]; ++t) {
      double score = 0;
      for (std::size_t d = 0; d < head_dim; ++d) {
        score += static_cast<double>(queries[row * head_dim + d]) * keys[t * head_dim + d];
      }
      scores.push_back(score / std::sqrt(static_cast<double>(head_dim)));
      top = std::max(top, scores.back());
    }
    double sum = 0;
    std::vector<double> out(head_dim);
    for (std::size_t t = 0; t < visible[row]; ++t) {
      const double weight = std::exp(scores[t] - top);
      sum += weight;
      for (std::size_t d = 0; d < head_dim; ++d) out[d] += weight * values[t * head_dim + d];
    }
    for (double& value : out) value /= sum;
    return out;
  }
};

// Values that bf16 holds exactly, so that only the arithmetic is compared.
std::vector<float> exact_in_bf16(std::vector<float> values) {
  for (float& value : values) value = to_float(to_bf16(value));
  return values;
}

AttentionCase attention_case(std::size_t head_dim, std::size_t num_keys,
                             std::vector<std::size_t> visible) {
  AttentionCase result{head_dim, num_keys, std::move(visible), {}, {}, {}};
  result.queries = exact_in_bf16(some_floats(result.visible.size() * head_dim, 5, 2));
  result.keys = exact_in_bf16(some_floats(num_keys * head_dim, 6, 2));
  result.values = exact_in_bf16(some_floats(num_keys * head_dim, 7));
  return result;
}

// Rows as a block of 8 bits gives them back: whole multiples of a 127th of their largest.
void round_rows_to_int8(std::size_t row_size, std::vector<float>& values) {
  for (std::size_t start = 0; start < values.size(); start += row_size) {
    float most = 0;
    for (std::size_t i = 0; i < row_size; ++i) most = std::max(most, std::abs(values[start + i]));
    const float scale = most / 127;
    for (std::size_t i = 0; i < row_size; ++i) {
      values[start + i] = std::nearbyint(values[start + i] / scale) * scale;
    }
  }
}

struct TestedKernel {
  const char* name;
  AttentionKernel kernel;
  double tolerance;
};

// [rows, head_dim], computed in segments of two blocks that are merged.
std::vector<float> attended(const AttentionKernel& kernel, const AttentionCase& tested) {
  const std::size_t rows = tested.visible.size();
  const std::size_t padded = padded_attention_rows(rows);
  const std::size_t dim = tested.head_dim;
  const std::size_t num_blocks = (tested.num_keys + kKvBlockTokens - 1) / kKvBlockTokens;
  std::vector<AlignedBuffer> blocks;
  std::vector<const std::byte*> keys;
  std::vector<const std::byte*> values;
  const std::size_t half = kv_head_bytes(kernel.keys, dim);
  for (std::size_t b = 0; b < num_blocks; ++b) {
    AlignedBuffer& block = blocks.emplace_back(2 * half);
    block.clear();
    keys.push_back(block.data());
    values.push_back(block.data() + half);
    for (std::size_t t = 0; t < kKvBlockTokens && b * kKvBlockTokens + t < tested.num_keys; ++t) {
      const std::size_t start = (b * kKvBlockTokens + t) * dim;
      kernel.write_kv(&tested.keys[start], &tested.values[start], t, dim, block.data(),
                      block.data() + half);
    }
  }
  AlignedBuffer queries(padded * dim * sizeof(float));
  queries.clear();
  for (std::size_t i = 0; i < rows * dim; ++i) {
    if (kernel.queries == Element::kBf16) {
      queries.data<Bf16>()[i] = to_bf16(tested.queries[i]);
    } else {
      queries.data<float>()[i] = tested.queries[i];
    }
  }
  AlignedBuffer scratch(attention_scratch_bytes(rows, dim));
  AlignedBuffer total(padded * (dim + 2) * sizeof(float));
  AlignedBuffer segment(padded * (dim + 2) * sizeof(float));
  constexpr std::size_t kStep = 2;
  for (std::size_t b = 0; b < num_blocks; b += kStep) {
    float* const out = (b == 0 ? total : segment).data<float>();
    AttentionTile tile{};
    tile.queries = queries.data();
    tile.rows = rows;
    tile.head_dim = dim;
    tile.visible = tested.visible.data();
    tile.scale = 1 / std::sqrt(static_cast<float>(dim));
    tile.keys = keys.data() + b;
    tile.values = values.data() + b;
    tile.num_blocks = std::min(kStep, num_blocks - b);
    tile.first_key = b * kKvBlockTokens;
    tile.out = out;
    tile.max = out + padded * dim;
    tile.sum = tile.max + padded;
    tile.scratch = scratch.data();
    kernel.attend(tile);
    if (b == 0) continue;
    float* const sums = total.data<float>() + padded * dim;
    baseline_kernels().merge_attention(rows, dim, tile.max, tile.sum, out, sums, sums + padded,
                                       total.data<float>());
  }
  std::vector<float> result(total.data<float>(), total.data<float>() + rows * dim);
  const float* const sums = total.data<float>() + padded * (dim + 1);
  for (std::size_t i = 0; i < result.size(); ++i) result[i] /= sums[i / dim];
  return result;
}

// The largest difference from the textbook.
double worst_difference(const AttentionKernel& kernel, AttentionCase tested) {
  if (kernel.keys == Element::kInt8) {
    round_rows_to_int8(tested.head_dim, tested.keys);
    round_rows_to_int8(tested.head_dim, tested.values);
  }
  const std::vector<float> found = attended(kernel, tested);
  double worst = 0;
  for (std::size_t r = 0; r < tested.visible.size(); ++r) {
    const auto expected = tested.expected(r);
    for (std::size_t d = 0; d < tested.head_dim; ++d) {
      worst = std::max(worst, std::abs(found[r * tested.head_dim + d] - expected[d]));
    }
  }
  return worst;
}

std::vector<TestedKernel> attention_kernels_here([[maybe_unused]] std::size_t head_dim) {
  std::vector<TestedKernel> result;
  for (const RowKernels* const kernels : usable_row_kernels()) {
    for (const Element keys : {Element::kF32, Element::kBf16, Element::kInt8}) {
      result.push_back(
          {kernels->name, select_attention(Element::kF32, keys, head_dim, *kernels), 5e-6});
    }
  }
#if defined(__x86_64__)
  // Probabilities are rounded to bf16 there, by up to 2^-9 of each; values are about 1 in size,
  // those of 8 bits about 40, beside probabilities that have their scales.
  const RowKernels& kernels = *usable_row_kernels().back();
  const auto add = [&](const char* name, Attend attend, Element keys) {
    AttentionKernel kernel = select_attention(Element::kF32, keys, head_dim, kernels);
    kernel.queries = Element::kBf16;
    kernel.attend = attend;
    result.push_back({name, kernel, keys == Element::kInt8 ? 8e-3 : 6e-3});
  };
  if (cpu_features().has_avx512_bf16 && head_dim % 16 == 0) {
    add("avx512_bf16", attend_avx512_bf16, Element::kBf16);
    add("avx512_bf16, 8 bits", attend_avx512_bf16_int8, Element::kInt8);
  }
  if (cpu_features().has_amx_bf16 && head_dim % 32 == 0) {
    add("amx_bf16", attend_amx_bf16, Element::kBf16);
    add("amx_bf16, 8 bits", attend_amx_bf16_int8, Element::kInt8);
  }
#endif
  return result;
}

TEST(Attention, IsTheSoftmaxOfTheTextbook) {
  std::vector<std::size_t> causal;  // 21 positions of three heads, as prefill has them
  for (std::size_t i = 0; i < 63; ++i) causal.push_back(180 + i / 3);
  for (const std::size_t head_dim : std::vector<std::size_t>{6, 16, 32, 64, 80, 128}) {
    for (const auto& tested :
         {attention_case(head_dim, 1, {1}), attention_case(head_dim, 64, {64, 64, 64}),
          attention_case(head_dim, 300, {1, 65, 128, 129, 300}),
          attention_case(head_dim, 201, causal)}) {
      for (const auto& [name, kernel, tolerance] : attention_kernels_here(head_dim)) {
        EXPECT_LT(worst_difference(kernel, tested), tolerance)
            << name << ", head_dim " << head_dim << ", keys " << tested.num_keys;
      }
    }
  }
}

// Few rows read keys and values otherwise than many.
TEST(Attention, ARowDoesNotDependOnTheOthersOfItsTile) {
  for (const std::size_t head_dim : std::vector<std::size_t>{6, 64, 80}) {
    const AttentionCase many =
        attention_case(head_dim, 200, {150, 151, 152, 153, 154, 155, 156, 157, 158, 159, 199, 200});
    for (const auto& [name, kernel, tolerance] : attention_kernels_here(head_dim)) {
      const std::vector<float> all = attended(kernel, many);
      for (const std::size_t rows : std::vector<std::size_t>{1, 2, 3, 4, 7, 8, 9}) {
        AttentionCase few = many;
        few.visible.resize(rows);
        const std::vector<float> some = attended(kernel, few);
        EXPECT_TRUE(std::equal(some.begin(), some.end(), all.begin()))
            << name << ", head_dim " << head_dim << ", rows " << rows;
      }
    }
  }
}

TEST(Attention, KeysOf8BitsAreWithinHalfAStepOfWhatTheyWere) {
  constexpr std::size_t kDim = 64;
  const auto key = some_floats(kDim, 8, 3);
  std::vector<float> value(kDim, 0.0f);  // has no scale, and stays 0
  for (const RowKernels* const kernels : usable_row_kernels()) {
    AlignedBuffer keys(kv_head_bytes(Element::kInt8, kDim));
    AlignedBuffer values(kv_head_bytes(Element::kInt8, kDim));
    kernels->write_kv_int8(key.data(), value.data(), 5, kDim, keys.data(), values.data());
    float most = 0;
    for (const float number : key) most = std::max(most, std::abs(number));
    const float scale = kv_scales(keys.data(), kDim)[5];
    EXPECT_FLOAT_EQ(scale, most / 127);
    EXPECT_EQ(kv_scales(values.data(), kDim)[5], 0.0f);
    for (std::size_t d = 0; d < kDim; ++d) {
      const int kept = keys.data<std::int8_t>()[d / 2 * 2 * kKvBlockTokens + 2 * 5 + d % 2];
      EXPECT_NEAR(static_cast<float>(kept) * scale, key[d], scale * 0.501f) << kernels->name;
      EXPECT_EQ(values.data<std::int8_t>()[2 * 2 * kDim + 2 * d + 1], 0);
    }
  }
}

TEST(Attention, HugeScoresDoNotOverflow) {
  AttentionCase tested = attention_case(32, 130, {130, 70});
  for (float& value : tested.queries) value *= 64;
  for (const auto& [name, kernel, tolerance] : attention_kernels_here(32)) {
    // Scores of some hundreds carry 2e-5 of rounding in float32.
    EXPECT_LT(worst_difference(kernel, tested), tolerance + 1e-4) << name;
  }
}

}  // namespace
}  // namespace rr::internal
