#include "rr/base/check.h"
#include "rr/nn/internal/pair_blocks.h"
#include "rr/nn/internal/product_amx.h"

// For other architectures, where nothing asks for it.

namespace rr::internal {

void pack_for_amx(const float*, std::size_t, std::size_t, Bf16*) {
  RR_CHECK(false, "this architecture has no AMX");
}

void pack_columns_for_amx(const float* const*, std::size_t, std::size_t, Bf16*) {
  RR_CHECK(false, "this architecture has no AMX");
}

void multiply_on_amx(const Bf16*, std::size_t, std::size_t, const Bf16*, std::size_t, float*,
                     std::size_t) {
  RR_CHECK(false, "this architecture has no AMX");
}

void add_on_amx(const Bf16*, std::size_t, std::size_t, const Bf16*, std::size_t, float*,
                std::size_t) {
  RR_CHECK(false, "this architecture has no AMX");
}

std::size_t amx_rows_at_once(std::size_t) { return 0; }

std::size_t amx_row_sum_elements(std::size_t, std::size_t) { return 0; }

void add_row_sum_on_amx(const AmxRowSum&, Bf16*) {
  RR_CHECK(false, "this architecture has no AMX");
}

void pack_pair_blocks(const PairBlocks&, const float*, Bf16*) {
  RR_CHECK(false, "this architecture has no AVX-512");
}

void pack_columns_in_pair_blocks(const PairBlocks&, const float* const*, Bf16*) {
  RR_CHECK(false, "this architecture has no AVX-512");
}

}  // namespace rr::internal
