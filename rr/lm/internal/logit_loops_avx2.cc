#include "rr/lm/internal/logit_loops.h"

namespace rr::internal {

const LogitLoops& avx2_logit_loops() {
  static constexpr LogitLoops kLoops = {"AVX2", largest_logit, sum_logit_weights};
  return kLoops;
}

}  // namespace rr::internal
