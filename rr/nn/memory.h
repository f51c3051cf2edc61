#pragma once

#include <cstddef>
#include <string>

#include "rr/base/result.h"
#include "rr/nn/decoder.h"

namespace rr {

// Refuses a plan, with `kv_tokens` tokens in all sequences together, that needs more than
// `available` bytes (base/machine.h: free_memory()), with the numbers. `where` names the model.
Status check_memory(const MemoryPlan& plan, std::size_t kv_tokens, std::size_t available,
                    const std::string& where);

}  // namespace rr
