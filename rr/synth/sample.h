#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rr/base/json.h"
#include "rr/base/result.h"
#include "rr/ir/ids.h"
#include "rr/ir/passage.h"
#include "rr/ir/qrels.h"

namespace rr {

// Which recipe makes samples of topics (docs/synthesis.md).
enum class Domain { kComplexQa, kCoding, kMathProblem, kMathTheorem, kWeb };

// "complex-qa", "coding", "math-problem", "math-theorem", "web".
const char* domain_name(Domain domain);
std::optional<Domain> find_domain(std::string_view name);

// What a teacher made of a topic: a list of passages, pointwise labels, an order and the reasoning
// behind it. docs/formats/samples.md says what the fields mean; a record of the published data is
// one without texts.
struct Sample {
  std::string dataset;
  Qid qid;
  std::string domain;               // a domain_name(); empty: not known
  std::string query;                // empty: the text is elsewhere
  std::vector<Docid> initial_list;  // as the teacher saw them; no docid twice, at least one
  std::vector<Docid> final_list;    // a permutation of initial_list; empty: not ranked
  std::vector<Docid> relevant;      // at least one
  std::vector<Docid> hard_negatives;
  std::string reasoning;          // empty: none
  std::vector<Passage> passages;  // of initial_list, in its order; empty: the texts are elsewhere
  Json scores = Json::object();   // name -> number
  std::string licence;            // empty: not known
  Json other = Json::object();    // the record's other fields, in their order

  bool has_texts() const { return !query.empty() && !passages.empty(); }
};

// The pointwise labels as a topic's qrels: grade 1 for each relevant document, 0 for the other
// passages of the list.
TopicQrels labels_of(const Sample& sample);

Json to_json(const Sample& sample);
Result<Sample> sample_from_json(const Json& json, const std::string& where);

// All samples of a file, plain or gzip; "-" is standard input. Empty lines are left out. Refused,
// with the line, what the format refuses.
Result<std::vector<Sample>> read_samples(const std::filesystem::path& path);

}  // namespace rr
