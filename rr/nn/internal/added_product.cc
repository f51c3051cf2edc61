#include "rr/nn/internal/added_product.h"

#include <cstring>

#include "rr/nn/internal/dnnl_versions.h"

namespace rr::internal {
namespace {

using dnnl::memory;

memory::dim dim(std::size_t value) { return static_cast<memory::dim>(value); }

}  // namespace

struct AddedProducts::Product {
  Product(Element element, const AddedProductShape& shape)
      : description(describe(element, shape)), primitive(description) {}

  static dnnl::matmul::primitive_desc describe(Element element, const AddedProductShape& shape) {
    const auto type = element == Element::kBf16 ? memory::data_type::bf16 : memory::data_type::f32;
    const memory::desc a({dim(shape.rows), dim(shape.depth)}, type,
                         {dim(shape.a_row_stride), dim(shape.a_column_stride)});
    const memory::desc b({dim(shape.depth), dim(shape.columns)}, type, {dim(shape.b_stride), 1});
    const memory::desc out({dim(shape.rows), dim(shape.columns)}, memory::data_type::f32,
                           {dim(shape.out_stride), 1});
    dnnl::post_ops added;
    added.append_sum();
    dnnl::primitive_attr attributes;
    attributes.set_post_ops(added);
    attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
    return describe_product(cpu_engine(), a, b, out, attributes);
  }

  dnnl::matmul::primitive_desc description;
  dnnl::matmul primitive;
};

const AddedProducts::Product& AddedProducts::product(const AddedProductShape& shape) {
  const std::lock_guard lock(mutex_);
  auto& made = products_[shape];
  if (made == nullptr) made = std::make_shared<Product>(element_, shape);
  return *made;
}

void AddedProducts::add(const AddedProductShape& shape, const void* a, const void* b, float* out,
                        ProductScratch& scratch) {
  if (shape.rows == 1 && shape.a_column_stride != 1) {
    // oneDNN 3.7 takes the numbers of such a row from beside each other (bf16).
    const std::size_t bytes = element_bytes(element_);
    scratch.panel.reserve(shape.depth * bytes);
    for (std::size_t k = 0; k < shape.depth; ++k) {
      std::memcpy(scratch.panel.data() + k * bytes,
                  static_cast<const std::byte*>(a) + k * shape.a_column_stride * bytes, bytes);
    }
    AddedProductShape dense = shape;
    dense.a_row_stride = shape.depth;
    dense.a_column_stride = 1;
    add(dense, scratch.panel.data(), b, out, scratch);
    return;
  }
  const Product& chosen = product(shape);
  const auto& description = chosen.description;
  scratch.dnnl_scratchpad.reserve(description.scratchpad_desc().get_size());
  // oneDNN does not write to sources, but its memory takes no const.
  const memory a_memory(description.src_desc(), cpu_engine(), const_cast<void*>(a));
  const memory b_memory(description.weights_desc(), cpu_engine(), const_cast<void*>(b));
  const memory out_memory(description.dst_desc(), cpu_engine(), out);
  const memory scratchpad(description.scratchpad_desc(), cpu_engine(),
                          scratch.dnnl_scratchpad.data());
  chosen.primitive.execute(scratch.stream, {{DNNL_ARG_SRC, a_memory},
                                            {DNNL_ARG_WEIGHTS, b_memory},
                                            {DNNL_ARG_DST, out_memory},
                                            {DNNL_ARG_SCRATCHPAD, scratchpad}});
}

}  // namespace rr::internal
