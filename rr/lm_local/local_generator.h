#pragma once

#include <cstddef>
#include <memory>

#include "rr/base/result.h"
#include "rr/lm/generator.h"
#include "rr/lm_local/local_model.h"

namespace rr {

struct LocalGeneratorOptions {
  std::size_t max_sequences = 32;      // requests that run at once; the others wait in order
  std::size_t max_batch_tokens = 512;  // prompt tokens read in one step, and in one chunk
  std::size_t kv_memory_bytes = 0;     // for keys and values; 0: three quarters of what is free now
};

// A Generator on a model in this process. One thread owns the decoder: each of its steps is one
// forward() over the next token of every sequence that writes and the next chunks of prompts that
// are still being read, so requests join and leave while others run (continuous batching).
//
// Same request, same tokens: prompts are cut into chunks at fixed places, whatever else runs, and
// the random number of a token depends on the seed, the request's label and the token's position in
// the completion alone. Requests that should differ need different seeds or labels. What is left is
// the decoder's own rounding.
//
// Refused at submit, beyond what Generator says: a prompt that with all that its stages may write
// is longer than the context, or would take more than the memory for keys and values even alone; an
// id outside the vocabulary; no stage; an empty prompt; messages for a model without a template.
//
// Memory for keys and values is set aside for the longest that a request may become, when its turn
// comes; until there is enough it waits, and those behind it too.
//
// Where stages meet, tokens are as the tokenizer would write the text: a forced text is encoded
// together with the forced text after it ("<answer>" and the "[" of a permutation), but never with
// what the model wrote before it. Where a free stage that is not the last wrote on past its stop
// string, and that is not how the following text begins, its last token is taken back and the part
// up to the stop string's end is written in its place; in the last stage that token stays whole. A
// token that lies across two stages counts for the first.
class LocalGenerator : public Generator {
 public:
  // `model` must outlive the generator and have no other user.
  explicit LocalGenerator(LocalModel& model, const LocalGeneratorOptions& options = {});

  // Cancels what still runs; every listener has had its last event when this returns.
  ~LocalGenerator() override;

  Result<GenerationId> submit(GenerationRequest request, GenerationListener listener) override;
  void cancel(GenerationId id) override;
  const TextModel* text_model() const override;

  // Totals since the start, for reports. Those of a request are in before its last event.
  struct Counters {
    std::size_t steps = 0;
    std::size_t prompt_tokens = 0;      // read
    std::size_t completion_tokens = 0;  // of completions that ended by themselves
    std::size_t max_running = 0;        // most requests in one step
    double busy_s = 0;                  // in forward() and choosing tokens
  };
  Counters counters() const;

 private:
  class Scheduler;
  std::unique_ptr<Scheduler> scheduler_;
};

}  // namespace rr
