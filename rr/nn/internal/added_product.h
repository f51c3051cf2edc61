#pragma once

#include <compare>
#include <cstddef>
#include <map>
#include <memory>
#include <mutex>

#include "rr/nn/internal/linear.h"

namespace rr::internal {

// out [rows, columns] += a [rows, depth] * b [depth, columns], all where they stand: element (i, j)
// of a at i * a_row_stride + j * a_column_stride, one of which is 1; rows of b and out lie apart by
// their strides.
struct AddedProductShape {
  std::size_t rows;
  std::size_t depth;
  std::size_t columns;
  std::size_t a_row_stride;
  std::size_t a_column_stride;
  std::size_t b_stride;
  std::size_t out_stride;

  auto operator<=>(const AddedProductShape&) const = default;
};

// oneDNN's kernels for such products, of a and b in one element and sums in float32; made on first
// use, by any thread.
class AddedProducts {
 public:
  explicit AddedProducts(Element element) : element_(element) {}

  Element element() const { return element_; }

  void add(const AddedProductShape& shape, const void* a, const void* b, float* out,
           ProductScratch& scratch);

 private:
  struct Product;
  const Product& product(const AddedProductShape& shape);

  Element element_;
  std::mutex mutex_;  // guards products_
  std::map<AddedProductShape, std::shared_ptr<const Product>> products_;
};

}  // namespace rr::internal
