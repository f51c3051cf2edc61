#include "rr/nn/internal/select_kernels.h"

#include <fmt/core.h>

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

bool fills_tiles(const DecoderConfig& config, bool learns) {
  const auto are_groups = [](std::size_t inputs) { return inputs % 32 == 0; };
  const std::size_t q_size = config.num_heads * config.head_dim;
  const std::size_t kv_size = config.num_kv_heads * config.head_dim;
  if (!are_groups(config.hidden_size) || !are_groups(config.ffn_size) || !are_groups(q_size)) {
    return false;
  }
  return !learns || (are_groups(2 * kv_size) && are_groups(config.vocabulary_size));
}

}  // namespace

ProductFamily select_products(const DecoderConfig& config, Precision precision, bool learns,
                              bool force_generic) {
  if (precision == Precision::kF32) return ProductFamily::kF32;
  if (precision == Precision::kInt8) return ProductFamily::kInt8;
  if (precision == Precision::kInt4) return ProductFamily::kInt4;
  if (force_generic) return ProductFamily::kGeneric;
  if (cpu_features().has_amx_bf16 && fills_tiles(config, learns)) return ProductFamily::kAmx;
  return can_multiply_bf16() ? ProductFamily::kBf16 : ProductFamily::kGeneric;
}

std::string name_of(ProductFamily family, const RowKernels& kernels) {
  switch (family) {
    case ProductFamily::kInt8:
      return fmt::format("int8 ({})", kernels.name);
    case ProductFamily::kInt4:
      return fmt::format("int4 ({})", kernels.name);
    case ProductFamily::kF32:
      return fmt::format("float32 ({})", kernels.name);
    case ProductFamily::kGeneric:
      return fmt::format("bf16 widened to float32 ({})", kernels.name);
    case ProductFamily::kAmx:
      return "bf16 (AMX)";
    case ProductFamily::kBf16:
      break;
  }
  return "oneDNN bf16 (AVX-512)";
}

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

AttentionBackward select_attention_backward(const AttentionKernel& forward, std::size_t head_dim,
                                            const LearningKernels& kernels) {
  if (forward.queries != Element::kBf16 || head_dim % 32 != 0) return kernels.attention;
  return cpu_features().has_amx_bf16 ? amx_bf16_attention_backward()
                                     : avx512_bf16_attention_backward();
}

#else

std::vector<const RowKernels*> usable_row_kernels() { return {&baseline_kernels()}; }

std::vector<const LearningKernels*> usable_learning_kernels() {
  return {&baseline_learning_kernels()};
}

AttentionKernel select_attention(Element, Element keys, std::size_t, const RowKernels& kernels) {
  return attention_in_float32(keys, kernels);
}

AttentionBackward select_attention_backward(const AttentionKernel&, std::size_t,
                                            const LearningKernels& kernels) {
  return kernels.attention;
}

#endif

const RowKernels& select_row_kernels(bool force_generic) {
  return force_generic ? baseline_kernels() : *usable_row_kernels().back();
}

const LearningKernels& select_learning_kernels(bool force_generic) {
  return force_generic ? baseline_learning_kernels() : *usable_learning_kernels().back();
}

}  // namespace rr::internal
