#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "rr/base/result.h"
#include "rr/base/thread_pool.h"
#include "rr/nn/decoder.h"
#include "rr/nn/decoder_config.h"
#include "rr/nn/parameter.h"
#include "rr/weights/model_files.h"

namespace rr {

struct LearnerOptions {
  // kBf16: products on bf16 weights and activations with float32 sums; the weights that are learnt,
  // their gradients, norms, softmax and the residual stream are float32. kF32: everything.
  // kInt8, kInt4: weights and products forward as a Decoder has them, and no other copy of the
  // weights; only adapters learn, and they and activations are float32. Backward the rounding of
  // activations counts for none, and weights are widened as they are needed, to bf16 where the
  // machine multiplies it (docs/decisions/0027).
  Precision precision = Precision::kBf16;

  // Without: all weights learn. With: they stay as they are, and the adapters learn.
  std::optional<LoraShape> lora;

  // A is drawn from it, uniformly in +-1/sqrt(inputs) (PEFT's Kaiming-uniform start); B starts as
  // zero, so that the model says at first what it said before.
  std::uint64_t seed = 0;

  // Bytes that the layers' activations may take: as many layers keep theirs for the backward pass
  // as fit; the others compute them again. Changes time, never a result.
  std::size_t activation_bytes = std::size_t{2} << 30;

  bool force_generic = false;  // as DecoderOptions
};

// Tokens that are read together: an example, a shared prompt, or one of the completions of a prompt
// that came before. A token sees the tokens before it in its segment, and all of its ancestors'.
// Segments that are not related do not see each other, however many are read at once.
struct LearnerSegment {
  static constexpr std::size_t kNoParent = static_cast<std::size_t>(-1);

  std::span<const std::int32_t> ids;  // not empty
  std::size_t parent = kNoParent;     // an earlier segment of the batch, which this one continues
};

// A token whose log-probability is wanted: ids[token] of a segment, given all it sees. The first
// token of a segment is predicted by its parent's last; without a parent it cannot be a target.
struct LearnerTarget {
  std::size_t segment;
  std::size_t token;
};

struct LearnerBatch {
  std::vector<LearnerSegment> segments;
  std::vector<LearnerTarget> targets;

  std::size_t num_tokens() const;
};

// The derivative of the loss with respect to the log-probability of targets[target], which is
// `logprob`. For the mean of -log p over n tokens: -1 / n.
using LossSlope = std::function<float(std::size_t target, float logprob)>;

// The same where the derivative of one target hangs on the log-probabilities of the others, as in a
// loss over a list: all of them in, one derivative each out, in the order of the targets.
using JointLossSlopes = std::function<std::vector<float>(std::span<const float> logprobs)>;

// Hears on the way back through the model that the gradients of parameters()[first] and of all
// after it are complete: the call under way adds nothing more to them. `first` falls to 0. Called
// by the calling thread, which goes on with the parameters before when the listener returns.
using GradientListener = std::function<void(std::size_t first)>;

// Bytes that learning takes, known before anything is loaded. The optimiser's own come on top.
struct LearnerMemory {
  std::size_t weight_bytes = 0;      // packed for products, forward and backward
  std::size_t parameter_bytes = 0;   // what learns, and its gradients, in float32
  std::size_t activation_bytes = 0;  // at `max_tokens` in one batch, `kept_layers` of them kept
  std::size_t kept_layers = 0;
  std::size_t total() const { return weight_bytes + parameter_bytes + activation_bytes; }
};
LearnerMemory plan_learner_memory(const DecoderConfig& config, const LearnerOptions& options,
                                  std::size_t max_tokens);

// A decoder that learns. Its log-probabilities are those of Decoder: every number on the way to the
// logits is the same to the bit (of a Decoder with DecoderOptions::as_learner), and only the
// logarithm is taken in another order. The same batch gives the same bits, whatever the number of
// threads and of kept layers. One call at a time.
class Learner {
 public:
  // `files` is not needed afterwards. `pool` must outlive the learner. What is refused is what
  // Decoder::load() refuses, a rank of 0, and kInt8 and kInt4 without adapters.
  static Result<std::unique_ptr<Learner>> load(const ModelFiles& files,
                                               const LearnerOptions& options, ThreadPool& pool);

  virtual ~Learner() = default;

  virtual const DecoderConfig& config() const = 0;
  virtual std::string kernel_name() const = 0;

  // In the order of the model: embedding, layers, final norm, output layer. Values and gradients
  // live as long as the learner. Gradients lie in one piece of memory in this order; between two of
  // them are at most 15 floats, which are zero and belong to nobody: neighbours can be summed as
  // one.
  virtual std::span<const Parameter> parameters() const = 0;

  // After values were changed: what products read is packed again.
  virtual void update() = 0;

  // log p of every target. Requires: ids inside the vocabulary; every path from a segment to its
  // root fits into the context; targets as said there.
  virtual std::vector<float> evaluate(const LearnerBatch& batch) = 0;

  // The same of the weights alone, as if there were no adapters: of the model that learning began
  // with. Requires adapters.
  virtual std::vector<float> evaluate_frozen(const LearnerBatch& batch) = 0;

  // As evaluate(), and adds the gradient of the loss to every parameter's gradient. `slope` is
  // called once for each target, in their order, by the calling thread.
  virtual std::vector<float> learn(const LearnerBatch& batch, const LossSlope& slope,
                                   const GradientListener& on_complete = {}) = 0;

  // The same; the output layer is computed twice, so it is for few targets.
  virtual std::vector<float> learn_jointly(const LearnerBatch& batch, const JointLossSlopes& slopes,
                                           const GradientListener& on_complete = {}) = 0;

  virtual void clear_gradients() = 0;
};

}  // namespace rr
