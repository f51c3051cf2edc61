#include "rr/bm25/internal/window_kernels.h"

#include "rr/base/cpu.h"

namespace rr::internal {

const WindowKernels& window_kernels() {
#if defined(__x86_64__)
  if (cpu_features().has_avx512) return avx512_window_kernels();
  if (cpu_features().has_avx2) return avx2_window_kernels();
#endif
  return baseline_window_kernels();
}

}  // namespace rr::internal
