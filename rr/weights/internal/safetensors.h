#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rr/base/result.h"
#include "rr/weights/model_files.h"
#include "rr/weights/tensor.h"

namespace rr::internal {

struct SafetensorsContents {
  std::map<std::string, std::string> metadata;  // "__metadata__": texts by name
  std::vector<TensorView> tensors;  // in the order of the data; their bytes point into the file
  std::vector<LeftOutTensor> left_out;
};

// Reads the header of a .safetensors file (format as in the safetensors project's README) that lies
// in `file`: a 64-bit length, so many bytes of JSON, then the data. Touches the tensors' data
// nowhere.
//
// Tensors of other types than F32, F16 and BF16, and empty ones, are left out and named in
// `left_out`. Refused: what is no such file, a name that stands twice, byte ranges that overlap,
// leave holes, do not fit the shape or do not end with the file. `where` names the file in
// messages.
Result<SafetensorsContents> parse_safetensors(std::span<const std::byte> file,
                                              const std::string& where);

// model.safetensors.index.json: which shard holds which tensor, tensors sorted by name. Shards are
// plain file names: none leads out of the folder.
using ShardOfTensor = std::map<std::string, std::string>;
Result<ShardOfTensor> parse_safetensors_index(std::string_view text, const std::string& where);

// A name that stays inside a folder: no separator, no "..", not empty.
bool is_plain_file_name(std::string_view name);

}  // namespace rr::internal
