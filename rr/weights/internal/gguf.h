#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "rr/base/json.h"
#include "rr/base/result.h"
#include "rr/weights/model_files.h"
#include "rr/weights/tensor.h"

namespace rr::internal {

struct GgufContents {
  Json metadata;                    // one object, keys in the order of the file
  std::vector<TensorView> tensors;  // in the order of the file; their bytes point into it
  GgufEntries entries{};            // where the metadata stands
};

// Reads the head of a GGUF file (versions 2 and 3, little-endian; ggml's docs/gguf.md) that lies in
// `file`. Touches the tensors' data nowhere. Memory used is bounded by a small multiple of the
// file's size, and by kMaxGgufValues values.
//
// Refused, beside damage: another type of tensor, one part of a split file, big-endian files.
// `where` names the file in messages.
Result<GgufContents> parse_gguf(std::span<const std::byte> file, const std::string& where);

// Metadata values, elements of arrays included. A vocabulary of 256,000 tokens has about a million.
constexpr std::size_t kMaxGgufValues = std::size_t{1} << 24;

}  // namespace rr::internal
