#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <vector>

#include "rr/base/result.h"
#include "rr/synth/sample.h"

namespace rr {

// Where the texts of samples are that hold none (docs/formats/samples.md). All empty: nowhere else.
struct TextSources {
  std::filesystem::path topics;  // with corpus: topics and passages, as ir/ reads them
  std::filesystem::path corpus;
  std::filesystem::path release;  // a folder with id_query/{dataset}.json and id_doc/{dataset}.json

  bool empty() const { return topics.empty() && corpus.empty() && release.empty(); }
};

// Puts texts into the samples that lack them. A topic or a passage that the source lacks is refused
// by name. Returns the number of ill-formed UTF-8 sequences that were replaced.
Result<std::size_t> add_texts(std::span<Sample> samples, const TextSources& sources);

// Refuses samples without texts, naming the first and the options that give them.
Status check_texts(std::span<const Sample> samples);

}  // namespace rr
