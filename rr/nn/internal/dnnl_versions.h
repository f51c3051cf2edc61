#pragma once

#include <oneapi/dnnl/dnnl.hpp>

// What versions 2 and 3 of oneDNN call by other names.

namespace rr::internal {

inline dnnl::matmul::primitive_desc describe_product(const dnnl::engine& engine,
                                                     const dnnl::memory::desc& in,
                                                     const dnnl::memory::desc& weight,
                                                     const dnnl::memory::desc& out,
                                                     const dnnl::primitive_attr& attributes) {
#if DNNL_VERSION_MAJOR >= 3
  return {engine, in, weight, out, attributes};
#else
  return {dnnl::matmul::desc(in, weight, out), attributes, engine};
#endif
}

inline dnnl::memory::dims dims_of(const dnnl::memory::desc& layout) {
#if DNNL_VERSION_MAJOR >= 3
  return layout.get_dims();
#else
  return layout.dims();
#endif
}

// A blocked layout of a matrix: strides between blocks, and the blocks inside, the innermost last.
struct MatrixBlocks {
  dnnl::memory::dim offset;
  dnnl::memory::dim strides[2];
  dnnl::memory::dims sizes;
  dnnl::memory::dims dimensions;  // along which each lies
};

inline MatrixBlocks blocks_of(const dnnl::memory::desc& layout) {
#if DNNL_VERSION_MAJOR >= 3
  const dnnl::memory::dims strides = layout.get_strides();
  return {layout.get_submemory_offset(),
          {strides[0], strides[1]},
          layout.get_inner_blks(),
          layout.get_inner_idxs()};
#else
  const dnnl_blocking_desc_t& blocking = layout.data.format_desc.blocking;
  return {layout.data.offset0,
          {blocking.strides[0], blocking.strides[1]},
          {blocking.inner_blks, blocking.inner_blks + blocking.inner_nblks},
          {blocking.inner_idxs, blocking.inner_idxs + blocking.inner_nblks}};
#endif
}

}  // namespace rr::internal
