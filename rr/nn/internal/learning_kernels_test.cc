// The gradients of each operation, of each instruction set that this machine has, against central
// differences of a plain loop in double.

#include "rr/nn/internal/learning_kernels.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "rr/base/cpu.h"
#include "rr/nn/internal/attention_learning.h"
#include "rr/nn/internal/fake_model.h"
#include "rr/nn/internal/learned_linear.h"
#include "rr/nn/internal/select_kernels.h"

namespace rr::internal {
namespace {

using Doubles = std::vector<double>;

Doubles widened(const std::vector<float>& values) { return {values.begin(), values.end()}; }

// d loss / d values by central differences.
Doubles differences(Doubles values, const std::function<double(const Doubles&)>& loss) {
  constexpr double kStep = 1e-5;
  Doubles result(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double value = values[i];
    values[i] = value + kStep;
    const double above = loss(values);
    values[i] = value - kStep;
    const double below = loss(values);
    values[i] = value;
    result[i] = (above - below) / (2 * kStep);
  }
  return result;
}

void expect_near(const std::vector<float>& found, const Doubles& expected, double tolerance,
                 const std::string& what) {
  ASSERT_EQ(found.size(), expected.size());
  double largest = 0;
  for (const double value : expected) largest = std::max(largest, std::abs(value));
  for (std::size_t i = 0; i < found.size(); ++i) {
    ASSERT_NEAR(found[i], expected[i], tolerance * std::max(largest, 1e-3)) << what << " " << i;
  }
}

double dot(const std::vector<float>& weights, const Doubles& values) {
  double sum = 0;
  for (std::size_t i = 0; i < values.size(); ++i) sum += weights[i] * values[i];
  return sum;
}

TEST(RmsNormBackward, IsTheDerivative) {
  const double epsilon = 1e-3;
  const auto norm = [&](const Doubles& row, const Doubles& weight) {
    double squares = 0;
    for (const double value : row) squares += value * value;
    const double scale = 1 / std::sqrt(squares / static_cast<double>(row.size()) + epsilon);
    Doubles out(row.size());
    for (std::size_t i = 0; i < row.size(); ++i) out[i] = weight[i] * row[i] * scale;
    return out;
  };
  for (const LearningKernels* const kernels : usable_learning_kernels()) {
    for (const std::size_t size : std::vector<std::size_t>{1, 7, 16, 60, 128}) {
      SCOPED_TRACE(std::string(kernels->name) + " " + std::to_string(size));
      const auto row = some_floats(size, 1);
      const auto weight = some_floats(size, 2);
      const auto g = some_floats(size, 3);
      std::vector<float> d_row(size);
      std::vector<float> d_weight(size);
      kernels->rms_norm_backward(row.data(), weight.data(), 1e-3f, size, g.data(), d_row.data(),
                                 d_weight.data());
      expect_near(d_row,
                  differences(widened(row),
                              [&](const Doubles& x) { return dot(g, norm(x, widened(weight))); }),
                  1e-5, "row");
      expect_near(d_weight,
                  differences(widened(weight),
                              [&](const Doubles& w) { return dot(g, norm(widened(row), w)); }),
                  1e-5, "weight");
    }
  }
}

TEST(SwigluBackward, IsTheDerivative) {
  const auto silu = [](double x) { return x / (1 + std::exp(-x)); };
  for (const LearningKernels* const kernels : usable_learning_kernels()) {
    for (const std::size_t size : std::vector<std::size_t>{1, 17, 96}) {
      SCOPED_TRACE(std::string(kernels->name) + " " + std::to_string(size));
      const auto gate = some_floats(size, 4, 3);
      const auto up = some_floats(size, 5);
      const auto g = some_floats(size, 6);
      std::vector<float> d_gate(size);
      std::vector<float> d_up(size);
      kernels->swiglu_backward_f32(gate.data(), up.data(), g.data(), size, d_gate.data(),
                                   d_up.data());
      Doubles expected_gate(size);
      Doubles expected_up(size);
      for (std::size_t i = 0; i < size; ++i) {
        expected_gate[i] =
            differences({gate[i]}, [&](const Doubles& x) { return g[i] * up[i] * silu(x[0]); })[0];
        expected_up[i] = g[i] * silu(gate[i]);
      }
      expect_near(d_gate, expected_gate, 1e-5, "gate");
      expect_near(d_up, expected_up, 1e-5, "up");

      std::vector<Bf16> numbers(4 * size);  // gate, up, and their gradients
      std::vector<float> rounded(2 * size);
      for (std::size_t i = 0; i < size; ++i) {
        numbers[i] = to_bf16(gate[i]);
        numbers[size + i] = to_bf16(up[i]);
        rounded[i] = to_float(numbers[i]);
        rounded[size + i] = to_float(numbers[size + i]);
      }
      kernels->swiglu_backward_bf16(numbers.data(), numbers.data() + size, g.data(), size,
                                    numbers.data() + 2 * size, numbers.data() + 3 * size);
      kernels->swiglu_backward_f32(rounded.data(), rounded.data() + size, g.data(), size,
                                   d_gate.data(), d_up.data());
      for (std::size_t i = 0; i < size; ++i) {
        EXPECT_EQ(numbers[2 * size + i], to_bf16(d_gate[i]));
        EXPECT_EQ(numbers[3 * size + i], to_bf16(d_up[i]));
      }
    }
  }
}

TEST(SoftmaxGradient, IsTheDerivativeOfTheLogProbability) {
  const auto log_probability = [](const Doubles& logits, std::size_t target) {
    double sum = 0;
    for (const double logit : logits) sum += std::exp(logit);
    return logits[target] - std::log(sum);
  };
  for (const LearningKernels* const kernels : usable_learning_kernels()) {
    for (const std::size_t size : std::vector<std::size_t>{1, 15, 50, 300}) {
      SCOPED_TRACE(std::string(kernels->name) + " " + std::to_string(size));
      const auto logits = some_floats(size, 7, 4);
      const std::size_t target = size / 3;
      float top = 0;
      float sum = 0;
      kernels->softmax_terms(logits.data(), size, &top, &sum);
      EXPECT_NEAR(logits[target] - top - std::log(sum), log_probability(widened(logits), target),
                  1e-5);
      std::vector<float> found(size);
      kernels->softmax_gradient_f32(logits.data(), size, top, sum, target, -0.7f, found.data());
      expect_near(found,
                  differences(widened(logits),
                              [&](const Doubles& x) { return -0.7 * log_probability(x, target); }),
                  1e-5, "logit");
    }
  }
}

// Attention of one head over two segments, the second of which continues the first.
struct AttentionCase {
  std::size_t shared;  // tokens of the first segment
  std::size_t own;
  std::size_t head_dim;
};

// Row-major [tokens, 3 * head_dim]: query, key, value. out [tokens, head_dim]. log_sums, where it
// is wanted, [tokens].
Doubles attend_plainly(const AttentionCase& tested, const Doubles& qkv,
                       Doubles* log_sums = nullptr) {
  const std::size_t tokens = tested.shared + tested.own;
  const std::size_t d = tested.head_dim;
  Doubles out(tokens * d);
  for (std::size_t r = 0; r < tokens; ++r) {
    Doubles weights(r + 1);
    double sum = 0;
    for (std::size_t t = 0; t <= r; ++t) {
      double score = 0;
      for (std::size_t i = 0; i < d; ++i) score += qkv[r * 3 * d + i] * qkv[t * 3 * d + d + i];
      weights[t] = std::exp(score / std::sqrt(static_cast<double>(d)));
      sum += weights[t];
    }
    if (log_sums != nullptr) log_sums->push_back(std::log(sum));
    for (std::size_t t = 0; t <= r; ++t) {
      for (std::size_t i = 0; i < d; ++i) {
        out[r * d + i] += weights[t] / sum * qkv[t * 3 * d + 2 * d + i];
      }
    }
  }
  return out;
}

class TiledAttention {
 public:
  TiledAttention(const AttentionCase& tested, std::vector<float> qkv, std::vector<float> g)
      : head_dim_(tested.head_dim), qkv_(std::move(qkv)), g_(std::move(g)) {
    d_qkv.resize(qkv_.size());
    Doubles log_sums;
    for (const double value : attend_plainly(tested, widened(qkv_), &log_sums)) {
      out_.push_back(static_cast<float>(value));
    }
    for (const double value : log_sums) log_sums_.push_back(static_cast<float>(value));
    cut(0, tested.shared);
    num_shared_ = tiles_.size();
    cut(tested.shared, tested.own);
  }

