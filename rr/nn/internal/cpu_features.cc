#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "rr/nn/internal/kernels.h"

namespace rr::internal {
namespace {

// Linux saves the tiles only of processes that asked for them (arch_prctl(2)).
bool may_use_amx_tiles() {
  constexpr long kRequestFeature = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr long kTileData = 18;            // XFEATURE_XTILEDATA
  return ::syscall(SYS_arch_prctl, kRequestFeature, kTileData) == 0;
}

bool has_amx_bf16() {
  constexpr unsigned kAmxBf16 = 1u << 22;
  constexpr unsigned kAmxTile = 1u << 24;
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) == 0) return false;
  return (edx & kAmxBf16) != 0 && (edx & kAmxTile) != 0 && may_use_amx_tiles();
}

CpuFeatures detect() {
  CpuFeatures features;
  features.has_avx2 = __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
  features.has_avx512 = features.has_avx2 && __builtin_cpu_supports("avx512f") != 0 &&
                        __builtin_cpu_supports("avx512bw") != 0 &&
                        __builtin_cpu_supports("avx512dq") != 0 &&
                        __builtin_cpu_supports("avx512vl") != 0;
  features.has_avx512_vnni = features.has_avx512 && __builtin_cpu_supports("avx512vnni") != 0;
  features.has_avx512_bf16 = features.has_avx512 && __builtin_cpu_supports("avx512bf16") != 0;
  features.has_amx_bf16 = features.has_avx512_bf16 && has_amx_bf16();
  return features;
}

}  // namespace

const CpuFeatures& cpu_features() {
  static const CpuFeatures features = detect();
  return features;
}

const RowKernels& select_row_kernels(bool force_generic) {
  if (force_generic) return baseline_kernels();
  if (cpu_features().has_avx512_vnni) return avx512_vnni_kernels();
  if (cpu_features().has_avx512) return avx512_kernels();
  if (cpu_features().has_avx2) return avx2_kernels();
  return baseline_kernels();
}

AttentionKernel select_attention(Element activation, Element keys, std::size_t head_dim,
                                 const RowKernels& kernels) {
  const bool takes_bf16 = activation == Element::kBf16;
  if (takes_bf16 && head_dim % 32 == 0 && cpu_features().has_amx_bf16) {
    return {Element::kBf16, keys, attend_amx_bf16};
  }
  if (takes_bf16 && head_dim % 16 == 0) return {Element::kBf16, keys, attend_avx512_bf16};
  return {Element::kF32, keys, keys == Element::kF32 ? kernels.attend_f32 : kernels.attend_bf16};
}

}  // namespace rr::internal
