#include "rr/bm25/internal/window_kernels.h"

namespace rr::internal {
namespace {

const WindowKernels& select() {
  const bool has_avx512 =
      __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
      __builtin_cpu_supports("avx512dq") != 0 && __builtin_cpu_supports("avx512vl") != 0;
  if (has_avx512) return avx512_window_kernels();
  if (__builtin_cpu_supports("avx2") != 0) return avx2_window_kernels();
  return baseline_window_kernels();
}

}  // namespace

const WindowKernels& window_kernels() {
  static const WindowKernels& kernels = select();
  return kernels;
}

}  // namespace rr::internal
