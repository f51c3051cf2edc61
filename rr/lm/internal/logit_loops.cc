#include "rr/lm/internal/logit_loops.h"

#include "rr/base/cpu.h"

namespace rr::internal {

const LogitLoops& baseline_logit_loops() {
  static constexpr LogitLoops kLoops = {"baseline", largest_logit, sum_logit_weights};
  return kLoops;
}

const LogitLoops& logit_loops() {
#if defined(__x86_64__)
  if (cpu_features().has_avx512) return avx512_logit_loops();
  if (cpu_features().has_avx2) return avx2_logit_loops();
#endif
  return baseline_logit_loops();
}

}  // namespace rr::internal
