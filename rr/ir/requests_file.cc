#include "rr/ir/requests_file.h"

#include <fmt/core.h>

#include <cmath>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "rr/base/file.h"
#include "rr/base/json.h"
#include "rr/base/utf8.h"
#include "rr/ir/internal/columns.h"
#include "rr/ir/internal/passage_record.h"
#include "rr/ir/internal/read_id.h"

namespace rr {
namespace {

struct Place {
  std::string where;         // "requests.json, request 3"
  std::size_t number = 0;    // of the request, from 1
  std::size_t repaired = 0;  // what parse_json repaired around it
};

Error malformed(std::string message, std::string where) {
  return Error{Errc::kMalformed, std::move(message), std::move(where)};
}

// The text of a candidate: "doc" as an object or a string, else the candidate's own fields.
Result<Passage> candidate_text(const Json& candidate, const std::string& where) {
  const Json* doc = first_field(candidate, {"doc"});
  if (doc == nullptr) return passage_text_of(candidate, where);
  if (doc->is_string()) return Passage{Docid(), "", doc->get<std::string>()};
  if (doc->is_object()) return passage_text_of(*doc, where);
  return malformed(
      fmt::format("expected \"doc\" to be an object or a string, found {}", doc->type_name()),
      where);
}

Result<std::optional<double>> candidate_score(const Json& candidate, const std::string& where) {
  const Json* score = first_field(candidate, {"score"});
  if (score == nullptr) return std::optional<double>();
  if (!score->is_number() || !std::isfinite(score->get<double>())) {
    return malformed("expected \"score\" to be a finite number, found " +
                         std::string(score->is_number() ? "another" : score->type_name()),
                     where);
  }
  return std::optional<double>(score->get<double>());
}

Status add_candidates(const Json& list, const Place& place, Request& request) {
  std::unordered_set<Docid> known;
  std::size_t scored = 0;
  for (const Json& candidate : list) {
    const std::size_t rank = request.candidates.size() + 1;
    const std::string where = fmt::format("{}, candidate {}", place.where, rank);
    if (!candidate.is_object()) {
      return malformed(
          fmt::format("expected a candidate as an object, found {}", candidate.type_name()), where);
    }
    RR_TRY(std::string docid, read_json_id(candidate, {"docid", "id", "_id", "doc_id"}, "docid",
                                           place.repaired, where));
    RR_TRY(Passage passage, candidate_text(candidate, where));
    RR_TRY(const std::optional<double> score, candidate_score(candidate, where));
    passage.docid = Docid(std::move(docid));
    if (!known.insert(passage.docid).second) {
      return malformed(fmt::format("expected each document once in a topic, found \"{}\" again",
                                   passage.docid.str()),
                       where);
    }
    scored += score ? 1 : 0;
    request.candidates.push_back(std::move(passage));
    request.scores.push_back(score.value_or(1.0 / static_cast<double>(rank)));
  }
  if (scored == 0 || scored == list.size()) return ok_status();
  return malformed(fmt::format("expected a score for every candidate or for none, found {} for {}",
                               scored, list.size()),
                   place.where);
}

// The qid that the candidates carry, as in {"query": "...", "hits": [{"qid": 7, ...}]}.
Result<std::optional<std::string>> qid_of_candidates(const Json& list, const Place& place) {
  std::optional<std::string> qid;
  for (const Json& candidate : list) {
    if (!candidate.is_object() || !candidate.contains("qid")) continue;
    RR_TRY(std::string found, read_json_id(candidate, {"qid"}, "qid", place.repaired, place.where));
    if (qid && *qid != found) {
      return malformed(
          fmt::format("expected one qid in a request, found \"{}\" and \"{}\"", *qid, found),
          place.where);
    }
    qid = std::move(found);
  }
  return qid;
}

Result<std::string> qid_of(const Json& request, const Json& query, const Json& candidates,
                           const Place& place) {
  for (const Json* object : {&query, &request}) {
    if (!object->is_object()) continue;
    if (first_field(*object, {"qid", "id", "_id", "query_id"}) == nullptr) continue;
    return read_json_id(*object, {"qid", "id", "_id", "query_id"}, "qid", place.repaired,
                        place.where);
  }
  RR_TRY(std::optional<std::string> qid, qid_of_candidates(candidates, place));
  return qid.value_or(std::to_string(place.number));
}

Result<std::string> text_of_query(const Json& query, const std::string& where) {
  if (query.is_string()) return query.get<std::string>();
  if (query.is_object()) return json_string(query, "text", where);
  return malformed(
      fmt::format("expected \"query\" to be an object or a string, found {}", query.type_name()),
      where);
}

Result<Request> parse_request(const Json& json, const Place& place) {
  if (!json.is_object()) {
    return malformed(fmt::format("expected a request as an object, found {}", json.type_name()),
                     place.where);
  }
  const Json* query = first_field(json, {"query"});
  const Json* candidates = first_field(json, {"candidates", "hits"});
  if (query == nullptr || candidates == nullptr || !candidates->is_array()) {
    return malformed("expected a request with \"query\" and a list \"candidates\" or \"hits\"",
                     place.where);
  }
  Request request;
  RR_TRY(request.topic.query, text_of_query(*query, place.where));
  RR_TRY(std::string qid, qid_of(json, *query, *candidates, place));
  request.topic.qid = Qid(std::move(qid));
  if (trim(request.topic.query).empty()) {
    return malformed(fmt::format("expected a query for topic \"{}\", found only blanks",
                                 request.topic.qid.str()),
                     place.where);
  }
  RR_TRY_STATUS(add_candidates(*candidates, place, request));
  return request;
}

class RequestsReader {
 public:
  explicit RequestsReader(std::string name) : name_(std::move(name)) {}

