#include "rr/nn/internal/kernels_table.h"

namespace rr::internal {

const RowKernels& avx512_kernels() {
  static const RowKernels table = make_row_kernels("AVX-512");
  return table;
}

}  // namespace rr::internal
