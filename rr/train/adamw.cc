#include "rr/train/adamw.h"

#include <algorithm>
#include <cmath>

namespace rr {
namespace {

constexpr std::size_t kChunk = std::size_t{1} << 16;

// In as many sums as let a processor go on with the next while it adds; the same on all machines.
double sum_of_squares(const float* g, std::size_t size) {
  constexpr std::size_t kSums = 16;
  double sums[kSums] = {};
  std::size_t i = 0;
  for (; i + kSums <= size; i += kSums) {
    for (std::size_t s = 0; s < kSums; ++s) {
      sums[s] += static_cast<double>(g[i + s]) * static_cast<double>(g[i + s]);
    }
  }
  for (std::size_t s = 0; i + s < size; ++s) {
    sums[s] += static_cast<double>(g[i + s]) * static_cast<double>(g[i + s]);
  }
  double total = 0;
  for (const double sum : sums) total += sum;
  return total;
}

// What an update multiplies by.
struct Factors {
  float scale;
  float beta1;
  float new1;  // 1 - beta1
  float beta2;
  float new2;
  float kept;  // of a weight beside its decay
  float step;
  float root;  // of 1 - beta2^t
  float epsilon;
};

// Bound by memory where the compiler makes vectors of it: see CMakeLists.txt.
void update_values(const Factors& f, std::size_t size, const float* __restrict g,
                   float* __restrict m, float* __restrict v, float* __restrict w) {
  for (std::size_t i = 0; i < size; ++i) {
    const float gradient = g[i] * f.scale;
    m[i] = f.beta1 * m[i] + f.new1 * gradient;
    v[i] = f.beta2 * v[i] + f.new2 * (gradient * gradient);
    w[i] = w[i] * f.kept - f.step * (m[i] / (std::sqrt(v[i]) / f.root + f.epsilon));
  }
}

}  // namespace

AdamW::AdamW(std::span<const Parameter> parameters, const AdamWOptions& options)
    : parameters_(parameters), options_(options) {
  for (std::size_t p = 0; p < parameters.size(); ++p) {
    const std::size_t size = parameters[p].values.size();
    first_.emplace_back(size);
    second_.emplace_back(size);
    for (std::size_t begin = 0; begin < size; begin += kChunk) {
      chunks_.push_back({p, begin, std::min(size, begin + kChunk)});
    }
  }
}

double AdamW::gradient_norm(ThreadPool& pool) const {
  std::vector<double> squares(chunks_.size());
  pool.run(chunks_.size(), [&](std::size_t c) {
    const Chunk& chunk = chunks_[c];
    squares[c] = sum_of_squares(parameters_[chunk.parameter].gradient.data() + chunk.begin,
                                chunk.end - chunk.begin);
  });
  double total = 0;
  for (const double square : squares) total += square;
  return std::sqrt(total);
}

void AdamW::step(double rate, double scale, ThreadPool& pool) {
  ++num_steps_;
  pool.run(chunks_.size(), [&](std::size_t c) { update(chunks_[c], rate, scale); });
}

void AdamW::update(const Chunk& chunk, double rate, double scale) {
  const Parameter& parameter = parameters_[chunk.parameter];
  const double t = static_cast<double>(num_steps_);
  const double decay = parameter.is_matrix() ? rate * options_.weight_decay : 0;
  const Factors factors = {
      static_cast<float>(scale),
      static_cast<float>(options_.beta1),
      static_cast<float>(1 - options_.beta1),
      static_cast<float>(options_.beta2),
      static_cast<float>(1 - options_.beta2),
      static_cast<float>(1 - decay),
      static_cast<float>(rate / (1 - std::pow(options_.beta1, t))),
      static_cast<float>(std::sqrt(1 - std::pow(options_.beta2, t))),
      static_cast<float>(options_.epsilon),
  };
  update_values(factors, chunk.end - chunk.begin, parameter.gradient.data() + chunk.begin,
                first_[chunk.parameter].data() + chunk.begin,
                second_[chunk.parameter].data() + chunk.begin,
                parameter.values.data() + chunk.begin);
}

double clip_factor(double norm, double limit) {
  if (limit <= 0) return 1;
  return std::min(1.0, limit / (norm + 1e-6));
}

}  // namespace rr
