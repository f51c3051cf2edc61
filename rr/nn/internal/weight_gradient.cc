#include "rr/nn/internal/weight_gradient.h"

#include <algorithm>

namespace rr::internal {
namespace {

using dnnl::memory;

// A panel of the gradient stays in a core's cache while all rows are summed into it.
constexpr std::size_t kPanelOutputs = 192;

// Large products are quicker; what is left is summed by kGradientRows.
constexpr std::size_t kManyRows = 4 * kGradientRows;

memory::dim dim(std::size_t value) { return static_cast<memory::dim>(value); }

const std::byte* at(const void* data, std::size_t elements, Element element) {
  return static_cast<const std::byte*>(data) + elements * element_bytes(element);
}

}  // namespace

struct WeightGradientProducts::Product {
  Product(Element element, std::size_t rows, std::size_t outputs, std::size_t out_stride,
          std::size_t inputs, std::size_t in_stride)
      : description(describe(element, rows, outputs, out_stride, inputs, in_stride)),
        primitive(description) {}

  static dnnl::matmul::primitive_desc describe(Element element, std::size_t rows,
                                               std::size_t outputs, std::size_t out_stride,
                                               std::size_t inputs, std::size_t in_stride) {
    const auto type = element == Element::kBf16 ? memory::data_type::bf16 : memory::data_type::f32;
    const memory::desc d_out({dim(outputs), dim(rows)}, type, {1, dim(out_stride)});
    const memory::desc in({dim(rows), dim(inputs)}, type, {dim(in_stride), 1});
    const memory::desc gradient({dim(outputs), dim(inputs)}, memory::data_type::f32,
                                {dim(inputs), 1});
    dnnl::post_ops added;
    added.append_sum();
    dnnl::primitive_attr attributes;
    attributes.set_post_ops(added);
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    return {dnnl::matmul::desc(d_out, in, gradient), attributes, cpu_engine()};
  }

  dnnl::matmul::primitive_desc description;
  dnnl::matmul primitive;
};

std::size_t WeightGradientProducts::num_panels(std::size_t outputs) {
  return (outputs + kPanelOutputs - 1) / kPanelOutputs;
}

const WeightGradientProducts::Product& WeightGradientProducts::product(std::size_t rows,
                                                                       std::size_t outputs,
                                                                       std::size_t out_stride,
                                                                       std::size_t inputs,
                                                                       std::size_t in_stride) {
  const std::lock_guard lock(mutex_);
  auto& made = products_[{rows, outputs, out_stride, inputs, in_stride}];
  if (made == nullptr) {
    made = std::make_shared<Product>(element_, rows, outputs, out_stride, inputs, in_stride);
  }
  return *made;
}

void WeightGradientProducts::accumulate(std::size_t panel, const ActivationMatrix& d_out,
                                        const ActivationMatrix& in, std::size_t rows,
                                        float* gradient, ProductScratch& scratch) {
  const std::size_t first = panel * kPanelOutputs;
  const std::size_t outputs = std::min(kPanelOutputs, d_out.columns - first);
  float* const target = gradient + first * in.columns;
  const std::size_t padded = padded_gradient_rows(rows);
  for (std::size_t row = 0; row < padded;) {
    const std::size_t count = padded - row >= kManyRows ? kManyRows : kGradientRows;
    const Product& chosen = product(count, outputs, d_out.stride, in.columns, in.stride);
    const auto& description = chosen.description;
    scratch.dnnl_scratchpad.reserve(description.scratchpad_desc().get_size());
    // oneDNN does not write to sources, but its memory takes no const.
    const memory d_out_memory(
        description.src_desc(), cpu_engine(),
        const_cast<std::byte*>(at(d_out.data, row * d_out.stride + first, element_)));
    const memory in_memory(description.weights_desc(), cpu_engine(),
                           const_cast<std::byte*>(at(in.data, row * in.stride, element_)));
    const memory gradient_memory(description.dst_desc(), cpu_engine(), target);
    const memory scratchpad(description.scratchpad_desc(), cpu_engine(),
                            scratch.dnnl_scratchpad.data());
    chosen.primitive.execute(scratch.stream, {{DNNL_ARG_SRC, d_out_memory},
                                              {DNNL_ARG_WEIGHTS, in_memory},
                                              {DNNL_ARG_DST, gradient_memory},
                                              {DNNL_ARG_SCRATCHPAD, scratchpad}});
    row += count;
  }
}

}  // namespace rr::internal
