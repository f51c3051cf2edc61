#include "rr/nn/internal/kernels_table.h"

namespace rr::internal {

const RowKernels& baseline_kernels() {
  static const RowKernels table = make_row_kernels("x86-64");
  return table;
}

}  // namespace rr::internal