  void run(const AttentionBackward& attention) {
    for (const Rows& tile : tiles_) {
      packed_.emplace_back(attention.key_tile_bytes(head_dim_));
      attention.pack_key_tile(key_rows(tile), head_dim_, packed_.back().data());
    }
    scratch_.reserve(attention.scratch_bytes(head_dim_));
    keys_.clear();
    for (std::size_t k = 0; k < tiles_.size(); ++k) {
      float* const d_keys = &d_qkv[tiles_[k].first * 3 * head_dim_ + head_dim_];
      keys_.push_back(
          {key_rows(tiles_[k]), packed_[k].data(), d_keys, d_keys + head_dim_, 3 * head_dim_});
    }
    run_segment(attention, 0, num_shared_);
    run_segment(attention, num_shared_, tiles_.size());
  }

  std::vector<float> d_qkv;

 private:
  struct Rows {
    std::size_t first;
    std::size_t count;
    std::size_t in_segment;
  };

  void cut(std::size_t first, std::size_t count) {
    for (std::size_t i = 0; i < count; i += kLearningTile) {
      const std::size_t rows = std::min(kLearningTile, count - i);
      tiles_.push_back({first + i, rows, i});
    }
  }

  KeyRows key_rows(const Rows& tile) const {
    const float* const keys = &qkv_[tile.first * 3 * head_dim_ + head_dim_];
    return {keys, keys + head_dim_, 3 * head_dim_, tile.count};
  }

