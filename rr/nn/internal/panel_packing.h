#pragma once

#include <cstddef>
#include <span>

#include "rr/base/result.h"
#include "rr/nn/internal/aligned_buffer.h"
#include "rr/nn/internal/linear.h"
#include "rr/nn/internal/tensor_reader.h"

namespace rr::internal {

// Rows of a file's tensor that become outputs of a panel.
struct SourceRows {
  RowSource source;
  std::size_t first_row;
  std::size_t num_rows;
};

// Packs a panel from the rows of a file, one piece after another: in int4's own blocks where the
// layer takes them. A panel at a time is ever in float32, in `buffer`. Fails by name where a weight
// is not finite.
Status pack_from_file(const TensorReader& reader, std::span<const SourceRows> pieces,
                      Linear& linear, std::size_t panel, AlignedBuffer& buffer,
                      ProductScratch& scratch);

}  // namespace rr::internal
