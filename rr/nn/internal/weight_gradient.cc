#include "rr/nn/internal/weight_gradient.h"

#include <algorithm>

#include "rr/nn/internal/product_amx.h"

namespace rr::internal {
namespace {

// A panel of the gradient stays in a core's cache while all rows are summed into it.
constexpr std::size_t kPanelOutputs = 192;

// Large products are quicker; what is left is summed by kGradientRows.
constexpr std::size_t kManyRows = 4 * kGradientRows;

const std::byte* at(const void* data, std::size_t elements, Element element) {
  return static_cast<const std::byte*>(data) + elements * element_bytes(element);
}

}  // namespace

std::size_t WeightGradientProducts::num_panels(std::size_t outputs) {
  return (outputs + kPanelOutputs - 1) / kPanelOutputs;
}

void WeightGradientProducts::accumulate(std::size_t panel, const ActivationMatrix& d_out,
                                        const ActivationMatrix& in, std::size_t rows,
                                        float* gradient, ProductScratch& scratch) {
  const std::size_t first = panel * kPanelOutputs;
  const std::size_t outputs = std::min(kPanelOutputs, d_out.columns - first);
  const std::size_t padded = padded_gradient_rows(rows);
  const Element element = products_.element();
  for (std::size_t row = 0; row < padded;) {
    const std::size_t count = padded - row >= kManyRows ? kManyRows : kGradientRows;
    if (on_amx_) {
      scratch.widened.reserve(amx_row_sum_elements(outputs, count) * sizeof(Bf16));
      add_row_sum_on_amx(
          {static_cast<const Bf16*>(d_out.data) + row * d_out.stride + first, d_out.stride, outputs,
           static_cast<const Bf16*>(in.data) + row * in.stride, in.stride, in.columns, count,
           gradient + first * in.columns, in.columns},
          scratch.widened.data<Bf16>());
    } else {
      products_.add({outputs, count, in.columns, 1, d_out.stride, in.stride, in.columns},
                    at(d_out.data, row * d_out.stride + first, element),
                    at(in.data, row * in.stride, element), gradient + first * in.columns, scratch);
    }
    row += count;
  }
}

}  // namespace rr::internal