  void run_segment(const AttentionBackward& attention, std::size_t first, std::size_t end) {
    std::vector<QueryTile> queries;
    for (std::size_t t = first; t < end; ++t) queries.push_back(query_tile(t, t + 1 - first));
    for (std::size_t q = 0; q < queries.size(); q += kQueryGroup) {
      attention.run({&queries[q], std::min(kQueryGroup, queries.size() - q), scratch_.data()});
    }
  }

  QueryTile query_tile(std::size_t t, std::size_t num_own) {
    QueryTile query{};
    query.queries = &qkv_[tiles_[t].first * 3 * head_dim_];
    query.query_stride = 3 * head_dim_;
    query.count = tiles_[t].count;
    query.first_query = tiles_[t].in_segment;
    query.head_dim = head_dim_;
    query.scale = 1 / std::sqrt(static_cast<float>(head_dim_));
    query.tiles = keys_.data();
    query.num_tiles = t + 1;
    query.num_own = num_own;
    query.log_sums = &log_sums_[tiles_[t].first];
    query.out = &out_[tiles_[t].first * head_dim_];
    query.out_stride = head_dim_;
    query.d_out = &g_[tiles_[t].first * head_dim_];
    query.d_queries = &d_qkv[tiles_[t].first * 3 * head_dim_];
    return query;
  }

