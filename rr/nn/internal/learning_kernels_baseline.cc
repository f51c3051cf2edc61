#include "rr/nn/internal/learning_kernels_table.h"

namespace rr::internal {

const LearningKernels& baseline_learning_kernels() {
  static const LearningKernels table = make_learning_kernels("base");
  return table;
}

}  // namespace rr::internal
