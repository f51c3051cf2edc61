#include "rr/measures/set_measures.h"

#include <algorithm>

#include "rr/base/check.h"
#include "rr/measures/cutoff.h"

namespace rr {
namespace {

struct Counts {
  double found = 0;
  double retrieved = 0;
  double relevant = 0;
};

Counts count(const JudgedRanking& ranking, int relevant_from) {
  return {static_cast<double>(count_relevant_within(kWholeRanking, ranking, relevant_from)),
          static_cast<double>(ranking.grades.size()),
          static_cast<double>(count_relevant(ranking, relevant_from))};
}

// 0 of 0 is 0.
double part(double of, double whole) { return of == 0 ? 0 : of / whole; }

}  // namespace

double set_precision(const JudgedRanking& ranking, int relevant_from) {
  const Counts counts = count(ranking, relevant_from);
  return part(counts.found, counts.retrieved);
}

double set_relative_precision(const JudgedRanking& ranking, int relevant_from) {
  const Counts counts = count(ranking, relevant_from);
  return part(counts.found, std::min(counts.retrieved, counts.relevant));
}

double set_recall(const JudgedRanking& ranking, int relevant_from) {
  const Counts counts = count(ranking, relevant_from);
  return part(counts.found, counts.relevant);
}

double set_f(const JudgedRanking& ranking, double beta, int relevant_from) {
  RR_CHECK(beta >= 0, "SetF needs a beta of at least 0");
  const double precision = set_precision(ranking, relevant_from);
  const double recall = set_recall(ranking, relevant_from);
  return part((beta + 1) * precision * recall, recall + beta * precision);
}

double set_average_precision(const JudgedRanking& ranking, int relevant_from) {
  return set_precision(ranking, relevant_from) * set_recall(ranking, relevant_from);
}

}  // namespace rr