  Status take(const Json& json, std::size_t repaired) {
    const std::size_t number = result_.requests.size() + 1;
    const Place place{fmt::format("{}, request {}", name_, number), number, repaired};
    RR_TRY(Request request, parse_request(json, place));
    if (!known_.insert(request.topic.qid).second) {
      return malformed(
          fmt::format("expected each topic once, found \"{}\" again", request.topic.qid.str()),
          place.where);
    }
    result_.requests.push_back(std::move(request));
    return ok_status();
  }

  // A JSON array of requests, or one request.
  Status take_document(const Json& document, std::size_t repaired) {
    result_.repaired_utf8 += repaired;
    if (!document.is_array()) return take(document, repaired);
    for (const Json& request : document) RR_TRY_STATUS(take(request, repaired));
    return ok_status();
  }

  Status take_lines(std::string_view text) {
    for (std::size_t number = 1; !text.empty(); ++number) {
      const std::size_t end = text.find('\n');
      const std::string_view line = trim(text.substr(0, end));
      text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
      if (line.empty()) continue;
      std::size_t repaired = 0;
      RR_TRY(const Json record, parse_record(line, fmt::format("{}:{}", name_, number), repaired));
      result_.repaired_utf8 += repaired;
      RR_TRY_STATUS(take(record, repaired));
    }
    return ok_status();
  }

  ReadRequests result() && { return std::move(result_); }

 private:
  std::string name_;
  ReadRequests result_;
  std::unordered_set<Qid> known_;
};

}  // namespace

Result<ReadRequests> read_requests(const std::filesystem::path& path) {
  RR_TRY(const std::string text, read_file(path));
  const std::string_view content = without_byte_order_marks(text);
  RequestsReader reader(display_name(path));
  if (trim(content).empty()) return std::move(reader).result();
  std::size_t repaired = 0;
  const auto document = parse_json(content, display_name(path), &repaired);
  if (document.ok()) {
    RR_TRY_STATUS(reader.take_document(document.value(), repaired));
  } else if (trim(content).starts_with('{')) {
    RR_TRY_STATUS(reader.take_lines(content));
  } else {
    return document.error();
  }
  return std::move(reader).result();
}

}  // namespace rr
