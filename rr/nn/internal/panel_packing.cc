#include "rr/nn/internal/panel_packing.h"

#include <vector>

#include "rr/nn/internal/quantised_linear.h"

namespace rr::internal {
namespace {

Status pack_int4(const TensorReader& reader, std::span<const SourceRows> pieces, Linear& linear,
                 std::size_t panel) {
  std::vector<Int4Block> blocks(linear.num_inputs() / kQuantBlock);
  std::size_t output = 0;
  for (const SourceRows& rows : pieces) {
    for (std::size_t r = rows.first_row; r < rows.first_row + rows.num_rows; ++r) {
      RR_TRY_STATUS(reader.read_int4_row(rows.source, r, blocks));
      linear.pack_int4(panel, output++, blocks);
    }
  }
  return ok_status();
}

}  // namespace

Status pack_from_file(const TensorReader& reader, std::span<const SourceRows> pieces,
                      Linear& linear, std::size_t panel, AlignedBuffer& buffer,
                      ProductScratch& scratch) {
  if (linear.takes_int4_blocks()) return pack_int4(reader, pieces, linear, panel);
  const std::size_t inputs = linear.num_inputs();
  buffer.reserve(linear.panel_outputs(panel) * inputs * sizeof(float));
  float* next = buffer.data<float>();
  for (const SourceRows& rows : pieces) {
    for (std::size_t r = rows.first_row; r < rows.first_row + rows.num_rows; ++r) {
      RR_TRY_STATUS(reader.read_row(rows.source, r, {next, inputs}));
      next += inputs;
    }
  }
  linear.pack(panel, buffer.data<float>(), scratch);
  return ok_status();
}

}  // namespace rr::internal
