#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rr/base/result.h"
#include "rr/ir/qrels.h"
#include "rr/measures/cutoff.h"

namespace rr {

// A measure with its parameters, named as in ir_measures: "nDCG@10", "P(rel=2)@5", "AP", "RR@10",
// "R@100", "Rprec", "Success@1", "RBO(p=0.9)@10".
struct Measure {
  enum class Kind {
    kNdcg,
    kPrecision,
    kRecall,
    kAveragePrecision,
    kReciprocalRank,
    kRprec,
    kSuccess,
    kRbo
  };
  Kind kind = Kind::kNdcg;
  std::size_t cutoff = kWholeRanking;
  int relevant_from = 1;     // the lowest relevant grade; not of nDCG and RBO
  double persistence = 0.9;  // of RBO

  friend bool operator==(const Measure&, const Measure&) = default;
};

// Reads one name: NAME, NAME@k, NAME(key=value), NAME(key=value)@k. Also known are NDCG, MAP, MRR,
// Recall and Precision. P, R and Success need a cutoff, Rprec takes none.
Result<Measure> parse_measure(std::string_view name);

// Names with commas between them.
Result<std::vector<Measure>> parse_measures(std::string_view names);

// parse_measure(name_of(measure)) == measure.
std::string name_of(const Measure& measure);

// The measure's value for one topic. Requires a measure other than RBO, which compares two rankings
// and knows no qrels (rbo.h).
double value_of(const Measure& measure, std::span<const Docid> ranking, const TopicQrels& qrels);

}  // namespace rr
