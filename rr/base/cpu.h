#pragma once

#include "rr/base/result.h"

namespace rr {

// Instruction sets of x86-64 that loops are compiled for beside the base of the architecture, which
// every machine runs. All false on other architectures.
//
// has_avx512_bf16 is false as well where float32 is faster: on Intel's processors since Sapphire
// Rapids whose tiles may not be used. REASONRANK_ISA=avx512-bf16 makes it true there.
struct CpuFeatures {
  bool has_avx2 = false;         // with FMA
  bool has_avx512 = false;       // F, BW, DQ, VL
  bool has_avx512_vnni = false;  // with has_avx512
  bool has_avx512_bf16 = false;  // with has_avx512
  bool has_amx_bf16 = false;     // with has_avx512_bf16; and the system lets us use the tiles
};

// What of them may be used.
enum class IsaLimit { kNone, kBase, kAvx2, kAvx512, kAvx512Vnni, kAvx512Bf16 };

// By the environment's REASONRANK_ISA: "base", "avx2", "avx512", "avx512-vnni" or "avx512-bf16",
// each with those before it; to test what smaller machines run. Without it, or with a name that is
// none of these: kNone.
IsaLimit isa_limit();

// Refuses a REASONRANK_ISA that is no such name.
Status check_isa_limit();

// What this machine runs, within isa_limit().
const CpuFeatures& cpu_features();

}  // namespace rr
