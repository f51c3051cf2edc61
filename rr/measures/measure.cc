#include "rr/measures/measure.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <optional>
#include <system_error>

#include "rr/base/check.h"
#include "rr/measures/average_precision.h"
#include "rr/measures/binary_preference.h"
#include "rr/measures/expected_reciprocal_rank.h"
#include "rr/measures/ndcg.h"
#include "rr/measures/precision.h"
#include "rr/measures/rbo.h"
#include "rr/measures/reciprocal_rank.h"
#include "rr/measures/set_measures.h"

namespace rr {
namespace {

using Kind = Measure::Kind;

enum class Cutoff { kOptional, kRequired, kNone };

struct Family {
  std::string_view name;
  Kind kind;
  Cutoff cutoff;
};

// The first of a kind is the name that name_of gives.
constexpr std::array kFamilies = {
    Family{"nDCG", Kind::kNdcg, Cutoff::kOptional},
    Family{"NDCG", Kind::kNdcg, Cutoff::kOptional},
    Family{"P", Kind::kPrecision, Cutoff::kRequired},
    Family{"Precision", Kind::kPrecision, Cutoff::kRequired},
    Family{"R", Kind::kRecall, Cutoff::kRequired},
    Family{"Recall", Kind::kRecall, Cutoff::kRequired},
    Family{"AP", Kind::kAveragePrecision, Cutoff::kOptional},
    Family{"MAP", Kind::kAveragePrecision, Cutoff::kOptional},
    Family{"RR", Kind::kReciprocalRank, Cutoff::kOptional},
    Family{"MRR", Kind::kReciprocalRank, Cutoff::kOptional},
    Family{"Rprec", Kind::kRprec, Cutoff::kNone},
    Family{"Success", Kind::kSuccess, Cutoff::kRequired},
    Family{"Judged", Kind::kJudged, Cutoff::kOptional},
    Family{"Bpref", Kind::kBinaryPreference, Cutoff::kNone},
    Family{"BPref", Kind::kBinaryPreference, Cutoff::kNone},
    Family{"ERR", Kind::kExpectedReciprocalRank, Cutoff::kOptional},
    Family{"SetP", Kind::kSetPrecision, Cutoff::kNone},
    Family{"SetRelP", Kind::kSetRelativePrecision, Cutoff::kNone},
    Family{"SetR", Kind::kSetRecall, Cutoff::kNone},
    Family{"SetF", Kind::kSetF, Cutoff::kNone},
    Family{"SetAP", Kind::kSetAveragePrecision, Cutoff::kNone},
    Family{"RBO", Kind::kRbo, Cutoff::kOptional},
};

const Family* family_named(std::string_view name) {
  for (const Family& family : kFamilies) {
    if (family.name == name) return &family;
  }
  return nullptr;
}

const Family& family_of(Kind kind) {
  for (const Family& family : kFamilies) {
    if (family.kind == kind) return family;
  }
  RR_CHECK(false, "every kind has a family");
}

template <typename Number>
std::optional<Number> number_in(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

Error not_a_measure(std::string_view name, const std::string& reason) {
  return Error{Errc::kMalformed, fmt::format("\"{}\" is no measure: {}", name, reason), ""};
}

std::string_view trim(std::string_view text) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  return text;
}

bool has_relevant_grade(Kind kind) {
  return kind != Kind::kNdcg && kind != Kind::kJudged && kind != Kind::kExpectedReciprocalRank &&
         kind != Kind::kRbo;
}

std::string_view without_quotes(std::string_view text) {
  const bool is_quoted = text.size() >= 2 && text.front() == text.back() &&
                         (text.front() == '\'' || text.front() == '"');
  return is_quoted ? text.substr(1, text.size() - 2) : text;
}

// Each sets one parameter from its value; where it cannot, says what was expected.
using Refusal = std::optional<std::string>;

Refusal read_relevant_grade(std::string_view value, Measure& measure) {
  const auto grade = number_in<int>(value);
  if (!grade || *grade < 1) return "expected rel=GRADE with a whole number from 1";
  measure.relevant_from = *grade;
  return std::nullopt;
}

Refusal read_gain(std::string_view value, Measure& measure) {
  if (value != "log2" && value != "exp-log2") return "expected dcg='log2' or dcg='exp-log2'";
  measure.gain = value == "log2" ? Measure::Gain::kLinear : Measure::Gain::kExponential;
  return std::nullopt;
}

Refusal read_beta(std::string_view value, Measure& measure) {
  const auto beta = number_in<double>(value);
  if (!beta || !(*beta >= 0) || !std::isfinite(*beta)) return "expected beta=NUMBER, at least 0";
  measure.beta = *beta;
  return std::nullopt;
}

Refusal read_persistence(std::string_view value, Measure& measure) {
  const auto persistence = number_in<double>(value);
  if (!persistence || !(*persistence > 0) || !(*persistence < 1)) {
    return "expected p=NUMBER with a number between 0 and 1";
  }
  measure.persistence = *persistence;
  return std::nullopt;
}

struct NamedBound {
  std::string_view name;
  Measure::RboBound bound;
};
constexpr std::array kBounds = {NamedBound{"ext", Measure::RboBound::kExtrapolated},
                                NamedBound{"min", Measure::RboBound::kMinimal},
                                NamedBound{"res", Measure::RboBound::kResidual}};

Refusal read_bound(std::string_view value, Measure& measure) {
  for (const NamedBound& bound : kBounds) {
    if (bound.name != value) continue;
    measure.rbo_bound = bound.bound;
    return std::nullopt;
  }
  return "expected bound=ext, bound=min or bound=res";
}

// ir_measures writes SetRelP as SetP(relative=True).
Refusal read_relative(std::string_view value, Measure& measure) {
  if (value != "True" && value != "False") return "expected relative=True or relative=False";
  if (value == "True") measure.kind = Kind::kSetRelativePrecision;
  return std::nullopt;
}

Refusal set_parameter(std::string_view key, std::string_view value, Measure& measure) {
  const Kind kind = measure.kind;
  if (key == "rel" && has_relevant_grade(kind)) return read_relevant_grade(value, measure);
  if (key == "dcg" && kind == Kind::kNdcg) return read_gain(value, measure);
  if (key == "relative" && kind == Kind::kSetPrecision) return read_relative(value, measure);
  if (key == "beta" && kind == Kind::kSetF) return read_beta(value, measure);
  if (key == "p" && kind == Kind::kRbo) return read_persistence(value, measure);
  if (key == "bound" && kind == Kind::kRbo) return read_bound(value, measure);
  return fmt::format("the parameter \"{}\" is not known here", key);
}

// "rel=2" or "p=0.9, bound=min"; empty is fine.
Status read_parameters(std::string_view parameters, std::string_view name, Measure& measure) {
  while (!parameters.empty()) {
    const std::size_t comma = std::min(parameters.find(','), parameters.size());
    const std::string_view parameter = parameters.substr(0, comma);
    const std::size_t equals = std::min(parameter.find('='), parameter.size());
    const std::string_view value = trim(parameter.substr(std::min(equals + 1, parameter.size())));
    const Refusal refusal =
        set_parameter(trim(parameter.substr(0, equals)), without_quotes(value), measure);
    if (refusal) return not_a_measure(name, *refusal);
    parameters.remove_prefix(std::min(comma + 1, parameters.size()));
  }
  return ok_status();
}

Status read_cutoff(std::optional<std::string_view> text, const Family& family,
                   std::string_view name, Measure& measure) {
  if (!text) {
    if (family.cutoff != Cutoff::kRequired) return ok_status();
    return not_a_measure(name, fmt::format("expected a cutoff, as in {}@10", family.name));
  }
  if (family.cutoff == Cutoff::kNone) return not_a_measure(name, "it takes no cutoff");
  const auto cutoff = number_in<std::uint32_t>(*text);
  if (!cutoff || *cutoff == 0) {
    return not_a_measure(name, "expected a whole number from 1 after the @");
  }
  measure.cutoff = *cutoff;
  return ok_status();
}

std::size_t comma_outside_brackets(std::string_view names) {
  int depth = 0;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i] == '(') ++depth;
    if (names[i] == ')') --depth;
    if (names[i] == ',' && depth <= 0) return i;
  }
  return std::string_view::npos;
}

}  // namespace

