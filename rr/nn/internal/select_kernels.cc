#include "rr/nn/internal/select_kernels.h"

#include "rr/base/cpu.h"

namespace rr::internal {
namespace {

AttentionKernel attention_in_float32(Element keys, const RowKernels& kernels) {
  switch (keys) {
    case Element::kF32:
      return {Element::kF32, keys, kernels.write_kv_f32, kernels.attend_f32};
    case Element::kInt8:
      return {Element::kF32, keys, kernels.write_kv_int8, kernels.attend_int8};
    case Element::kBf16:
      break;
  }
  return {Element::kF32, keys, kernels.write_kv_bf16, kernels.attend_bf16};
}

}  // namespace

#if defined(__x86_64__)

std::vector<const RowKernels*> usable_row_kernels() {
  std::vector<const RowKernels*> usable = {&baseline_kernels()};
  if (cpu_features().has_avx2) usable.push_back(&avx2_kernels());
  if (cpu_features().has_avx512) usable.push_back(&avx512_kernels());
  if (cpu_features().has_avx512_vnni) usable.push_back(&avx512_vnni_kernels());
  return usable;
}

std::vector<const LearningKernels*> usable_learning_kernels() {
  std::vector<const LearningKernels*> usable = {&baseline_learning_kernels()};
  if (cpu_features().has_avx2) usable.push_back(&avx2_learning_kernels());
  if (cpu_features().has_avx512) usable.push_back(&avx512_learning_kernels());
  return usable;
}

AttentionKernel select_attention(Element activation, Element keys, std::size_t head_dim,
                                 const RowKernels& kernels) {
  AttentionKernel kernel = attention_in_float32(keys, kernels);
  if (activation != Element::kBf16 || keys == Element::kF32 || head_dim % 16 != 0) return kernel;
  const bool is_int8 = keys == Element::kInt8;
  kernel.queries = Element::kBf16;
  if (head_dim % 32 == 0 && cpu_features().has_amx_bf16) {
    kernel.attend = is_int8 ? attend_amx_bf16_int8 : attend_amx_bf16;
  } else {
    kernel.attend = is_int8 ? attend_avx512_bf16_int8 : attend_avx512_bf16;
  }
  return kernel;
}

#else

std::vector<const RowKernels*> usable_row_kernels() { return {&baseline_kernels()}; }

std::vector<const LearningKernels*> usable_learning_kernels() {
  return {&baseline_learning_kernels()};
}

AttentionKernel select_attention(Element, Element keys, std::size_t, const RowKernels& kernels) {
  return attention_in_float32(keys, kernels);
}

#endif

const RowKernels& select_row_kernels(bool force_generic) {
  return force_generic ? baseline_kernels() : *usable_row_kernels().back();
}

const LearningKernels& select_learning_kernels(bool force_generic) {
  return force_generic ? baseline_learning_kernels() : *usable_learning_kernels().back();
}

}  // namespace rr::internal
