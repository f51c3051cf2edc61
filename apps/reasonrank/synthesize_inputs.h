#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "rr/base/result.h"
#include "rr/synth/sample.h"
#include "rr/synth/synthesis_driver.h"

namespace rr {

// Where `synthesize` takes topics and candidates from.
struct SynthesizeInputOptions {
  Domain domain = Domain::kComplexQa;
  std::string topics;
  std::string corpus;
  std::string run;
  std::string index;
  std::string qrels;
  std::string dataset;               // of topics that name none; empty: the domain's name
  std::optional<std::size_t> depth;  // retrieved documents a topic; none: the domain's
  std::size_t first = 0;             // topics that are taken; 0: all
};

// The published depth: 10 searched documents in complex-qa, 20 in web, 40 elsewhere.
std::size_t default_depth(Domain domain);

struct SynthesizeInputs {
  std::vector<SynthesisInput> topics;
  std::vector<std::string> notes;  // what a reader of the result should know
  std::string sha256;              // of all topics and candidates
};

// Refused: what the files' readers refuse; in domains that need them a topic without a gold answer,
// a corpus without any of the linked documents, topics that no run ranks.
Result<SynthesizeInputs> read_synthesize_inputs(const SynthesizeInputOptions& options);

}  // namespace rr
