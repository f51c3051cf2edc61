#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "rr/train/epoch_order.h"
#include "rr/train/sft_data.h"

namespace rr {

struct SftOrderOptions {
  std::size_t examples_per_step = 8;
  std::size_t row_tokens = 4096;  // tokens that go through the model at once
  bool shuffles = true;
  bool groups_by_length = false;
  std::uint64_t seed = 42;
};

// In which order examples are learnt: every epoch has all of them once, in an order that depends on
// the seed and the epoch only, and steps take the next examples without regard to where an epoch
// ends. So a step is known by its number alone.
//
// Grouped by length, an epoch's shuffled examples are sorted, longest first, within runs of 50
// steps: steps then have examples of about one length.
class SftOrder {
 public:
  // `data` must outlive the order.
  SftOrder(const SftData& data, const SftOrderOptions& options);

  // The examples of a step, from 1: indices into data.examples.
  std::vector<std::size_t> examples_of(std::size_t step) const;

  // Examples in rows: those that go through the model together, first fit in their order; a longer
  // one than row_tokens has a row of its own.
  std::vector<std::vector<std::size_t>> rows_of(std::span<const std::size_t> examples) const;

 private:
  void group_by_length(std::vector<std::size_t>& order) const;

  const SftData& data_;
  SftOrderOptions options_;
  EpochOrder order_;
};

}  // namespace rr
