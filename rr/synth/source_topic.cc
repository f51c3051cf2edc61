#include "rr/synth/source_topic.h"

#include <utility>

#include "rr/base/file.h"
#include "rr/base/json.h"
#include "rr/ir/topics_file.h"
#include "rr/rerank/training_data.h"

namespace rr {
namespace {

// The first of two fields that is there; empty where neither is.
Result<std::string> either(const Json& record, const char* first, const char* second,
                           const std::string& where) {
  RR_TRY(std::string value, optional_string(record, first, where));
  if (!value.empty()) return value;
  return optional_string(record, second, where);
}

Status read_fields(const Json& record, const std::string& where, SourceTopic& topic) {
  RR_TRY(std::string dataset, optional_string(record, "dataset", where));
  if (!dataset.empty()) topic.dataset = std::move(dataset);
  RR_TRY(topic.answer, either(record, "answer", "solution", where));
  RR_TRY(topic.links, docids_from_json(record, "links", where));
  RR_TRY(topic.licence, either(record, "licence", "license", where));
  return ok_status();
}

std::filesystem::path file_of(const std::filesystem::path& path) {
  if (!std::filesystem::is_directory(path)) return path;
  const auto plain = path / "queries.jsonl";
  return std::filesystem::exists(plain) ? plain : path / "queries.jsonl.gz";
}

}  // namespace

Result<ReadSourceTopics> read_source_topics(const std::filesystem::path& path,
                                            const std::string& dataset) {
  RR_TRY(ReadTopics read, read_topics(path));
  ReadSourceTopics result;
  result.repaired_utf8 = read.repaired_utf8;
  for (Topic& topic : read.topics) {
    result.topics.push_back({std::move(topic), dataset, "", {}, ""});
  }
  // The same lines again, for the fields that ir/ does not know.
  RR_TRY(LineReader reader, LineReader::open(file_of(path)));
  auto topic = result.topics.begin();
  for (std::string line; topic != result.topics.end();) {
    RR_TRY(const bool more, reader.next(line));
    if (!more) break;
    const std::size_t begin = line.find_first_not_of(" \t");
    if (begin == std::string::npos) continue;
    if (line[begin] != '{') break;  // TSV: there are no other fields
    RR_TRY(const Json record, parse_json(line, reader.where()));
    RR_TRY_STATUS(read_fields(record, reader.where(), *topic));
    ++topic;
  }
  return result;
}

}  // namespace rr
