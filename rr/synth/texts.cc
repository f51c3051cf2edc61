#include "rr/synth/texts.h"

#include <fmt/core.h>

#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "rr/base/file.h"
#include "rr/base/json.h"
#include "rr/ir/corpus_file.h"
#include "rr/ir/topics_file.h"

namespace rr {
namespace {

namespace fs = std::filesystem;

std::string topic_name(const Sample& sample) {
  return fmt::format("topic {} of {}", sample.qid.str(), sample.dataset);
}

Error lacking(const std::string& what, const fs::path& source, const Sample& sample) {
  return Error{Errc::kNotFound,
               fmt::format("{} is not in {}; do the two belong together?", what, source.string()),
               topic_name(sample)};
}

Status take_passages(Sample& sample, const Passages& passages, const fs::path& source) {
  if (!sample.passages.empty()) return ok_status();
  for (const Docid& docid : sample.initial_list) {
    const auto found = passages.find(docid);
    if (found == passages.end()) {
      return lacking(fmt::format("passage \"{}\"", docid.str()), source, sample);
    }
    sample.passages.push_back(found->second);
  }
  return ok_status();
}

Result<std::size_t> from_collection(std::span<Sample> samples, const TextSources& sources) {
  std::size_t repaired = 0;
  if (!sources.topics.empty()) {
    RR_TRY(const ReadTopics read, read_topics(sources.topics));
    repaired += read.repaired_utf8;
    std::unordered_map<Qid, const Topic*> by_qid;
    for (const Topic& topic : read.topics) by_qid.emplace(topic.qid, &topic);
    for (Sample& sample : samples) {
      if (!sample.query.empty()) continue;
      const auto found = by_qid.find(sample.qid);
      if (found == by_qid.end()) return lacking("the topic", sources.topics, sample);
      sample.query = found->second->query;
    }
  }
  if (sources.corpus.empty()) return repaired;
  std::unordered_set<Docid> wanted;
  for (const Sample& sample : samples) {
    if (sample.passages.empty()) {
      wanted.insert(sample.initial_list.begin(), sample.initial_list.end());
    }
  }
  RR_TRY(const LoadedPassages loaded, load_passages(sources.corpus, wanted));
  for (Sample& sample : samples) {
    RR_TRY_STATUS(take_passages(sample, loaded.passages, sources.corpus));
  }
  return repaired + loaded.repaired_utf8;
}

// One object from id to text.
Result<std::unordered_map<std::string, std::string>> read_texts(const fs::path& path,
                                                                std::size_t& repaired) {
  RR_TRY(const std::string bytes, read_file(path));
  RR_TRY(const Json json, parse_json(bytes, path.string(), &repaired));
  if (!json.is_object()) {
    return Error{Errc::kMalformed, "expected one JSON object from id to text", path.string()};
  }
  std::unordered_map<std::string, std::string> texts;
  for (const auto& [id, text] : json.items()) {
    if (!text.is_string()) {
      return Error{Errc::kMalformed, fmt::format("expected the text of \"{}\" to be a string", id),
                   path.string()};
    }
    texts.emplace(id, text.get<std::string>());
  }
  return texts;
}

Status from_release(std::span<Sample> samples, const std::string& dataset, const fs::path& folder,
                    std::size_t& repaired) {
  const fs::path query_file = folder / "id_query" / (dataset + ".json");
  const fs::path doc_file = folder / "id_doc" / (dataset + ".json");
  RR_TRY(const auto queries, read_texts(query_file, repaired));
  RR_TRY(const auto docs, read_texts(doc_file, repaired));
  Passages passages;
  for (const auto& [id, text] : docs) passages.emplace(Docid(id), Passage{Docid(id), "", text});
  for (Sample& sample : samples) {
    if (sample.dataset != dataset || sample.has_texts()) continue;
    if (sample.query.empty()) {
      const auto query = queries.find(sample.qid.str());
      if (query == queries.end()) return lacking("the topic", query_file, sample);
      sample.query = query->second;
    }
    RR_TRY_STATUS(take_passages(sample, passages, doc_file));
  }
  return ok_status();
}

}  // namespace

Result<std::size_t> add_texts(std::span<Sample> samples, const TextSources& sources) {
  if (sources.release.empty()) return from_collection(samples, sources);
  std::size_t repaired = 0;
  std::unordered_set<std::string> done;
  for (const Sample& sample : samples) {
    if (sample.has_texts() || !done.insert(sample.dataset).second) continue;
    RR_TRY_STATUS(from_release(samples, sample.dataset, sources.release, repaired));
  }
  return repaired;
}

Status check_texts(std::span<const Sample> samples) {
  for (const Sample& sample : samples) {
    if (sample.has_texts()) continue;
    return Error{Errc::kMalformed,
                 "expected query and passages, found ids only; name their texts with --topics and "
                 "--corpus, or --texts",
                 topic_name(sample)};
  }
  return ok_status();
}

}  // namespace rr
