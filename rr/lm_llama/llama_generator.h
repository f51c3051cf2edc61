#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "rr/base/result.h"
#include "rr/lm/generation_counters.h"
#include "rr/lm/generator.h"

namespace rr {

struct LlamaOptions {
  std::size_t num_threads = 0;            // 0: usable_cores()
  std::optional<std::size_t> gpu_layers;  // on an accelerator, from the last; none: all
  std::string chat_template;              // a name; empty: as the model's file says
  std::size_t max_sequences = 32;         // requests that run at once; the others wait in order
  std::size_t max_batch_tokens = 512;     // prompt tokens read in one step
  std::size_t context_tokens = 0;         // prompt and completion together; 0: the model's own
                                          // context, at most 16,384
  std::size_t kv_memory_bytes = 0;        // for keys and values, taken at the start as far as
                                          // max_sequences can use it; 0: half of what is free
};

// A Generator on llama.cpp, a library that may be there or not when the program is built: for
// architectures, file types and accelerators that lm_local has not.
//
// Requests run as in lm_local: each step reads the next token of everyone who writes and the next
// pieces of prompts that are still being read, in one batch of several sequences. Each sequence has
// room for a whole context, in F16, so there may be fewer than max_sequences; flash attention is
// on. A prompt that begins as an earlier one, of a request that runs or that ended last in its
// sequence, is read from where they part on, and waits for a running one to get there; recurrent
// models read all.
//
// Tokens, sampling, stages and constraints are those of lm_local, in the same code. Not so: what a
// row comes to depends in its last bits on what else the batch holds, by llama.cpp's arithmetic, so
// near ties may fall otherwise from run to run. expect() is ignored.
//
// Refused at submit, beyond what Generator says: as GenerationTask::create() does.
class LlamaGenerator : public Generator {
 public:
  // Whether this program was built with llama.cpp, and its version: "0.5.0"; empty: it was not.
  static std::string library_version();

  // Loads a GGUF file. The tokenizer is ours where it knows the file's, else llama.cpp's; so is the
  // chat template, but one named by the options must be known to either. Refused in one sentence:
  // a program built without llama.cpp (with how to get it), a file that llama.cpp cannot load (with
  // its own words), a model that does not write text (encoders, diffusion), too little memory.
  static Result<std::unique_ptr<LlamaGenerator>> load(const std::filesystem::path& path,
                                                      const LlamaOptions& options = {});

  // What runs where, for a person: "llama.cpp 0.5.0: llama 134.5M Q4_1 on CPU, 2 threads".
  virtual std::string description() const = 0;

  // Tokens that there is room for in keys and values, and their bytes.
  virtual std::size_t kv_tokens() const = 0;
  virtual std::size_t kv_bytes() const = 0;

  // Totals since the start. Those of a request are in before its last event.
  virtual GenerationCounters counters() const = 0;
};

}  // namespace rr
