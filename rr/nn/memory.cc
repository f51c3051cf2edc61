#include "rr/nn/memory.h"

#include <fmt/core.h>

namespace rr {
namespace {

double in_gib(std::size_t bytes) { return static_cast<double>(bytes) / (1024.0 * 1024 * 1024); }

}  // namespace

Status check_memory(const MemoryPlan& plan, std::size_t kv_tokens, std::size_t available,
                    const std::string& where) {
  const std::size_t kv_bytes = plan.kv_bytes_per_token * kv_tokens;
  const std::size_t needed = plan.weight_bytes + plan.scratch_bytes + kv_bytes;
  if (needed <= available) return ok_status();
  return Error{
      Errc::kRejected,
      fmt::format("the model needs {:.2f} GiB of memory ({:.2f} weights, {:.2f} for {} tokens of "
                  "keys and values, {:.2f} working space), {:.2f} GiB are free; take a smaller "
                  "model or a machine with more memory",
                  in_gib(needed), in_gib(plan.weight_bytes), in_gib(kv_bytes), kv_tokens,
                  in_gib(plan.scratch_bytes), in_gib(available)),
      where};
}

}  // namespace rr