  std::size_t head_dim_;
  std::size_t num_shared_ = 0;
  std::vector<float> qkv_;
  std::vector<float> g_;
  std::vector<float> out_;
  std::vector<float> log_sums_;
  AlignedBuffer scratch_;
  std::vector<Rows> tiles_;
  std::vector<AlignedBuffer> packed_;
  std::vector<KeyTile> keys_;
};

TEST(AttentionLearning, IsTheDerivativeOfAttention) {
  for (const LearningKernels* const kernels : usable_learning_kernels()) {
    for (const AttentionCase& tested :
         {AttentionCase{0, 1, 4}, AttentionCase{0, 70, 6}, AttentionCase{5, 3, 16},
          AttentionCase{66, 67, 2}, AttentionCase{64, 64, 2}}) {
      SCOPED_TRACE(std::string(kernels->name) + " " + std::to_string(tested.shared) + " + " +
                   std::to_string(tested.own) + " tokens of " + std::to_string(tested.head_dim));
      const std::size_t tokens = tested.shared + tested.own;
      const auto qkv = some_floats(tokens * 3 * tested.head_dim, 8, 1.5f);
      const auto g = some_floats(tokens * tested.head_dim, 9);
      TiledAttention attention(tested, qkv, g);
      attention.run(kernels->attention);
      expect_near(attention.d_qkv,
                  differences(widened(qkv),
                              [&](const Doubles& x) { return dot(g, attend_plainly(tested, x)); }),
                  2e-5, "gradient");
    }
  }
}

// Against float32, which stands above against differences; keys, values and queries are what the
// way forward rounded.
TEST(AttentionLearning, IsInBf16WhatItIsInFloat32) {
  std::vector<std::pair<const char*, AttentionBackward>> ways;
#if defined(__x86_64__)
  if (can_multiply_bf16()) ways.emplace_back("AVX-512 BF16", avx512_bf16_attention_backward());
  if (cpu_features().has_amx_bf16) ways.emplace_back("AMX", amx_bf16_attention_backward());
#endif
  if (ways.empty()) GTEST_SKIP() << "this machine multiplies no bf16";
  for (const auto& [name, way] : ways) {
    for (const AttentionCase& tested :
         {AttentionCase{0, 1, 32}, AttentionCase{0, 70, 64}, AttentionCase{5, 3, 128},
          AttentionCase{66, 67, 96}, AttentionCase{64, 64, 64}, AttentionCase{130, 200, 64},
          AttentionCase{30, 700, 32}}) {
      SCOPED_TRACE(testing::Message() << name << " " << tested.shared << " + " << tested.own
                                      << " tokens of " << tested.head_dim);
      const std::size_t tokens = tested.shared + tested.own;
      auto qkv = some_floats(tokens * 3 * tested.head_dim, 8, 1.5f);
      for (float& value : qkv) value = to_float(to_bf16(value));
      const auto g = some_floats(tokens * tested.head_dim, 9);
      TiledAttention exact(tested, qkv, g);
      exact.run(baseline_learning_kernels().attention);
      TiledAttention rounded(tested, qkv, g);
      rounded.run(way);
      expect_near(rounded.d_qkv, widened(exact.d_qkv), 1e-2, "gradient");
    }
  }
}

// Gradients of weights ----------------------------------------------------------------------------

// The columns of a matrix that is wider, as its rows stand in memory.
struct SomeColumns {
  SomeColumns(std::size_t rows, std::size_t columns, std::size_t first, std::size_t stride,
              unsigned seed)
      : values(padded_gradient_rows(rows) * stride, to_bf16(0)) {
    const auto floats = some_floats(rows * stride, seed);
    for (std::size_t i = 0; i < floats.size(); ++i) values[i] = to_bf16(floats[i]);
    matrix = {values.data() + first, columns, stride};
  }
  double at(std::size_t row, std::size_t column) const {
    return to_float(static_cast<const Bf16*>(matrix.data)[row * matrix.stride + column]);
  }

  std::vector<Bf16> values;
  ActivationMatrix matrix;
};

TEST(WeightGradient, AddsUpTheProductsOfAllRowsInBf16) {
  std::vector<bool> ways;
  if (can_multiply_bf16()) ways.push_back(false);
  if (cpu_features().has_amx_bf16) ways.push_back(true);
  if (ways.empty()) GTEST_SKIP() << "this machine multiplies no bf16";
  for (const bool on_amx : ways) {
    for (const std::size_t rows : std::vector<std::size_t>{1, 130, 700}) {
      for (const std::size_t outputs : std::vector<std::size_t>{1, 16, 40, 64, 250}) {
        for (const std::size_t inputs : std::vector<std::size_t>{1, 16, 64, 77}) {
          SCOPED_TRACE(testing::Message() << (on_amx ? "AMX " : "oneDNN ") << rows << " rows, "
                                          << outputs << " x " << inputs);
          const SomeColumns g(rows, outputs, 3, outputs + 5, 1);
          const SomeColumns x(rows, inputs, 2, inputs + 9, 2);
          Doubles expected(outputs * inputs, 0.5);
          for (std::size_t r = 0; r < rows; ++r) {
            for (std::size_t o = 0; o < outputs; ++o) {
              for (std::size_t i = 0; i < inputs; ++i) {
                expected[o * inputs + i] += g.at(r, o) * x.at(r, i);
              }
            }
          }
          WeightGradientProducts products(Element::kBf16, on_amx);
          ProductScratch scratch;
          std::vector<float> gradient(outputs * inputs, 0.5f);  // added to
          for (std::size_t p = 0; p < WeightGradientProducts::num_panels(outputs); ++p) {
            products.accumulate(p, g.matrix, x.matrix, rows, gradient.data(), scratch);
          }
          expect_near(gradient, expected, 1e-5, "gradient");
        }
      }
    }
  }
}

// Linear layers ----------------------------------------------------------------------------------

struct LinearCase {
  std::size_t rows;
  std::size_t inputs;
  std::vector<std::size_t> outputs;
  std::size_t rank;
};

// A layer, its weights, and what it should give, in double.
class LinearUnderTest {
 public:
  LinearUnderTest(const LinearCase& tested, ProductFamily family,
                  Element widened_element = Element::kF32)
      : tested_(tested),
        is_quantised_(is_quantised(family)),
        d_x_tolerance_(widened_element == Element::kBf16 ? 4e-3 : kTolerance),
        pool_(2),
        crew_(pool_),
        products_(family, baseline_kernels(), widened_element) {
    std::vector<LinearPart> parts;
    unsigned seed = 20;
    for (const std::size_t outputs : tested.outputs) {
      Part& part = parts_.emplace_back();
      part.w = some_floats(outputs * tested.inputs, ++seed);
      part.d_w.assign(part.w.size(), 0.5f);  // gradients are added to what is there
      part.a = some_floats(tested.rank * tested.inputs, ++seed);
      part.b = some_floats(outputs * tested.rank, ++seed);
      part.d_a.resize(part.a.size());
      part.d_b.resize(part.b.size());
    }
    for (std::size_t p = 0; p < parts_.size(); ++p) {
      Part& part = parts_[p];
      LinearPart given{tested.outputs[p], part.w.data(), part.d_w.data()};
      if (tested.rank > 0) {
        given.rank = tested.rank;
        given.a = part.a.data();
        given.b = part.b.data();
        given.d_a = part.d_a.data();
        given.d_b = part.d_b.data();
      }
      parts.push_back(given);
    }
    linear_ =
        std::make_unique<LearnedLinear>(tested.inputs, std::move(parts), kScale, family, products_);
    linear_->pack_weights(crew_);
    linear_->pack_adapters(crew_);
    if (is_quantised_) take_weights();
  }

