#include "rr/measures/measure.h"

#include <fmt/core.h>

#include <array>
#include <charconv>
#include <cstdint>
#include <optional>
#include <system_error>

#include "rr/base/check.h"
#include "rr/measures/average_precision.h"
#include "rr/measures/ndcg.h"
#include "rr/measures/precision.h"
#include "rr/measures/reciprocal_rank.h"

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

// "rel=2" or "p=0.9"; empty is fine.
Status read_parameter(std::string_view parameter, std::string_view name, Measure& measure) {
  if (parameter.empty()) return ok_status();
  const std::size_t equals = parameter.find('=');
  const std::string_view key = trim(parameter.substr(0, equals));
  const std::string_view value =
      equals == std::string_view::npos ? "" : trim(parameter.substr(equals + 1));
  if (measure.kind == Kind::kRbo && key == "p") {
    const auto persistence = number_in<double>(value);
    if (!persistence || !(*persistence > 0) || !(*persistence < 1)) {
      return not_a_measure(name, "expected p=NUMBER with a number between 0 and 1");
    }
    measure.persistence = *persistence;
    return ok_status();
  }
  if (measure.kind != Kind::kRbo && measure.kind != Kind::kNdcg && key == "rel") {
    const auto grade = number_in<int>(value);
    if (!grade || *grade < 1) {
      return not_a_measure(name, "expected rel=GRADE with a whole number from 1");
    }
    measure.relevant_from = *grade;
    return ok_status();
  }
  return not_a_measure(name, fmt::format("the parameter \"{}\" is not known here", key));
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

}  // namespace

Result<Measure> parse_measure(std::string_view name) {
  name = trim(name);
  std::string_view rest = name;
  std::optional<std::string_view> cutoff;
  if (const std::size_t at = rest.rfind('@'); at != std::string_view::npos) {
    cutoff = rest.substr(at + 1);
    rest = rest.substr(0, at);
  }
  std::string_view parameter;
  if (const std::size_t open = rest.find('('); open != std::string_view::npos) {
    if (!rest.ends_with(')')) return not_a_measure(name, "expected \")\" after the parameter");
    parameter = trim(rest.substr(open + 1, rest.size() - open - 2));
    rest = rest.substr(0, open);
  }
  const Family* family = family_named(rest);
  if (family == nullptr) {
    return not_a_measure(name, "expected nDCG@k, P@k, R@k, AP, RR, Rprec, Success@k or RBO(p=0.9)");
  }
  Measure measure{.kind = family->kind};
  RR_TRY_STATUS(read_parameter(parameter, name, measure));
  RR_TRY_STATUS(read_cutoff(cutoff, *family, name, measure));
  return measure;
}

Result<std::vector<Measure>> parse_measures(std::string_view names) {
  std::vector<Measure> measures;
  for (;;) {
    const std::size_t comma = names.find(',');
    RR_TRY(const Measure measure, parse_measure(names.substr(0, comma)));
    measures.push_back(measure);
    if (comma == std::string_view::npos) return measures;
    names.remove_prefix(comma + 1);
  }
}

std::string name_of(const Measure& measure) {
  std::string name(family_of(measure.kind).name);
  if (measure.kind == Kind::kRbo) name += fmt::format("(p={})", measure.persistence);
  if (measure.relevant_from != 1) name += fmt::format("(rel={})", measure.relevant_from);
  if (measure.cutoff != kWholeRanking) name += fmt::format("@{}", measure.cutoff);
  return name;
}

double value_of(const Measure& measure, std::span<const Docid> ranking, const TopicQrels& qrels) {
  const std::size_t k = measure.cutoff;
  const int relevant_from = measure.relevant_from;
  switch (measure.kind) {
    case Kind::kNdcg:
      return ndcg_at(k, ranking, qrels);
    case Kind::kPrecision:
      return precision_at(k, ranking, qrels, relevant_from);
    case Kind::kRecall:
      return recall_at(k, ranking, qrels, relevant_from);
    case Kind::kAveragePrecision:
      return average_precision_at(k, ranking, qrels, relevant_from);
    case Kind::kReciprocalRank:
      return reciprocal_rank_at(k, ranking, qrels, relevant_from);
    case Kind::kRprec:
      return r_precision(ranking, qrels, relevant_from);
    case Kind::kSuccess:
      return success_at(k, ranking, qrels, relevant_from);
    case Kind::kRbo:
      break;
  }
  RR_CHECK(false, "RBO compares two rankings and has no value against qrels");
}

}  // namespace rr
