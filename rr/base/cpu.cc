#include "rr/base/cpu.h"

#include <fmt/format.h>

#include <cstdlib>
#include <optional>
#include <string_view>
#include <utility>

#if defined(__x86_64__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace rr {
namespace {

constexpr const char* kLimitVariable = "REASONRANK_ISA";

constexpr std::pair<std::string_view, IsaLimit> kLimits[] = {
    {"base", IsaLimit::kBase},
    {"avx2", IsaLimit::kAvx2},
    {"avx512", IsaLimit::kAvx512},
    {"avx512-vnni", IsaLimit::kAvx512Vnni},
    {"avx512-bf16", IsaLimit::kAvx512Bf16}};

std::optional<IsaLimit> find_limit(std::string_view name) {
  for (const auto& [known, limit] : kLimits) {
    if (name == known) return limit;
  }
  return std::nullopt;
}

#if defined(__x86_64__)

// Linux saves the tiles only of processes that asked for them (arch_prctl(2)).
bool may_use_amx_tiles() {
  constexpr long kRequestFeature = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr long kTileData = 18;            // XFEATURE_XTILEDATA
  return ::syscall(SYS_arch_prctl, kRequestFeature, kTileData) == 0;
}

// Bits of CPUID leaf 7 that compilers' names for them are too young for.
bool has_leaf_7_edx(unsigned bits) {
  unsigned eax = 0;
  unsigned ebx = 0;
  unsigned ecx = 0;
  unsigned edx = 0;
  return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0 && (edx & bits) == bits;
}

bool has_amx_bf16() {
  constexpr unsigned kAmxBf16 = 1u << 22;
  constexpr unsigned kAmxTile = 1u << 24;
  return has_leaf_7_edx(kAmxBf16 | kAmxTile) && may_use_amx_tiles();
}

// Intel's cores since Sapphire Rapids, which AVX512-FP16 came with, leave bf16 to the tiles:
// vdpbf16ps takes the time of four float32 vfmadd231ps, and does the work of two. The maker is
// asked and not the clock, so that a machine computes the same each time.
bool has_slow_bf16_products() {
  constexpr unsigned kAvx512Fp16 = 1u << 23;
  return __builtin_cpu_is("intel") != 0 && has_leaf_7_edx(kAvx512Fp16);
}

CpuFeatures detect() {
  const IsaLimit limit = isa_limit();
  const auto may_use = [limit](IsaLimit set) { return limit == IsaLimit::kNone || set <= limit; };
  CpuFeatures features;
  features.has_avx2 = may_use(IsaLimit::kAvx2) && __builtin_cpu_supports("avx2") != 0 &&
                      __builtin_cpu_supports("fma") != 0;
  features.has_avx512 =
      may_use(IsaLimit::kAvx512) && features.has_avx2 && __builtin_cpu_supports("avx512f") != 0 &&
      __builtin_cpu_supports("avx512bw") != 0 && __builtin_cpu_supports("avx512dq") != 0 &&
      __builtin_cpu_supports("avx512vl") != 0;
  features.has_avx512_vnni = may_use(IsaLimit::kAvx512Vnni) && features.has_avx512 &&
                             __builtin_cpu_supports("avx512vnni") != 0;
  const bool has_bf16 = may_use(IsaLimit::kAvx512Bf16) && features.has_avx512 &&
                        __builtin_cpu_supports("avx512bf16") != 0;
  features.has_amx_bf16 = limit == IsaLimit::kNone && has_bf16 && has_amx_bf16();
  features.has_avx512_bf16 = has_bf16 && (features.has_amx_bf16 || !has_slow_bf16_products() ||
                                          limit == IsaLimit::kAvx512Bf16);
  return features;
}

#else

CpuFeatures detect() { return {}; }

#endif

}  // namespace

IsaLimit isa_limit() {
  const char* const name = std::getenv(kLimitVariable);
  return name == nullptr ? IsaLimit::kNone : find_limit(name).value_or(IsaLimit::kNone);
}

Status check_isa_limit() {
  const char* const name = std::getenv(kLimitVariable);
  if (name == nullptr || find_limit(name)) return ok_status();
  std::string names;
  for (const auto& [known, limit] : kLimits) {
    names += (names.empty() ? "" : ", ");
    names += known;
  }
  return Error{Errc::kRejected, fmt::format("expected one of {}, found \"{}\"", names, name),
               kLimitVariable};
}

const CpuFeatures& cpu_features() {
  static const CpuFeatures features = detect();
  return features;
}

}  // namespace rr