  void expect_all() {
    const std::size_t rows = tested_.rows;
    const std::size_t width = linear_->outputs();
    const auto x = some_floats(rows * tested_.inputs, 1);
    const auto g = some_floats(rows * width, 2);
    AlignedBuffer x_padded = padded(x, tested_.inputs);
    AlignedBuffer g_padded = padded(g, width);
    AlignedBuffer out(padded_gradient_rows(rows) * width * sizeof(float));
    AlignedBuffer d_x(padded_gradient_rows(rows) * tested_.inputs * sizeof(float));
    AlignedBuffer low;
    AlignedBuffer d_low;
    linear_->multiply(x_padded.data(), rows, out.data<float>(), low, crew_);
    linear_->multiply_backward(g_padded.data(), rows, d_x.data<float>(), d_low, crew_);
    linear_->accumulate(x_padded.data(), g_padded.data(), rows, low, d_low, crew_);
    Doubles expected_out(rows * width);
    Doubles expected_d_x(rows * tested_.inputs);
    std::size_t start = 0;
    for (std::size_t p = 0; p < parts_.size(); ++p) {
      expect_part(p, start, x, g, expected_out, expected_d_x);
      start += tested_.outputs[p];
    }
    expect_near({out.data<float>(), out.data<float>() + rows * width}, expected_out, kTolerance,
                "out");
    expect_near({d_x.data<float>(), d_x.data<float>() + rows * tested_.inputs}, expected_d_x,
                d_x_tolerance_, "d_x");
  }

 private:
  static constexpr float kScale = 0.75f;
  static constexpr double kTolerance = 1e-5;

  struct Part {
    std::vector<float> w, a, b, d_w, d_a, d_b;
  };

  // The weights as they are once they are rounded.
  void take_weights() {
    std::size_t row = 0;
    for (std::size_t p = 0; p < parts_.size(); ++p) {
      for (std::size_t o = 0; o < tested_.outputs[p]; ++o) {
        linear_->weight_row(row++, parts_[p].w.data() + o * tested_.inputs);
      }
    }
  }

  // What quantised products make of their input.
  std::vector<float> rounded(std::vector<float> x) const {
    for (std::size_t start = 0; start < x.size();) {
      const std::size_t size = std::min(kQuantBlock, tested_.inputs - start % tested_.inputs);
      std::vector<std::int8_t> values(size);
      float scale = 0;
      std::int32_t sum = 0;
      baseline_kernels().quantise_block(&x[start], size, size, values.data(), &scale, &sum);
      for (const std::int8_t value : values) x[start++] = scale * value;
    }
    return x;
  }

  AlignedBuffer padded(const std::vector<float>& values, std::size_t width) const {
    AlignedBuffer buffer(padded_gradient_rows(tested_.rows) * width * sizeof(float));
    buffer.clear();
    std::copy(values.begin(), values.end(), buffer.data<float>());
    return buffer;
  }

