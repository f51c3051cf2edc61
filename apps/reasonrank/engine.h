#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "apps/reasonrank/model_options.h"
#include "rr/base/result.h"
#include "rr/lm/generator.h"
#include "rr/lm_local/local_model.h"

namespace rr {

// A model that runs in this process, by the engine that the options name.
struct Engine {
  std::unique_ptr<LocalModel> model;  // of our own engine; outlives the generator
  std::unique_ptr<Generator> generator;

  // Once, at the end: what the options asked to be told. The file of --step-log appears; and for
  // --stats these are lines for standard error on what the generator did, each ended: steps by kind
  // with their speed, prompts not read again, forced tokens, drafts, memory for keys and values.
  // Empty without it.
  std::function<Result<std::string>()> tell;

  const TextModel& text_model() const { return *generator->text_model(); }
};

// What products are computed by and in, to know a run again: "bf16", "llama.cpp 0.5.0".
std::string arithmetic_name(const ModelOptions& model, const GeneratorCommandOptions& generator);

// Loads the model and starts it. max_sequences: requests that run at once. Refused beyond what the
// engine refuses: options that it has not.
Result<Engine> start_engine(const ModelOptions& model, const GeneratorCommandOptions& generator,
                            std::size_t max_sequences);

}  // namespace rr
