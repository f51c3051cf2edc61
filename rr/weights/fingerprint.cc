#include "rr/weights/fingerprint.h"

#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "rr/base/sha256.h"

namespace rr {

std::string fingerprint(const ModelFiles& files) {
  constexpr std::size_t kBytes = 4096;
  std::string text;
  for (const TensorView& tensor : files.tensors()) {
    const auto begin = tensor.bytes.first(std::min(kBytes, tensor.bytes.size()));
    text += fmt::format("{} {} {} {}\n", tensor.name, tensor_type_name(tensor.type),
                        fmt::join(tensor.shape, "x"), sha256_hex(begin));
  }
  return sha256_hex(text);
}

}  // namespace rr