  // out = x M^T with M = W + scale B A, whose derivatives are plain: d_M = g^T x.
  void expect_part(std::size_t p, std::size_t start, const std::vector<float>& x,
                   const std::vector<float>& g, Doubles& expected_out, Doubles& expected_d_x) {
    Part& part = parts_[p];
    const std::size_t inputs = tested_.inputs;
    const std::size_t outputs = tested_.outputs[p];
    const std::size_t rank = tested_.rank;
    const std::size_t width = linear_->outputs();
    Doubles merged(part.w.begin(), part.w.end());
    for (std::size_t o = 0; o < outputs; ++o) {
      for (std::size_t k = 0; k < rank; ++k) {
        for (std::size_t i = 0; i < inputs; ++i) {
          merged[o * inputs + i] += kScale * part.b[o * rank + k] * part.a[k * inputs + i];
        }
      }
    }
    Doubles d_merged(outputs * inputs);
    const std::vector<float> x_in_products = is_quantised_ ? rounded(x) : x;
    for (std::size_t r = 0; r < tested_.rows; ++r) {
      for (std::size_t o = 0; o < outputs; ++o) {
        const double g_value = g[r * width + start + o];
        for (std::size_t i = 0; i < inputs; ++i) {
          const double by_rounding = x_in_products[r * inputs + i] - x[r * inputs + i];
          expected_out[r * width + start + o] +=
              merged[o * inputs + i] * x[r * inputs + i] + part.w[o * inputs + i] * by_rounding;
          expected_d_x[r * inputs + i] += merged[o * inputs + i] * g_value;
          d_merged[o * inputs + i] += g_value * x[r * inputs + i];
        }
      }
    }
    Doubles expected_d_w = d_merged;
    for (double& value : expected_d_w) value += 0.5;
    expect_near(part.d_w, expected_d_w, kTolerance, "d_w");
    Doubles d_a(rank * inputs);
    Doubles d_b(outputs * rank);
    for (std::size_t o = 0; o < outputs; ++o) {
      for (std::size_t k = 0; k < rank; ++k) {
        for (std::size_t i = 0; i < inputs; ++i) {
          d_a[k * inputs + i] += kScale * part.b[o * rank + k] * d_merged[o * inputs + i];
          d_b[o * rank + k] += kScale * part.a[k * inputs + i] * d_merged[o * inputs + i];
        }
      }
    }
    if (rank == 0) return;
    expect_near(part.d_a, d_a, kTolerance, "d_a");
    expect_near(part.d_b, d_b, kTolerance, "d_b");
  }

  LinearCase tested_;
  bool is_quantised_;
  double d_x_tolerance_;
  ThreadPool pool_;
  Crew crew_;
  LearningProducts products_;
  std::vector<Part> parts_;
  std::unique_ptr<LearnedLinear> linear_;
};

TEST(LearnedLinear, HasTheProductsAndGradientsOfItsFormula) {
  for (const LinearCase& tested :
       {LinearCase{1, 1, {1}, 0}, LinearCase{5, 48, {40}, 0}, LinearCase{130, 33, {20, 7, 9}, 0},
        LinearCase{700, 24, {200}, 0}, LinearCase{3, 16, {10}, 1},
        LinearCase{140, 30, {24, 8, 70}, 5}}) {
    SCOPED_TRACE(std::to_string(tested.rows) + " rows, rank " + std::to_string(tested.rank));
    LinearUnderTest(tested, ProductFamily::kF32).expect_all();
  }
}

// Forward the row is rounded, backward as if it were not; weights are what they were rounded to.
TEST(LearnedLinear, HasThoseOfItsQuantisedWeights) {
  for (const ProductFamily family : {ProductFamily::kInt8, ProductFamily::kInt4}) {
    for (const LinearCase& tested :
         {LinearCase{1, 1, {1}, 1}, LinearCase{5, 48, {40}, 2}, LinearCase{130, 33, {20, 7, 9}, 3},
          LinearCase{700, 160, {200}, 4}, LinearCase{140, 300, {130, 8, 70}, 5},
          LinearCase{600, 64, {1500}, 1}}) {
      SCOPED_TRACE(std::to_string(tested.rows) + " rows, rank " + std::to_string(tested.rank));
      LinearUnderTest(tested, family).expect_all();
      if (can_multiply_bf16()) LinearUnderTest(tested, family, Element::kBf16).expect_all();
    }
  }
}

}  // namespace
}  // namespace rr::internal
