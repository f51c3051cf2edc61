#pragma once

#include <filesystem>

#include "rr/base/atomic_file.h"
#include "rr/base/result.h"
#include "rr/ir/convert.h"

namespace rr {

// Examples in the layouts of LLaMA-Factory (its data/README.md) become sft.jsonl. The file is a
// JSON array or JSON lines; each record is told by its fields:
//   alpaca    {"instruction", "input", "output", "system", "history"}: one user turn, "instruction"
//             and "input" with a line end between them, after the turns of the history
//   sharegpt  {"conversations": [{"from", "value"}], "system"}: human and gpt by turns
//   OpenAI's  {"messages": [{"role", "content"}]}: system, user and assistant
// Our examples learn the last reply alone: earlier replies, which LLaMA-Factory learns too, are
// noted. Fields that sft.jsonl does not have are a loss. Refused, with the place: records of
// preferences or with tools, images, videos or audios, turns out of their order, an empty reply.
Result<Conversion> convert_examples(const std::filesystem::path& input,
                                    const ConvertOptions& options, AtomicFile& output);

}  // namespace rr
