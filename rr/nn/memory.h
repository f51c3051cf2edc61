#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "rr/base/result.h"
#include "rr/nn/decoder.h"

namespace rr {

// Bytes that this process can still take: the system's available memory, or what the control group
// leaves where that is less. nullopt where the system does not say.
std::optional<std::size_t> available_memory();

// Refuses a plan, with `kv_tokens` tokens in all sequences together, that needs more than
// `available` bytes, with the numbers. Passes where `available` is unknown. `where` names the
// model.
Status check_memory(const MemoryPlan& plan, std::size_t kv_tokens,
                    std::optional<std::size_t> available, const std::string& where);

}  // namespace rr
