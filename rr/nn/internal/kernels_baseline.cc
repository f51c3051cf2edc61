#include "rr/nn/internal/kernels_table.h"

namespace rr::internal {

const RowKernels& baseline_kernels() {
  static const RowKernels table = make_row_kernels("base");
  return table;
}

}  // namespace rr::internal
