#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "rr/base/result.h"
#include "rr/base/thread_pool.h"
#include "rr/nn/decoder_config.h"
#include "rr/nn/kv_block.h"
#include "rr/nn/parameter.h"
#include "rr/weights/model_files.h"

namespace rr {

enum class Precision {
  kBf16,  // weights, activations entering products, and KV cache in bf16; sums, norms, softmax in
          // float32
  kF32,   // everything in float32, for tests and references
  kInt8,  // weights in 8 bits by output, activations entering products in 8 bits by 32; attention
          // as in bf16
  kInt4,  // weights in 4 bits by 32, those of a GGUF file's Q4_0 and Q4_1 as they are; the
          // output layer and all else as in kInt8
};

// What keys and values are kept in.
enum class KvPrecision {
  kAsComputed,  // bf16; float32 with Precision::kF32
  kInt8,        // 8 bits, with a scale for each token, head and layer: about half as large as bf16
};

struct DecoderOptions {
  Precision precision = Precision::kBf16;
  KvPrecision kv = KvPrecision::kAsComputed;

  // Use the code path for CPUs without AVX-512, which any machine runs: to test it where there is
  // better.
  bool force_generic = false;

  // Products as a Learner computes them, also where a decoder alone could have faster ones (AMX,
  // and a vocabulary that does not fill its tiles): for one whose log-probabilities a learner has
  // to repeat.
  bool as_learner = false;

  // Adapters beside the weights, computed as a Learner computes them and not folded into the
  // weights, where rounding would drown them. They add nothing until adopt() sets them.
  std::optional<LoraShape> lora = {};
};

// Bytes that a decoder takes, known before it is loaded.
struct MemoryPlan {
  std::size_t weight_bytes = 0;        // packed weights and embedding
  std::size_t kv_bytes_per_token = 0;  // of one sequence, all layers
  std::size_t scratch_bytes = 0;       // at `max_rows` rows in one forward()
};
MemoryPlan plan_memory(const DecoderConfig& config, const DecoderOptions& options,
                       std::size_t max_rows);

// One full block of keys and values (kv_block.h), which nobody changes any more. It belongs to the
// tokens that were read into it and to all those before them, so sequences that begin alike can
// have it in common.
class KvBlock {
 public:
  virtual ~KvBlock() = default;
};

// Keys and values of one sequence: what the model has read so far. Grows by blocks as tokens come,
// so a short sequence takes little. Not shared between threads.
class KvSequence {
 public:
  virtual ~KvSequence() = default;

  // Tokens read.
  virtual std::size_t length() const = 0;

  // Forgets the tokens from `length` on. Requires length <= length().
  virtual void truncate(std::size_t length) = 0;

  // The block of tokens index * kKvBlockTokens and following. Requires that all of them have been
  // read. It stays what it is, whatever becomes of the sequence.
  virtual std::shared_ptr<const KvBlock> block(std::size_t index) const = 0;

  // Takes the next kKvBlockTokens tokens for read, from a sequence of the same decoder that read
  // them, and before them the same tokens as this one. Requires length() % kKvBlockTokens == 0, and
  // that the decoder's context is not overrun.
  virtual void append(std::shared_ptr<const KvBlock> block) = 0;
};

// Which positions of a chunk need logits: the next token's scores after that position.
enum class LogitsWanted { kNone, kLast, kAll };

// The next tokens of one sequence. Requires: ids not empty, all inside the vocabulary, and
// sequence->length() + ids.size() <= context_length; no sequence twice in one forward().
struct DecoderChunk {
  KvSequence* sequence;
  std::span<const std::int32_t> ids;
  LogitsWanted logits = LogitsWanted::kLast;
};

// A language model's forward pass. One forward() at a time.
class Decoder {
 public:
  // Weights are packed once, for matrix products in `options.precision`; `files` is not needed
  // afterwards. `pool` must outlive the decoder. A tensor that is missing, of another shape than
  // the configuration says, or not finite is refused by name.
  static Result<std::unique_ptr<Decoder>> load(const ModelFiles& files,
                                               const DecoderOptions& options, ThreadPool& pool);

  virtual ~Decoder() = default;

  virtual const DecoderConfig& config() const = 0;

  // "bf16 (AMX)", "oneDNN bf16 (AVX-512)", "int8 (AVX-512 VNNI)": what runs, for reports.
  virtual std::string kernel_name() const = 0;

  // What each further token of a forward() of few costs, as a share of what the first one costs:
  // about, for planning. Small where the reading of the weights takes most of the time.
  virtual double row_cost() const = 0;

  // Takes over what a learner has made of its weights or adapters, packed again. From then on the
  // decoder says what the learner says. Keys and values that were read before belong to the old
  // weights: sequences and blocks must be let go of first. Requires parameters() of a learner of
  // the same model, with adapters of the shape options.lora where there are any. Not during a
  // forward().
  virtual void adopt(std::span<const Parameter> parameters) = 0;

  virtual std::unique_ptr<KvSequence> new_sequence() const = 0;

  // Blocks of keys and values that exist now, in sequences and elsewhere; one that several have in
  // common counts once. A block is gone when the last one lets go of it.
  virtual std::size_t num_kv_blocks() const = 0;

  // Reads all chunks in one batch: every sequence grows by its chunk. Sequences may differ in
  // length and chunk size: prefill and decoding mix. What a row comes to depends on its sequence
  // alone, to the bit: not on chunks, batch or threads, nor on whether blocks are its own. Where
  // sequences have blocks in common, one pass over these serves all that read a few tokens.
  // `logits` gets [rows, vocabulary_size] float32,
  // a row for each position wanted, in the order of chunks and positions; its old content is lost.
  virtual void forward(std::span<const DecoderChunk> chunks, std::vector<float>& logits) = 0;
};

}  // namespace rr
