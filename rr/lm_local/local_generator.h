#pragma once

#include <cstddef>
#include <memory>

#include "rr/base/result.h"
#include "rr/lm/generator.h"
#include "rr/lm_local/local_model.h"

namespace rr {

struct LocalGeneratorOptions {
  std::size_t max_sequences = 32;      // requests that run at once; the others wait in order
  std::size_t max_batch_tokens = 512;  // prompt tokens read in one step
  std::size_t kv_memory_bytes = 0;     // for keys and values; 0: three quarters of what is free now

  // Whether text that repeats is guessed ahead and checked in one step, where few requests write.
  // No completion changes by it.
  bool speculation = true;
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
  void expect(TokenIds beginning) override;
  const TextModel* text_model() const override;

  // Steps of one kind, in sum.
  struct Steps {
    std::size_t count = 0;
    std::size_t read_tokens = 0;     // of prompts
    std::size_t written_tokens = 0;  // of completions, read as they are written; no wrong drafts
    double seconds = 0;              // in forward() and choosing tokens
  };

  // Totals since the start, for reports. Those of a request are in before its last event.
  struct Counters {
    Steps reading;  // steps that read prompts only
    Steps writing;  // steps that write only
    Steps mixed;
    std::size_t prompt_tokens = 0;      // of requests that ended; so are the next three
    std::size_t cached_tokens = 0;      // of these, known from other requests
    std::size_t completion_tokens = 0;  // of completions that ended by themselves
    std::size_t expected_tokens = 0;    // of prompts read ahead, whoever came for them
    std::size_t forced_tokens = 0;      // of these, not chosen by the model
    std::size_t drafted_tokens = 0;     // guessed and read ahead
    std::size_t right_drafts = 0;       // of these tokens, such as came to be written
    std::size_t max_running = 0;        // most requests in one step
    std::size_t stopped = 0;            // times that a request had to wait for memory in its middle
    std::size_t max_kv_blocks = 0;      // most blocks of keys and values, in use or kept
    std::size_t evicted_blocks = 0;     // that were kept and had to go

    std::size_t num_steps() const { return reading.count + writing.count + mixed.count; }
    double busy_s() const { return reading.seconds + writing.seconds + mixed.seconds; }
  };
  Counters counters() const;

 private:
  class Worker;
  std::unique_ptr<Worker> worker_;
};

}  // namespace rr
