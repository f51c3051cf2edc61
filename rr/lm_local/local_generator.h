#pragma once

#include <cstddef>
#include <functional>
#include <memory>

#include "rr/base/result.h"
#include "rr/lm/generation_counters.h"
#include "rr/lm/generator.h"
#include "rr/lm_local/local_model.h"

namespace rr {

// What one step of a LocalGenerator was made of.
struct GenerationStep {
  double seconds = 0;               // in running the model and choosing tokens
  std::size_t reading = 0;          // requests whose prompts were read, or read again
  std::size_t writing = 0;          // requests that wrote
  std::size_t waiting = 0;          // requests for which there was no place or no memory
  std::size_t read_tokens = 0;      // of prompts
  std::size_t expected_tokens = 0;  // of prompts read ahead
  std::size_t known_tokens = 0;     // of prompts of its requests, found read already
  std::size_t written_tokens = 0;   // of completions; no wrong drafts
  std::size_t forced_tokens = 0;    // that came to stand in completions without being chosen
  std::size_t drafted_tokens = 0;   // guessed and read
  std::size_t right_drafts = 0;     // of these
  std::size_t kv_blocks = 0;        // of keys and values, in use or kept, after the step
};

struct LocalGeneratorOptions {
  std::size_t max_sequences = 32;      // requests that run at once; the others wait in order
  std::size_t max_batch_tokens = 512;  // prompt tokens read in one step
  std::size_t kv_memory_bytes = 0;     // for keys and values; 0: three quarters of what is free now

  // Whether text that repeats is guessed ahead and checked in one step, where few requests write.
  // No completion changes by it.
  bool speculation = true;

  // Called after each step, by the thread that runs the model; it must not call the generator.
  std::function<void(const GenerationStep&)> on_step = nullptr;
};

// A Generator on a model in this process. One thread owns the decoder: each of its steps is one
// forward() over the next token of every sequence that writes and the next pieces of prompts that
// are still being read, so requests join and leave while others run (continuous batching).
//
// Same request, same tokens: the decoder's rows do not depend on what else it reads, and the random
// number of a token depends on the seed, the request's label and the token's position in the
// completion alone. Requests that should differ need different seeds or labels.
//
// Keys and values of what was read stay until their memory is wanted, in blocks of 64 tokens found
// by the tokens. A prompt that begins as an earlier one did, of a request that runs or has ended,
// is read from where they part on; and while several run, attention reads what they have in common
// once for all. No completion changes by it.
//
// Memory for keys and values is taken as they come, never more than kv_memory_bytes. Where it runs
// out, what nobody uses goes first; then the requests that came last stop, wait, and later go on
// where they were.
//
// Where few requests write, what a free stage may write next is looked up in its own prompt and
// completion and in the completions that ended last, and read behind the last token as a draft; the
// scores then choose token by token as ever, so drafts that are wrong cost a little time and change
// nothing. A request whose drafts do not pay gets few.
//
// Refused at submit, beyond what Generator says: a prompt that with all that its stages may write
// is longer than the context, or would take more than the memory for keys and values even alone; an
// id outside the vocabulary; no stage; an empty prompt; messages for a model without a template.
//
// What becomes of tokens where stages meet: completion_writer.h.
class LocalGenerator : public Generator {
 public:
  // `model` must outlive the generator, and have no other user from its first request on.
  explicit LocalGenerator(LocalModel& model, const LocalGeneratorOptions& options = {});

  // Cancels what still runs; every listener has had its last event when this returns.
  ~LocalGenerator() override;

  Result<GenerationId> submit(GenerationRequest request, GenerationListener listener) override;
  void cancel(GenerationId id) override;
  void expect(TokenIds beginning) override;
  const TextModel* text_model() const override;

  // Totals since the start, for reports. Those of a request are in before its last event.
  using Counters = GenerationCounters;
  Counters counters() const;

 private:
  class Worker;
  std::unique_ptr<Worker> worker_;
};

}  // namespace rr
