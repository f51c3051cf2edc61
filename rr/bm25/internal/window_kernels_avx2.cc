#include "rr/bm25/internal/window_kernels_table.h"

namespace rr::internal {

const WindowKernels& avx2_window_kernels() {
  static const WindowKernels table = make_window_kernels();
  return table;
}

}  // namespace rr::internal
