#include "rr/rerank/labels.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace rr {
namespace {

double log_of_sum(double log_a, double log_b) {
  const double high = std::max(log_a, log_b);
  return high + std::log1p(std::exp(std::min(log_a, log_b) - high));
}

}  // namespace

std::vector<std::string> relevance_labels() { return {"Yes", "No"}; }

double relevance_score(std::span<const double> label_logprobs) {
  return label_logprobs[0] - label_logprobs[1];
}

std::vector<std::string> identifier_labels(std::size_t num_passages) {
  std::vector<std::string> labels;
  for (std::size_t i = 1; i <= num_passages; ++i) labels.push_back(fmt::format("[{}] > [", i));
  return labels;
}

Completion order_by_score(std::span<const double> scores) {
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });
  Completion completion;
  StageReport stage;
  for (const std::size_t i : order) {
    completion.text += fmt::format("{}[{}]", completion.text.empty() ? "" : " > ", i + 1);
    stage.choices.push_back({i + 1, 0});
  }
  double rest = scores[order.back()];  // log of the worth of all from a rank on
  for (std::size_t rank = order.size() - 1; rank-- > 0;) {
    rest = log_of_sum(rest, scores[order[rank]]);
    stage.choices[rank].logprob = scores[order[rank]] - rest;
  }
  completion.stages.push_back(std::move(stage));
  return completion;
}

}  // namespace rr
