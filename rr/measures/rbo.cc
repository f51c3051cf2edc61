#include "rr/measures/rbo.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <unordered_set>
#include <vector>

#include "rr/base/check.h"

namespace rr {
namespace {

struct HashDocid {
  std::size_t operator()(const Docid* docid) const { return std::hash<Docid>()(*docid); }
};
struct EqualDocid {
  bool operator()(const Docid* a, const Docid* b) const { return *a == *b; }
};
using SeenDocids = std::unordered_set<const Docid*, HashDocid, EqualDocid>;

// overlaps[d - 1] = documents among the first d of both, for d = 1..length of the longer ranking.
std::vector<double> overlaps(std::span<const Docid> a, std::span<const Docid> b) {
  SeenDocids seen_a;
  SeenDocids seen_b;
  std::vector<double> counts;
  double overlap = 0;
  for (std::size_t i = 0; i < std::max(a.size(), b.size()); ++i) {
    if (i < a.size()) seen_a.insert(&a[i]);
    if (i < a.size() && seen_b.contains(&a[i])) overlap += 1;
    if (i < b.size()) seen_b.insert(&b[i]);
    if (i < b.size() && seen_a.contains(&b[i])) overlap += 1;
    counts.push_back(overlap);
  }
  return counts;
}

// What two rankings give of which one or both are empty; nullopt otherwise.
std::optional<double> value_of_empty(std::span<const Docid> a, std::span<const Docid> b) {
  if (!a.empty() && !b.empty()) return std::nullopt;
  return a.empty() && b.empty() ? 1.0 : 0.0;
}

// sum_{d=1..depth} weight * ratio^(d-1) * A_d.
double weighted_agreement(std::size_t k, double weight, double ratio, std::span<const Docid> a,
                          std::span<const Docid> b) {
  const std::size_t depth = std::min({k, a.size(), b.size()});
  const std::vector<double> overlap = overlaps(a.first(depth), b.first(depth));
  double sum = 0;
  for (std::size_t d = 1; d <= depth; ++d, weight *= ratio) {
    sum += weight * overlap[d - 1] / static_cast<double>(d);
  }
  return sum;
}

// sum_{d=begin..end} p^d / d.
double harmonic_tail(double persistence, std::size_t begin, std::size_t end) {
  double sum = 0;
  for (std::size_t d = begin; d <= end; ++d) {
    const auto depth = static_cast<double>(d);
    sum += std::pow(persistence, depth) / depth;
  }
  return sum;
}

// sum_{d>end} p^d / d.
double harmonic_rest(double persistence, std::size_t end) {
  return -std::log1p(-persistence) - harmonic_tail(persistence, 1, end);
}

void check_arguments(std::size_t k, double persistence) {
  RR_CHECK(k >= 1, "a cutoff is at least 1");
  RR_CHECK(persistence > 0 && persistence < 1, "a persistence lies between 0 and 1");
}

}  // namespace

double average_overlap_at(std::size_t k, std::span<const Docid> a, std::span<const Docid> b) {
  RR_CHECK(k >= 1, "a cutoff is at least 1");
  if (const auto value = value_of_empty(a, b)) return *value;
  const auto depth = static_cast<double>(std::min({k, a.size(), b.size()}));
  return weighted_agreement(k, 1, 1, a, b) / depth;
}

double rbo_at(std::size_t k, double persistence, std::span<const Docid> a,
              std::span<const Docid> b) {
  check_arguments(k, persistence);
  if (const auto value = value_of_empty(a, b)) return *value;
  return weighted_agreement(k, 1 - persistence, persistence, a, b);
}

double normalized_rbo_at(std::size_t k, double persistence, std::span<const Docid> a,
                         std::span<const Docid> b) {
  check_arguments(k, persistence);
  if (const auto value = value_of_empty(a, b)) return *value;
  const auto depth = static_cast<double>(std::min({k, a.size(), b.size()}));
  return rbo_at(k, persistence, a, b) / (1 - std::pow(persistence, depth));
}

double extrapolated_rbo_at(std::size_t k, double persistence, std::span<const Docid> a,
                           std::span<const Docid> b) {
  check_arguments(k, persistence);
  if (const auto value = value_of_empty(a, b)) return *value;
  a = a.first(std::min(k, a.size()));
  b = b.first(std::min(k, b.size()));
  const std::vector<double> overlap = overlaps(a, b);
  const std::size_t shorter = std::min(a.size(), b.size());
  const double overlap_of_shorter = overlap[shorter - 1];
  const auto s = static_cast<double>(shorter);

  double sum = 0;
  double weight = 1 - persistence;
  for (std::size_t i = 0; i < overlap.size(); ++i, weight *= persistence) {
    const auto d = static_cast<double>(i + 1);
    sum += weight * overlap[i] / d;
    if (d > s) sum += weight * overlap_of_shorter * (d - s) / (s * d);
  }
  const auto l = static_cast<double>(overlap.size());
  const double last_agreement = (overlap.back() - overlap_of_shorter) / l + overlap_of_shorter / s;
  return sum + last_agreement * std::pow(persistence, l);
}

double minimal_rbo_at(std::size_t k, double persistence, std::span<const Docid> a,
                      std::span<const Docid> b) {
  check_arguments(k, persistence);
  if (const auto value = value_of_empty(a, b)) return *value;
  const std::vector<double> overlap =
      overlaps(a.first(std::min(k, a.size())), b.first(std::min(k, b.size())));
  double sum = 0;
  double weight = persistence;
  for (std::size_t i = 0; i < overlap.size(); ++i, weight *= persistence) {
    sum += weight * overlap[i] / static_cast<double>(i + 1);
  }
  sum += overlap.back() * harmonic_rest(persistence, overlap.size());
  return (1 - persistence) / persistence * sum;
}

double residual_rbo_at(std::size_t k, double persistence, std::span<const Docid> a,
                       std::span<const Docid> b) {
  check_arguments(k, persistence);
  if (a.empty() && b.empty()) return 0;
  a = a.first(std::min(k, a.size()));
  b = b.first(std::min(k, b.size()));
  const std::size_t shorter = std::min(a.size(), b.size());
  const std::size_t longer = std::max(a.size(), b.size());
  const double overlap = overlaps(a, b).back();
  const std::size_t all = shorter + longer - static_cast<std::size_t>(overlap);
  const auto power = [&](std::size_t depth) {
    return std::pow(persistence, static_cast<double>(depth));
  };
  const double unshared =
      static_cast<double>(shorter) * harmonic_tail(persistence, shorter + 1, all) +
      static_cast<double>(longer) * harmonic_tail(persistence, longer + 1, all) +
      overlap * harmonic_rest(persistence, all);
  return power(shorter) + power(longer) - power(all) - (1 - persistence) / persistence * unshared;
}

}  // namespace rr
