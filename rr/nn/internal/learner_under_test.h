#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "rr/base/json.h"
#include "rr/nn/decoder.h"
#include "rr/nn/internal/fake_model.h"
#include "rr/nn/learner.h"
#include "rr/weights/model_files.h"

// Learners of small models, what they learn, and decoders beside them: for tests.

namespace rr::internal {

using Ids = std::vector<std::int32_t>;

struct Loaded {
  std::unique_ptr<ThreadPool> pool;
  std::unique_ptr<Learner> learner;

  Learner* operator->() const { return learner.get(); }
};

inline Loaded load(const ModelFiles& files, const LearnerOptions& options,
                   std::size_t num_threads = 2) {
  Loaded loaded{std::make_unique<ThreadPool>(num_threads), nullptr};
  loaded.learner = Learner::load(files, options, *loaded.pool).value();
  return loaded;
}

inline Loaded load(const std::filesystem::path& path, const LearnerOptions& options) {
  return load(*ModelFiles::open(path).value(), options);
}

// A batch and the ids that it points to.
struct Examples {
  std::vector<Ids> ids;
  LearnerBatch batch;

  // Reads `tokens`; those from `first_target` on are targets.
  void add(Ids tokens, std::size_t first_target, std::size_t parent = LearnerSegment::kNoParent) {
    const std::size_t segment = ids.size();
    for (std::size_t i = first_target; i < tokens.size(); ++i)
      batch.targets.push_back({segment, i});
    ids.push_back(std::move(tokens));
    batch.segments.clear();
    parents.push_back(parent);
    for (std::size_t s = 0; s < ids.size(); ++s) batch.segments.push_back({ids[s], parents[s]});
  }
  std::vector<std::size_t> parents;
};

inline LossSlope mean_over(std::size_t count) {
  return [slope = -1.0f / static_cast<float>(count)](std::size_t, float) { return slope; };
}

inline double mean_loss(const std::vector<float>& logprobs) {
  double sum = 0;
  for (const float logprob : logprobs) sum -= logprob;
  return sum / static_cast<double>(logprobs.size());
}

// Token ids without meaning, the same in every run.
inline Ids some_ids(std::size_t count, unsigned seed) {
  Ids ids;
  unsigned state = seed * 2654435761u + 1;
  for (std::size_t i = 0; i < count; ++i) {
    state = state * 1664525u + 1013904223u;
    ids.push_back(static_cast<std::int32_t>((state >> 8) % 300));
  }
  return ids;
}

struct Learnt {
  std::vector<float> logprobs;
  std::map<std::string, std::vector<float>> gradients;
};

inline Learnt learn(Learner& learner, const LearnerBatch& batch, const LossSlope& slope) {
  learner.clear_gradients();
  Learnt learnt{learner.learn(batch, slope), {}};
  for (const Parameter& tensor : learner.parameters()) {
    learnt.gradients[tensor.name].assign(tensor.gradient.begin(), tensor.gradient.end());
  }
  return learnt;
}

inline Learnt learn(Learner& learner, const LearnerBatch& batch) {
  return learn(learner, batch, mean_over(batch.targets.size()));
}

// |a - b| / |b|, over all tensors together.
inline double relative_distance(const Learnt& a, const Learnt& b) {
  double distance = 0;
  double size = 0;
  for (const auto& [name, gradient] : b.gradients) {
    const auto& other = a.gradients.at(name);
    for (std::size_t i = 0; i < gradient.size(); ++i) {
      distance += std::pow(static_cast<double>(other[i]) - gradient[i], 2);
      size += std::pow(static_cast<double>(gradient[i]), 2);
    }
  }
  return std::sqrt(distance / size);
}

inline Examples packed_examples() {
  Examples examples;
  examples.add(some_ids(100, 1), 60);
  examples.add(some_ids(7, 2), 1);
  examples.add(some_ids(150, 3), 149);
  examples.add(some_ids(64, 4), 10);
  return examples;
}

// Each option that a model may have is in one of these.
inline std::vector<Json> model_configs() {
  Json qwen3 = small_config("qwen3");
  Json qwen2 = small_config("qwen2");
  qwen2["tie_word_embeddings"] = true;
  Json llama = small_config("llama");
  llama["head_dim"] = 10;
  llama["num_key_value_heads"] = 1;
  return {qwen3, qwen2, llama};
}

// Adapters begin as nothing, and then A has no gradient: give B values.
inline void fill_adapters(Learner& learner) {
  unsigned seed = 100;
  for (const Parameter& tensor : learner.parameters()) {
    if (tensor.name.find("lora_B") == std::string::npos) continue;
    const auto values = some_floats(tensor.values.size(), ++seed, 0.1f);
    std::copy(values.begin(), values.end(), tensor.values.begin());
  }
  learner.update();
}

// log p of every token after the first, as serving sees it.
inline std::vector<float> served_logprobs(Decoder& decoder, const Ids& ids) {
  const auto sequence = decoder.new_sequence();
  std::vector<float> logits;
  const DecoderChunk chunk{sequence.get(), ids, LogitsWanted::kAll};
  decoder.forward({&chunk, 1}, logits);
  const std::size_t vocabulary = decoder.config().vocabulary_size;
  std::vector<float> result;
  for (std::size_t i = 0; i + 1 < ids.size(); ++i) {
    const auto row = std::span(logits).subspan(i * vocabulary, vocabulary);
    double sum = 0;
    for (const float logit : row) sum += std::exp(static_cast<double>(logit));
    result.push_back(static_cast<float>(row[static_cast<std::size_t>(ids[i + 1])] - std::log(sum)));
  }
  return result;
}

struct Difference {
  double worst = 0;
  double mean = 0;
};

inline Difference difference(const std::vector<float>& a, const std::vector<float>& b) {
  Difference difference;
  EXPECT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double apart = std::abs(a[i] - b[i]);
    difference.worst = std::max(difference.worst, apart);
    difference.mean += apart / static_cast<double>(a.size());
  }
  return difference;
}

// A learner and a decoder of one model.
struct Pair {
  Pair(const ModelFiles& files, LearnerOptions options)
      : decoder(Decoder::load(files,
                              {.precision = options.precision,
                               .force_generic = options.force_generic,
                               .as_learner = true,
                               .lora = options.lora},
                              pool)
                    .value()),
        learner(Learner::load(files, options, pool).value()) {}

  // Of what they say about the text.
  Difference apart(const Ids& ids) const {
    Examples examples;
    examples.add(ids, 1);
    return difference(served_logprobs(*decoder, ids), learner->evaluate(examples.batch));
  }

  ThreadPool pool{2};
  std::unique_ptr<Decoder> decoder;
  std::unique_ptr<Learner> learner;
};

// Every parameter somewhere else, as after some steps of learning.
inline void move_parameters(Learner& learner, float by = 0.05f) {
  unsigned seed = 100;
  for (const Parameter& parameter : learner.parameters()) {
    const std::vector<float> moved = some_floats(parameter.values.size(), ++seed, by);
    for (std::size_t i = 0; i < moved.size(); ++i) parameter.values[i] += moved[i];
  }
  learner.update();
}

}  // namespace rr::internal