Result<Measure> parse_measure(std::string_view name) {
  name = trim(name);
  std::string_view rest = name;
  std::optional<std::string_view> cutoff;
  if (const std::size_t at = rest.rfind('@'); at != std::string_view::npos) {
    cutoff = rest.substr(at + 1);
    rest = rest.substr(0, at);
  }
  std::string_view parameters;
  if (const std::size_t open = rest.find('('); open != std::string_view::npos) {
    if (!rest.ends_with(')')) return not_a_measure(name, "expected \")\" after the parameters");
    parameters = trim(rest.substr(open + 1, rest.size() - open - 2));
    rest = rest.substr(0, open);
  }
  const Family* family = family_named(rest);
  if (family == nullptr) {
    return not_a_measure(name,
                         "expected nDCG@k, P@k, R@k, AP, RR, ERR@k, Rprec, Success@k, Judged@k, "
                         "Bpref, SetP, SetRelP, SetR, SetF, SetAP or RBO(p=0.9)");
  }
  Measure measure{.kind = family->kind};
  RR_TRY_STATUS(read_parameters(parameters, name, measure));
  RR_TRY_STATUS(read_cutoff(cutoff, *family, name, measure));
  return measure;
}

Result<std::vector<Measure>> parse_measures(std::string_view names) {
  std::vector<Measure> measures;
  for (;;) {
    const std::size_t comma = comma_outside_brackets(names);
    RR_TRY(const Measure measure, parse_measure(names.substr(0, comma)));
    measures.push_back(measure);
    if (comma == std::string_view::npos) return measures;
    names.remove_prefix(comma + 1);
  }
}

