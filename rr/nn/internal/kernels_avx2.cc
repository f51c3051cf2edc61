#include "rr/nn/internal/kernels_table.h"

namespace rr::internal {

const RowKernels& avx2_kernels() {
  static const RowKernels table = make_row_kernels("AVX2");
  return table;
}

}  // namespace rr::internal
