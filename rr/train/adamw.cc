#include "rr/train/adamw.h"

#include <algorithm>
#include <cmath>

namespace rr {
namespace {

constexpr std::size_t kChunk = std::size_t{1} << 16;

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
    const float* const g = parameters_[chunk.parameter].gradient.data();
    double sum = 0;
    for (std::size_t i = chunk.begin; i < chunk.end; ++i) {
      sum += static_cast<double>(g[i]) * static_cast<double>(g[i]);
    }
    squares[c] = sum;
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
  const auto kept = static_cast<float>(1 - decay);
  const auto step_size = static_cast<float>(rate / (1 - std::pow(options_.beta1, t)));
  const auto root = static_cast<float>(std::sqrt(1 - std::pow(options_.beta2, t)));
  const auto beta1 = static_cast<float>(options_.beta1);
  const auto beta2 = static_cast<float>(options_.beta2);
  const auto new1 = static_cast<float>(1 - options_.beta1);
  const auto new2 = static_cast<float>(1 - options_.beta2);
  const auto epsilon = static_cast<float>(options_.epsilon);
  const auto factor = static_cast<float>(scale);
  float* const w = parameter.values.data();
  const float* const g = parameter.gradient.data();
  float* const m = first_[chunk.parameter].data();
  float* const v = second_[chunk.parameter].data();
  for (std::size_t i = chunk.begin; i < chunk.end; ++i) {
    const float gradient = g[i] * factor;
    m[i] = beta1 * m[i] + new1 * gradient;
    v[i] = beta2 * v[i] + new2 * (gradient * gradient);
    w[i] = w[i] * kept - step_size * (m[i] / (std::sqrt(v[i]) / root + epsilon));
  }
}

double clip_factor(double norm, double limit) {
  if (limit <= 0) return 1;
  return std::min(1.0, limit / (norm + 1e-6));
}

}  // namespace rr
