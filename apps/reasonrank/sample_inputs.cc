#include "apps/reasonrank/sample_inputs.h"

#include <fmt/core.h>

#include "rr/base/file.h"

namespace rr {

void add_sample_inputs(CLI::App& command, SampleInputs& inputs) {
  command
      .add_option("samples", inputs.samples,
                  "Samples of `synthesize`, or records of the published form; - for standard input")
      ->required()
      ->type_name("SAMPLES");
  const char* group = "Texts, where the samples hold none";
  command.add_option("--topics", inputs.topics, "Their queries: JSONL, TSV, or a BEIR folder")
      ->type_name("FILE")
      ->group(group);
  command.add_option("--corpus", inputs.corpus, "Their passages: JSONL, TSV, or a folder")
      ->type_name("FILE")
      ->group(group);
  command
      .add_option("--texts", inputs.release,
                  "A folder with id_query/DATASET.json and id_doc/DATASET.json, as published")
      ->type_name("FOLDER")
      ->group(group);
}

Result<std::vector<Sample>> read_sample_inputs(const SampleInputs& inputs) {
  RR_TRY(std::vector<Sample> samples, read_samples(inputs.samples));
  if (samples.empty()) {
    return Error{Errc::kMalformed, "expected at least one sample, found none",
                 display_name(inputs.samples)};
  }
  const TextSources sources{inputs.topics, inputs.corpus, inputs.release};
  if (sources.empty()) return samples;
  RR_TRY(const std::size_t repaired, add_texts(samples, sources));
  if (repaired > 0) {
    fmt::print(stderr, "reasonrank: {} ill-formed UTF-8 sequences in the texts replaced\n",
               repaired);
  }
  return samples;
}

Status write_sample(const Sample& sample, AtomicFile& file) {
  return file.write(to_json_line(to_json(sample)) + "\n");
}

}  // namespace rr
