#include "rr/rerank/scores.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "rr/base/check.h"

namespace rr {
namespace {

constexpr double kMinGap = 1e-4;
// A choice is never taken for surer than this: log(1 - p) stays finite, and one rounded probability
// cannot outweigh the rest of the list.
constexpr double kMaxChoice = 1 - 1e-6;

std::vector<double> log_worths(std::span<const double> choice_logprobs) {
  std::vector<double> worths;
  worths.reserve(choice_logprobs.size());
  double log_rest = 0;  // sum of log(1 - p_k) so far
  for (const double logprob : choice_logprobs) {
    const double capped = std::clamp(logprob, -50.0, 0.0);
    worths.push_back(log_rest + capped);
    log_rest += std::log1p(-std::min(std::exp(capped), kMaxChoice));
  }
  return worths;
}

bool all_known(std::span<const JudgedWindow> windows) {
  const auto is_known = [](const JudgedWindow& window) {
    return window.choice_logprobs.size() == window.candidates.size() &&
           std::none_of(window.choice_logprobs.begin(), window.choice_logprobs.end(),
                        [](double logprob) { return std::isnan(logprob); });
  };
  return !windows.empty() && std::all_of(windows.begin(), windows.end(), is_known);
}

using Known = std::vector<std::optional<double>>;  // by candidate

// What must be added to `worths` to stand on the scale of `known`.
double shift_onto(const Known& known, const JudgedWindow& window, std::span<const double> worths) {
  double sum = 0;
  std::size_t shared = 0;
  double lowest = 0;
  for (const auto& value : known) lowest = value ? std::min(lowest, *value) : lowest;
  for (std::size_t i = 0; i < worths.size(); ++i) {
    const auto& value = known[window.candidates[i]];
    if (!value) continue;
    sum += *value - worths[i];
    ++shared;
  }
  if (shared > 0) return sum / static_cast<double>(shared);
  return lowest - *std::max_element(worths.begin(), worths.end());
}

Known worths_on_one_scale(std::size_t num_candidates, std::span<const JudgedWindow> windows) {
  Known known(num_candidates);
  for (auto window = windows.rbegin(); window != windows.rend(); ++window) {
    const std::vector<double> worths = log_worths(window->choice_logprobs);
    if (worths.empty()) continue;
    const double shift = window == windows.rbegin() ? 0 : shift_onto(known, *window, worths);
    for (std::size_t i = 0; i < worths.size(); ++i) {
      auto& value = known[window->candidates[i]];
      if (!value) value = worths[i] + shift;
    }
  }
  return known;
}

// The values in rank order; gaps take what stands before them, those at the head the first value.
std::vector<double> in_rank_order(std::span<const std::size_t> order, const Known& known) {
  std::vector<double> values;
  values.reserve(order.size());
  std::optional<double> last;
  for (const std::size_t candidate : order) {
    if (known[candidate]) last = known[candidate];
    if (last) values.push_back(*last);
  }
  const std::size_t head = order.size() - values.size();
  values.insert(values.begin(), head, values.front());
  return values;
}

// Least-squares fit that never rises: pool adjacent violators (Ayer et al., Annals of Mathematical
// Statistics 26(4), 1955).
std::vector<double> never_rising(std::span<const double> values) {
  struct Block {
    double mean;
    std::size_t size;
  };
  std::vector<Block> blocks;
  for (const double value : values) {
    Block block{value, 1};
    while (!blocks.empty() && blocks.back().mean < block.mean) {
      const Block& before = blocks.back();
      const auto size = static_cast<double>(before.size + block.size);
      block.mean = (before.mean * static_cast<double>(before.size) +
                    block.mean * static_cast<double>(block.size)) /
                   size;
      block.size += before.size;
      blocks.pop_back();
    }
    blocks.push_back(block);
  }
  std::vector<double> result;
  for (const Block& block : blocks) result.insert(result.end(), block.size, block.mean);
  return result;
}

double log_sum_exp(std::span<const double> values) {
  const double largest = *std::max_element(values.begin(), values.end());
  double sum = 0;
  for (const double value : values) sum += std::exp(value - largest);
  return largest + std::log(sum);
}

void make_strictly_falling_floats(std::vector<double>& scores) {
  float last = std::numeric_limits<float>::infinity();
  for (double& score : scores) {
    auto rounded = static_cast<float>(std::min(score, static_cast<double>(last) - kMinGap));
    if (rounded >= last) rounded = std::nextafter(last, -std::numeric_limits<float>::infinity());
    score = static_cast<double>(rounded);
    last = rounded;
  }
}

}  // namespace

std::vector<double> rank_scores(std::size_t num_candidates) {
  std::vector<double> scores(num_candidates);
  for (std::size_t i = 0; i < num_candidates; ++i) scores[i] = 1.0 / static_cast<double>(i + 1);
  return scores;
}

std::vector<double> choice_scores(std::span<const std::size_t> order,
                                  std::span<const JudgedWindow> windows) {
  if (order.empty() || !all_known(windows)) return rank_scores(order.size());
  const Known known = worths_on_one_scale(order.size(), windows);
  std::vector<double> scores = never_rising(in_rank_order(order, known));
  const double total = log_sum_exp(scores);
  for (double& score : scores) score -= total;
  make_strictly_falling_floats(scores);
  return scores;
}

}  // namespace rr
