#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "rr/base/thread_pool.h"
#include "rr/nn/learner.h"

namespace rr {

struct AdamWOptions {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;  // of matrices only: norms and biases do not decay
};

// Adam with decoupled weight decay (Loshchilov and Hutter, arXiv 1711.05101), as torch computes it.
// At step t, for gradient g (already scaled):
//
//   w <- w - rate * weight_decay * w
//   m <- beta1 m + (1 - beta1) g,   v <- beta2 v + (1 - beta2) g^2
//   w <- w - rate / (1 - beta1^t) * m / (sqrt(v / (1 - beta2^t)) + epsilon)
//
// Moments are float32. Results do not depend on the number of threads.
class AdamW {
 public:
  // The parameters' values and gradients must outlive the optimiser.
  AdamW(std::span<const Parameter> parameters, const AdamWOptions& options);

  // The Euclidean norm of all gradients together.
  double gradient_norm(ThreadPool& pool) const;

  // One update with gradients times `scale`.
  void step(double rate, double scale, ThreadPool& pool);

  // Updates done so far, and the moments by parameter: what a checkpoint keeps.
  std::size_t num_steps() const { return num_steps_; }
  void set_num_steps(std::size_t num_steps) { num_steps_ = num_steps; }
  std::span<float> first_moment(std::size_t parameter) { return first_[parameter]; }
  std::span<float> second_moment(std::size_t parameter) { return second_[parameter]; }

 private:
  struct Chunk {
    std::size_t parameter;
    std::size_t begin;
    std::size_t end;
  };
  void update(const Chunk& chunk, double rate, double scale);

  std::span<const Parameter> parameters_;
  AdamWOptions options_;
  std::size_t num_steps_ = 0;
  std::vector<std::vector<float>> first_;
  std::vector<std::vector<float>> second_;
  std::vector<Chunk> chunks_;
};

// The factor that brings a gradient of this norm down to `limit`, as torch's clip_grad_norm_ has
// it: min(1, limit / (norm + 1e-6)). A limit of 0 clips nothing.
double clip_factor(double norm, double limit);

}  // namespace rr
