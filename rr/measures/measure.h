#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rr/base/result.h"
#include "rr/ir/qrels.h"
#include "rr/measures/cutoff.h"
#include "rr/measures/judged_ranking.h"

namespace rr {

// A measure with its parameters, named as in ir_measures: "nDCG@10", "P(rel=2)@5", "AP", "RR@10",
// "nDCG(dcg='exp-log2')@10", "ERR@20", "Judged@10", "Bpref", "SetF(beta=2)"; and "RBO(p=0.9)@10",
// which ir_measures lacks.
struct Measure {
  enum class Kind {
    kNdcg,
    kPrecision,
    kRecall,
    kAveragePrecision,
    kReciprocalRank,
    kRprec,
    kSuccess,
    kJudged,
    kBinaryPreference,
    kExpectedReciprocalRank,
    kSetPrecision,
    kSetRelativePrecision,
    kSetRecall,
    kSetF,
    kSetAveragePrecision,
    kRbo
  };
  enum class Gain { kLinear, kExponential };
  enum class RboBound { kExtrapolated, kMinimal, kResidual };

  Kind kind = Kind::kNdcg;
  std::size_t cutoff = kWholeRanking;
  int relevant_from = 1;                         // the lowest relevant grade, of binary measures
  Gain gain = Gain::kLinear;                     // of nDCG: dcg='log2' or 'exp-log2'
  double beta = 1;                               // of SetF
  double persistence = 0.9;                      // of RBO: p
  RboBound rbo_bound = RboBound::kExtrapolated;  // of RBO: bound=ext, min or res

  friend bool operator==(const Measure&, const Measure&) = default;
};

// Reads one name: NAME, NAME@k, NAME(key=value, ...), NAME(key=value, ...)@k; a value may stand in
// quotes. Also known are NDCG, MAP, MRR, Recall, Precision and BPref. P, R and Success need a
// cutoff; Rprec, Bpref and the set measures take none.
Result<Measure> parse_measure(std::string_view name);

// Names with commas between them, beside those inside brackets.
Result<std::vector<Measure>> parse_measures(std::string_view names);

// parse_measure(name_of(measure)) == measure.
std::string name_of(const Measure& measure);

// The measure's value for one topic. Requires a measure other than RBO, which compares two rankings
// and knows no qrels.
double value_of(const Measure& measure, const JudgedRanking& ranking);

// The value of an RBO. Requires one.
double rbo_value_of(const Measure& measure, std::span<const Docid> a, std::span<const Docid> b);

}  // namespace rr
