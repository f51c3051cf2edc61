#include "rr/nn/learner.h"

#include <algorithm>
#include <utility>

#include "rr/base/check.h"
#include "rr/nn/internal/learner_layout.h"
#include "rr/nn/internal/learner_pass.h"
#include "rr/nn/internal/learner_weights.h"

namespace rr {
namespace internal {
namespace {

ProductFamily learning_family(const DecoderConfig& config, const LearnerOptions& options) {
  return select_products(config, options.precision, true, options.force_generic);
}

// What attention takes in, and what quantised weights become on the way back.
Element plain_element(const DecoderConfig& config, const LearnerOptions& options) {
  return attention_element(learning_family(config, options), options.force_generic);
}

LearnerPass::Engine engine_of(const DecoderConfig& config, const LearnerOptions& options) {
  const Element keys = options.precision == Precision::kF32 ? Element::kF32 : Element::kBf16;
  const RowKernels& kernels = select_row_kernels(options.force_generic);
  const LearningKernels& learning = select_learning_kernels(options.force_generic);
  const AttentionKernel attention =
      select_attention(plain_element(config, options), keys, config.head_dim, kernels);
  return {kernels, learning, activation_element(learning_family(config, options)), attention,
          select_attention_backward(attention, config.head_dim, learning)};
}

std::size_t kept_layers(const DecoderConfig& config, const LearnerOptions& options,
                        std::size_t rows) {
  const std::size_t rank = options.lora ? options.lora->rank : 0;
  const std::size_t a_layer = layer_activation_bytes(
      config, activation_element(learning_family(config, options)), rows, rank);
  // One more set of buffers serves the layers that keep none.
  const std::size_t fitting = options.activation_bytes / a_layer;
  return std::min(config.num_layers, fitting == 0 ? 0 : fitting - 1);
}

class FamilyLearner final : public Learner {
 public:
  FamilyLearner(DecoderConfig config, const LearnerOptions& options, ThreadPool& pool)
      : config_(std::move(config)),
        options_(options),
        engine_(engine_of(config_, options)),
        products_(learning_family(config_, options), engine_.kernels,
                  plain_element(config_, options)),
        crew_(pool) {}

  Status load(const ModelFiles& files) {
    RR_TRY(weights_, LearnerWeights::load(files, config_, options_, products_, crew_));
    return ok_status();
  }

  const DecoderConfig& config() const override { return config_; }

  std::string kernel_name() const override { return name_of(products_.family, engine_.kernels); }

  std::span<const Parameter> parameters() const override { return weights_->parameters; }

  void update() override { weights_->pack(crew_); }

  std::vector<float> evaluate(const LearnerBatch& batch) override {
    const LearnerLayout layout = lay_out(batch, config_);
    return LearnerPass(config_, *weights_, engine_, layout, 0, buffers_, crew_).evaluate();
  }

  std::vector<float> evaluate_frozen(const LearnerBatch& batch) override {
    RR_CHECK(options_.lora.has_value(), "without adapters nothing stays as it was");
    weights_->set_adapters_on(false);
    std::vector<float> logprobs = evaluate(batch);
    weights_->set_adapters_on(true);
    return logprobs;
  }

  std::vector<float> learn(const LearnerBatch& batch, const LossSlope& slope,
                           const GradientListener& on_complete) override {
    return learn_batch(batch, on_complete,
                       [&](LearnerPass& pass) { return pass.run_targets(&slope); });
  }

  std::vector<float> learn_jointly(const LearnerBatch& batch, const JointLossSlopes& slopes,
                                   const GradientListener& on_complete) override {
    return learn_batch(batch, on_complete, [&](LearnerPass& pass) {
      std::vector<float> logprobs = pass.run_targets(nullptr);
      const std::vector<float> given = slopes(logprobs);
      RR_CHECK(given.size() == logprobs.size(), "a derivative for each target");
      const LossSlope slope = [&given](std::size_t target, float) { return given[target]; };
      pass.run_targets(&slope);
      return logprobs;
    });
  }

  void clear_gradients() override {
    crew_.for_parts(weights_->parameters.size(), [&](std::size_t i, CrewScratch&) {
      std::fill(weights_->parameters[i].gradient.begin(), weights_->parameters[i].gradient.end(),
                0.0f);
    });
  }

 private:
  template <typename RunTargets>
  std::vector<float> learn_batch(const LearnerBatch& batch, const GradientListener& on_complete,
                                 const RunTargets& run_targets) {
    const LearnerLayout layout = lay_out(batch, config_);
    const std::size_t kept = kept_layers(config_, options_, layout.num_rows());
    LearnerPass pass(config_, *weights_, engine_, layout, kept, buffers_, crew_);
    return pass.learn([&] { return run_targets(pass); }, on_complete);
  }

  DecoderConfig config_;
  LearnerOptions options_;
  LearnerPass::Engine engine_;
  LearningProducts products_;  // before weights_, which use it
  Crew crew_;
  std::unique_ptr<LearnerWeights> weights_;
  LearnerBuffers buffers_;
};

// Bytes of the weights without adapters: of a decoder's where they are quantised, else packed for
// products forward and backward.
std::size_t base_bytes(const DecoderConfig& config, const LearnerOptions& options) {
  const ProductFamily family = learning_family(config, options);
  if (is_quantised(family)) return plan_memory(config, {options.precision}, 1).weight_bytes;
  const std::size_t weight = family == ProductFamily::kF32 ? sizeof(float) : sizeof(Bf16);
  const std::size_t output = config.vocabulary_size * config.hidden_size;
  const std::size_t embeddings = options.lora && !config.has_tied_embedding ? 1 : 0;
  const std::size_t packing = options.lora ? 0 : output * sizeof(float);  // its transpose
  return weight * (2 * linear_sizes(config).weights + (2 + embeddings) * output) + packing;
}

}  // namespace
}  // namespace internal

std::size_t LearnerBatch::num_tokens() const {
  std::size_t count = 0;
  for (const LearnerSegment& segment : segments) count += segment.ids.size();
  return count;
}

LearnerMemory plan_learner_memory(const DecoderConfig& config, const LearnerOptions& options,
                                  std::size_t max_tokens) {
  using namespace internal;
  const ProductFamily family = learning_family(config, options);
  const Element element = activation_element(family);
  const std::size_t rank = options.lora ? options.lora->rank : 0;
  const LinearSizes sizes = linear_sizes(config);
  LearnerMemory memory;
  memory.weight_bytes =
      base_bytes(config, options) + 2 * sizes.adapters * rank * element_bytes(element);
  memory.parameter_bytes = 2 * sizeof(float) * num_learnt(config, options.lora);
  memory.kept_layers = kept_layers(config, options, max_tokens);
  memory.activation_bytes =
      learner_buffer_bytes(config, element, max_tokens) +
      (memory.kept_layers + 1) * layer_activation_bytes(config, element, max_tokens, rank);
  if (plain_element(config, options) != element) {
    memory.activation_bytes += widened_gradient_bytes(config, max_tokens);
  }
  return memory;
}

Result<std::unique_ptr<Learner>> Learner::load(const ModelFiles& files,
                                               const LearnerOptions& options, ThreadPool& pool) {
  RR_TRY(DecoderConfig config, read_decoder_config(files));
  auto learner = std::make_unique<internal::FamilyLearner>(std::move(config), options, pool);
  RR_TRY_STATUS(learner->load(files));
  return std::unique_ptr<Learner>(std::move(learner));
}

}  // namespace rr
