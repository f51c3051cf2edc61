#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "rr/base/atomic_file.h"
#include "rr/base/result.h"
#include "rr/synth/sample.h"
#include "rr/synth/texts.h"

namespace rr {

// Where `filter`, `decontaminate` and `split` read samples, and where their texts are.
struct SampleInputs {
  std::string samples;
  std::string topics;
  std::string corpus;
  std::string release;
};

// The positional SAMPLES, and --topics, --corpus and --texts. `inputs` must outlive `command`.
void add_sample_inputs(CLI::App& command, SampleInputs& inputs);

// The samples, with texts where a source was named. Says aloud what was repaired.
Result<std::vector<Sample>> read_sample_inputs(const SampleInputs& inputs);

// One line.
Status write_sample(const Sample& sample, AtomicFile& file);

}  // namespace rr
