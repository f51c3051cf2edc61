#pragma once

#include <cstddef>
#include <vector>

#include "rr/nn/decoder_config.h"
#include "rr/nn/internal/aligned_buffer.h"
#include "rr/nn/internal/crew.h"
#include "rr/nn/internal/kv_sequence.h"
#include "rr/nn/internal/learner_layout.h"
#include "rr/nn/internal/select_kernels.h"

namespace rr::internal {

// Which rows of a batch stand in which blocks of keys, so that each segment sees its tokens and its
// ancestors' on the grid on which a decoder would have read them: block i of a path holds its
// positions 64 i and following. Blocks that are full where a segment begins are its parent's.
struct LearnerBlocks {
  std::vector<std::vector<std::size_t>> rows;        // of each block, at most kKvBlockTokens
  std::vector<std::vector<std::size_t>> of_segment;  // blocks of each segment's path, from 0 on
};
LearnerBlocks lay_out_blocks(const LearnerLayout& layout);

// What attention reads and leaves, a layer at a time.
struct LearnerAttentionRows {
  const float* qkv;  // [rows, (heads + 2 kv_heads) * head_dim], rotated
  float* attended;   // [rows, heads * head_dim]
  float* log_sums;   // [heads, log_sums_stride]: logarithms of the sums of exp(score)
  std::size_t log_sums_stride;
};

// Attention on the way forward, by the decoder's kernel and over the decoder's blocks and segments:
// what a learner attends to is to the bit what serving attends to, whatever is read together.
class LearnerAttention {
 public:
  // Everything must outlive it.
  LearnerAttention(const DecoderConfig& config, const RowKernels& kernels,
                   const AttentionKernel& attention, const LearnerLayout& layout);

  // `wanted_only`: where nobody reads more than the tiles that are wanted, nothing else is written.
  void run(const LearnerAttentionRows& rows, bool wanted_only, AlignedBuffer& blocks,
           Crew& crew) const;

 private:
  struct Task {
    std::size_t segment;
    std::size_t first;  // token of the segment
    std::size_t count;
  };

  bool is_wanted(const Task& task) const;
  void fill_block(std::size_t block, const float* qkv, std::byte* out) const;
  void attend(const Task& task, std::size_t kv_head, const LearnerAttentionRows& rows,
              const std::byte* blocks, AlignedBuffer& scratch) const;

  const DecoderConfig& config_;
  const RowKernels& kernels_;
  AttentionKernel attention_;
  KvShape shape_;  // of one layer
  const LearnerLayout& layout_;
  LearnerBlocks blocks_;
  std::vector<Task> tasks_;
};

}  // namespace rr::internal
