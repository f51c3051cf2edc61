#include "rr/nn/decoder.h"

#include <utility>

#include "rr/base/check.h"
#include "rr/base/machine.h"
#include "rr/nn/internal/batch.h"
#include "rr/nn/internal/decoder_weights.h"
#include "rr/nn/internal/forward_pass.h"
#include "rr/nn/internal/select_kernels.h"
#include "rr/nn/internal/team.h"
#include "rr/nn/memory.h"

namespace rr {
namespace internal {
namespace {

KvShape kv_shape(const DecoderConfig& config, const DecoderOptions& options) {
  Element element = options.precision == Precision::kF32 ? Element::kF32 : Element::kBf16;
  if (options.kv == KvPrecision::kInt8) element = Element::kInt8;
  return {config.num_layers, config.num_kv_heads, config.head_dim, element};
}

Engine select_engine(const DecoderConfig& config, const DecoderOptions& options) {
  Engine engine{};
  engine.family =
      select_products(config, options.precision, options.as_learner, options.force_generic);
  engine.activation = activation_element(engine.family);
  engine.kernels = &select_row_kernels(options.force_generic);
  engine.kv = kv_shape(config, options);
  engine.attention = select_attention(attention_element(engine.family, options.force_generic),
                                      engine.kv.element, config.head_dim, *engine.kernels);
  return engine;
}

class FamilyDecoder final : public Decoder {
 public:
  FamilyDecoder(DecoderConfig config, const DecoderOptions& options, ThreadPool& pool)
      : config_(std::move(config)),
        engine_(select_engine(config_, options)),
        pool_(pool),
        team_(pool),
        workers_(pool.num_threads()) {}

  Status load(const ModelFiles& files, const std::optional<LoraShape>& lora) {
    std::optional<AdapterChoice> adapters;
    if (lora) {
      adapter_products_.emplace(engine_.family);
      adapters = {*lora, &*adapter_products_};
    }
    RR_TRY(weights_,
           load_weights(files, config_, engine_.family, cache_, adapters, *engine_.kernels, pool_));
    return ok_status();
  }

  const DecoderConfig& config() const override { return config_; }

  std::string kernel_name() const override { return name_of(engine_.family, *engine_.kernels); }

  double row_cost() const override {  // as measured up to 16 tokens (docs/benchmarks.md)
    const bool is_integer =
        engine_.family == ProductFamily::kInt8 || engine_.family == ProductFamily::kInt4;
    return is_integer ? 0.3 : 0.08;
  }

  void adopt(std::span<const Parameter> parameters) override { weights_.adopt(parameters, pool_); }

  std::unique_ptr<KvSequence> new_sequence() const override {
    return std::make_unique<KvBlockSequence>(engine_.kv, num_kv_blocks_);
  }

  std::size_t num_kv_blocks() const override { return *num_kv_blocks_; }

  void forward(std::span<const DecoderChunk> chunks, std::vector<float>& logits) override {
    RR_CHECK(!chunks.empty(), "a forward pass needs a chunk");
    const Batch batch = plan_batch(chunks, config_, team_.size());
    logits.resize(batch.wanted_rows.size() * config_.vocabulary_size);
    ForwardPass pass(config_, weights_, engine_, batch, shared_, workers_, logits.data());
    team_.run([&pass](Team::Member& member) { pass.run(member); });
    for (const DecoderChunk& chunk : chunks) {
      static_cast<KvBlockSequence*>(chunk.sequence)->extend(chunk.ids.size());
    }
  }

 private:
  DecoderConfig config_;
  Engine engine_;
  ProductCache cache_;                               // before weights_, which use it
  std::optional<AdapterProducts> adapter_products_;  // the same
  DecoderWeights weights_;
  ThreadPool& pool_;
  Team team_;
  std::vector<Worker> workers_;
  SharedBuffers shared_;
  KvBlockCount num_kv_blocks_ = std::make_shared<std::atomic<std::size_t>>(0);
};

// Bytes of a packed linear layer: outputs come in whole columns of tiles.
std::size_t packed_bytes(std::size_t outputs, std::size_t inputs, ProductFamily family) {
  switch (family) {
    case ProductFamily::kInt8:
      return num_strips(outputs) * int8_strip_bytes(padded_inputs(inputs));
    case ProductFamily::kInt4:
      return num_strips(outputs) * int4_strip_bytes(padded_inputs(inputs));
    case ProductFamily::kF32:
      return (outputs + 63) / 64 * 64 * inputs * sizeof(float);
    case ProductFamily::kAmx:
    case ProductFamily::kBf16:
    case ProductFamily::kGeneric:
      break;
  }
  return (outputs + 63) / 64 * 64 * inputs * sizeof(Bf16);
}

std::size_t weight_bytes(const DecoderConfig& config, ProductFamily family) {
  const std::size_t q = config.num_heads * config.head_dim;
  const std::size_t kv = config.num_kv_heads * config.head_dim;
  const std::size_t hidden = config.hidden_size;
  const std::size_t a_layer = packed_bytes(q + 2 * kv, hidden, family) +
                              packed_bytes(hidden, q, family) +
                              packed_bytes(2 * config.ffn_size, hidden, family) +
                              packed_bytes(hidden, config.ffn_size, family);
  const std::size_t output = packed_bytes(config.vocabulary_size, hidden, output_family(family));
  const Element element = family == ProductFamily::kF32 ? Element::kF32 : Element::kBf16;
  const std::size_t embedding =
      config.has_tied_embedding ? 0 : config.vocabulary_size * hidden * element_bytes(element);
  return config.num_layers * a_layer + output + embedding;
}

}  // namespace
}  // namespace internal

MemoryPlan plan_memory(const DecoderConfig& config, const DecoderOptions& options,
                       std::size_t max_rows) {
  constexpr std::size_t kThreads = 16;  // an upper guess: workers are small beside the weights
  const internal::ProductFamily family = internal::select_products(
      config, options.precision, options.as_learner, options.force_generic);
  MemoryPlan plan;
  plan.weight_bytes = internal::weight_bytes(config, family);
  plan.kv_bytes_per_token = internal::kv_shape(config, options).block_bytes() / kKvBlockTokens;
  plan.scratch_bytes = internal::scratch_bytes(config, family, max_rows, kThreads);
  return plan;
}

Result<std::unique_ptr<Decoder>> Decoder::load(const ModelFiles& files,
                                               const DecoderOptions& options, ThreadPool& pool) {
  RR_TRY(DecoderConfig config, read_decoder_config(files));
  RR_CHECK(!options.lora || options.lora->rank > 0, "an adapter has a rank");
  RR_TRY_STATUS(
      check_memory(plan_memory(config, options, 1), 0, free_memory(), files.path().string()));
  auto decoder = std::make_unique<internal::FamilyDecoder>(std::move(config), options, pool);
  RR_TRY_STATUS(decoder->load(files, options.lora));
  return std::unique_ptr<Decoder>(std::move(decoder));
}

}  // namespace rr
