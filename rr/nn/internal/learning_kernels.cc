#include "rr/nn/internal/learning_kernels.h"

#include "rr/nn/internal/kernels.h"

namespace rr::internal {

const LearningKernels& select_learning_kernels(bool force_generic) {
  if (force_generic) return baseline_learning_kernels();
  if (cpu_features().has_avx512) return avx512_learning_kernels();
  if (cpu_features().has_avx2) return avx2_learning_kernels();
  return baseline_learning_kernels();
}

}  // namespace rr::internal
