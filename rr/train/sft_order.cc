#include "rr/train/sft_order.h"

#include <algorithm>

#include "rr/base/check.h"

namespace rr {
namespace {

constexpr std::size_t kGroupedSteps = 50;

}  // namespace

SftOrder::SftOrder(const SftData& data, const SftOrderOptions& options)
    : data_(data),
      options_(options),
      order_("sft", data.examples.size(), options.shuffles, options.seed) {
  RR_CHECK(options.examples_per_step >= 1, "a step needs an example");
}

void SftOrder::group_by_length(std::vector<std::size_t>& order) const {
  const std::size_t group = kGroupedSteps * options_.examples_per_step;
  for (std::size_t begin = 0; begin < order.size(); begin += group) {
    const std::size_t end = std::min(order.size(), begin + group);
    std::stable_sort(order.begin() + static_cast<std::ptrdiff_t>(begin),
                     order.begin() + static_cast<std::ptrdiff_t>(end),
                     [&](std::size_t a, std::size_t b) {
                       return data_.examples[a].ids.size() > data_.examples[b].ids.size();
                     });
  }
}

std::vector<std::size_t> SftOrder::examples_of(std::size_t step) const {
  RR_CHECK(step >= 1, "steps count from 1");
  EpochOrder::Arrange arrange;
  if (options_.groups_by_length) {
    arrange = [this](std::vector<std::size_t>& order) { group_by_length(order); };
  }
  std::vector<std::size_t> examples;
  for (const EpochOrder::Place& place :
       order_.take((step - 1) * options_.examples_per_step, options_.examples_per_step, arrange)) {
    examples.push_back(place.thing);
  }
  return examples;
}

std::vector<std::vector<std::size_t>> SftOrder::rows_of(
    std::span<const std::size_t> examples) const {
  std::vector<std::vector<std::size_t>> rows;
  std::vector<std::size_t> tokens;
  for (const std::size_t example : examples) {
    const std::size_t length = data_.examples[example].ids.size();
    std::size_t row = 0;
    while (row < rows.size() && tokens[row] + length > options_.row_tokens) ++row;
    if (row == rows.size()) {
      rows.emplace_back();
      tokens.push_back(0);
    }
    rows[row].push_back(example);
    tokens[row] += length;
  }
  return rows;
}

}  // namespace rr