std::string name_of(const Measure& measure) {
  std::vector<std::string> parameters;
  if (measure.gain == Measure::Gain::kExponential) parameters.emplace_back("dcg='exp-log2'");
  if (measure.kind == Kind::kRbo) parameters.push_back(fmt::format("p={}", measure.persistence));
  for (const NamedBound& bound : kBounds) {
    if (bound.bound != measure.rbo_bound || bound.name == "ext") continue;
    parameters.push_back(fmt::format("bound={}", bound.name));
  }
  if (measure.relevant_from != 1)
    parameters.push_back(fmt::format("rel={}", measure.relevant_from));
  if (measure.beta != 1) parameters.push_back(fmt::format("beta={}", measure.beta));
  std::string name(family_of(measure.kind).name);
  if (!parameters.empty()) name += fmt::format("({})", fmt::join(parameters, ","));
  if (measure.cutoff != kWholeRanking) name += fmt::format("@{}", measure.cutoff);
  return name;
}

double value_of(const Measure& measure, const JudgedRanking& ranking) {
  const std::size_t k = measure.cutoff;
  const int relevant_from = measure.relevant_from;
  switch (measure.kind) {
    case Kind::kNdcg:
      return measure.gain == Measure::Gain::kLinear ? ndcg_at(k, ranking)
                                                    : exponential_ndcg_at(k, ranking);
    case Kind::kPrecision:
      return precision_at(k, ranking, relevant_from);
    case Kind::kRecall:
      return recall_at(k, ranking, relevant_from);
    case Kind::kAveragePrecision:
      return average_precision_at(k, ranking, relevant_from);
    case Kind::kReciprocalRank:
      return reciprocal_rank_at(k, ranking, relevant_from);
    case Kind::kRprec:
      return r_precision(ranking, relevant_from);
    case Kind::kSuccess:
      return success_at(k, ranking, relevant_from);
    case Kind::kJudged:
      return judged_at(k, ranking);
    case Kind::kBinaryPreference:
      return binary_preference(ranking, relevant_from);
    case Kind::kExpectedReciprocalRank:
      return expected_reciprocal_rank_at(k, ranking);
    case Kind::kSetPrecision:
      return set_precision(ranking, relevant_from);
    case Kind::kSetRelativePrecision:
      return set_relative_precision(ranking, relevant_from);
    case Kind::kSetRecall:
      return set_recall(ranking, relevant_from);
    case Kind::kSetF:
      return set_f(ranking, measure.beta, relevant_from);
    case Kind::kSetAveragePrecision:
      return set_average_precision(ranking, relevant_from);
    case Kind::kRbo:
      break;
  }
  RR_CHECK(false, "RBO compares two rankings and has no value against qrels");
}

double rbo_value_of(const Measure& measure, std::span<const Docid> a, std::span<const Docid> b) {
  RR_CHECK(measure.kind == Kind::kRbo, "only RBO compares two rankings");
  switch (measure.rbo_bound) {
    case Measure::RboBound::kExtrapolated:
      return extrapolated_rbo_at(measure.cutoff, measure.persistence, a, b);
    case Measure::RboBound::kMinimal:
      return minimal_rbo_at(measure.cutoff, measure.persistence, a, b);
    case Measure::RboBound::kResidual:
      return residual_rbo_at(measure.cutoff, measure.persistence, a, b);
  }
  RR_CHECK(false, "every bound has a function");
}

}  // namespace rr
