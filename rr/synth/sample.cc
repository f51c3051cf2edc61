#include "rr/synth/sample.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "rr/base/check.h"
#include "rr/base/file.h"
#include "rr/ir/id_spelling.h"
#include "rr/rerank/training_data.h"

namespace rr {
namespace {

struct DomainName {
  Domain domain;
  const char* name;
};
constexpr std::array kDomains = {
    DomainName{Domain::kComplexQa, "complex-qa"},
    DomainName{Domain::kCoding, "coding"},
    DomainName{Domain::kMathProblem, "math-problem"},
    DomainName{Domain::kMathTheorem, "math-theorem"},
    DomainName{Domain::kWeb, "web"},
};

// The fields that a Sample has a place for; every other one is kept as it is.
constexpr std::array kKnownFields = {
    "dataset",         "qid",    "domain",    "query",    "initial_list", "final_list",
    "relevant_docids", "scores", "reasoning", "passages", "licence",      "hard_negatives",
};

Error malformed(std::string message, const std::string& where) {
  return Error{Errc::kMalformed, std::move(message), where};
}

Result<std::vector<Docid>> required_docids(const Json& json, const char* key,
                                           const std::string& where) {
  RR_TRY(std::vector<Docid> docids, docids_from_json(json, key, where));
  if (docids.empty()) {
    return malformed(fmt::format("expected at least one docid in \"{}\", found none", key), where);
  }
  return docids;
}

Status check_passages(const Sample& sample, const std::string& where) {
  if (sample.passages.empty()) return ok_status();
  const bool agree =
      std::equal(sample.passages.begin(), sample.passages.end(), sample.initial_list.begin(),
                 sample.initial_list.end(),
                 [](const Passage& passage, const Docid& docid) { return passage.docid == docid; });
  if (agree) return ok_status();
  return malformed("expected \"passages\" to be those of \"initial_list\", in its order", where);
}

Result<Json> scores_from_json(const Json& json, const std::string& where) {
  const auto scores = json.find("scores");
  if (scores == json.end() || scores->is_null()) return Json(Json::object());
  if (!scores->is_object()) {
    return malformed("expected \"scores\" to be an object from a name to a number", where);
  }
  return Json(*scores);
}

}  // namespace

const char* domain_name(Domain domain) {
  for (const DomainName& known : kDomains) {
    if (known.domain == domain) return known.name;
  }
  RR_CHECK(false, "an unknown domain");
  return "";
}

std::optional<Domain> find_domain(std::string_view name) {
  for (const DomainName& known : kDomains) {
    if (name == known.name) return known.domain;
  }
  return std::nullopt;
}

TopicQrels labels_of(const Sample& sample) {
  TopicQrels labels;
  for (const Docid& docid : sample.initial_list) labels.emplace(docid, 0);
  for (const Docid& docid : sample.relevant) labels[docid] = 1;
  return labels;
}

Json to_json(const Sample& sample) {
  Json json = {{"dataset", sample.dataset}, {"qid", sample.qid.str()}};
  if (!sample.domain.empty()) json["domain"] = sample.domain;
  if (!sample.query.empty()) json["query"] = sample.query;
  json["initial_list"] = docids_to_json(sample.initial_list);
  json["final_list"] = sample.final_list.empty() ? Json() : docids_to_json(sample.final_list);
  json["reasoning"] = sample.reasoning;
  json["relevant_docids"] = docids_to_json(sample.relevant);
  if (!sample.hard_negatives.empty()) {
    json["hard_negatives"] = docids_to_json(sample.hard_negatives);
  }
  if (!sample.passages.empty()) json["passages"] = passages_to_json(sample.passages);
  if (!sample.scores.empty()) json["scores"] = sample.scores;
  if (!sample.licence.empty()) json["licence"] = sample.licence;
  for (const auto& [key, value] : sample.other.items()) json[key] = value;
  return json;
}

Result<Sample> sample_from_json(const Json& json, const std::string& where) {
  if (!json.is_object()) return malformed("expected one JSON object a line", where);
  Sample sample;
  RR_TRY(sample.dataset, json_string(json, "dataset", where));
  RR_TRY(const std::string qid, json_id(json, "qid", where));
  if (qid.empty()) return malformed("expected a \"qid\", found nothing", where);
  sample.qid = Qid(read_spelling(qid));
  RR_TRY(sample.domain, optional_string(json, "domain", where));
  RR_TRY(sample.query, optional_string(json, "query", where));
  RR_TRY(sample.initial_list, required_docids(json, "initial_list", where));
  RR_TRY(sample.final_list, docids_from_json(json, "final_list", where));
  RR_TRY_STATUS(check_order(sample.initial_list, sample.final_list, "final_list", where));
  RR_TRY(sample.relevant, required_docids(json, "relevant_docids", where));
  RR_TRY(sample.hard_negatives, docids_from_json(json, "hard_negatives", where));
  RR_TRY(sample.reasoning, optional_string(json, "reasoning", where));
  RR_TRY(sample.passages, passages_from_json(json, where));
  RR_TRY_STATUS(check_passages(sample, where));
  RR_TRY(sample.scores, scores_from_json(json, where));
  RR_TRY(sample.licence, optional_string(json, "licence", where));
  for (const auto& [key, value] : json.items()) {
    if (std::find(kKnownFields.begin(), kKnownFields.end(), key) == kKnownFields.end()) {
      sample.other[key] = value;
    }
  }
  return sample;
}

Result<std::vector<Sample>> read_samples(const std::filesystem::path& path) {
  RR_TRY(LineReader reader, LineReader::open(path));
  std::vector<Sample> samples;
  std::set<std::pair<std::string, Qid>> known;
  for (std::string line;;) {
    RR_TRY(const bool more, reader.next(line));
    if (!more) return samples;
    if (line.find_first_not_of(" \t") == std::string::npos) continue;
    const std::string where = reader.where();
    RR_TRY(const Json json, parse_json(line, where));
    RR_TRY(Sample sample, sample_from_json(json, where));
    if (!known.emplace(sample.dataset, sample.qid).second) {
      return malformed(fmt::format("expected each topic once, found \"{}\" of \"{}\" again",
                                   sample.qid.str(), sample.dataset),
                       where);
    }
    samples.push_back(std::move(sample));
  }
}

}  // namespace rr
