#include "rr/lm/internal/logit_loops.h"

namespace rr::internal {

const LogitLoops& avx512_logit_loops() {
  static constexpr LogitLoops kLoops = {"AVX-512", largest_logit, sum_logit_weights};
  return kLoops;
}

}  // namespace rr::internal
