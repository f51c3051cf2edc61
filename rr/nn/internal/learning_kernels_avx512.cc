#include "rr/nn/internal/learning_kernels_table.h"

namespace rr::internal {

const LearningKernels& avx512_learning_kernels() {
  static const LearningKernels table = make_learning_kernels("AVX-512");
  return table;
}

}  // namespace rr::internal
