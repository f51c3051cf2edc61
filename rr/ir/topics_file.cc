#include "rr/ir/topics_file.h"

#include <fmt/core.h>

#include <initializer_list>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>

#include "rr/base/file.h"
#include "rr/base/utf8.h"
#include "rr/ir/id_spelling.h"
#include "rr/ir/internal/columns.h"
#include "rr/ir/internal/folders.h"
#include "rr/ir/internal/layout.h"
#include "rr/ir/internal/read_id.h"

namespace rr {
namespace {

constexpr std::initializer_list<const char*> kKnownFields = {
    "_id", "id", "qid", "query_id", "query", "text", "title", "excluded_ids"};

Result<std::string> query_of(const Json& record, const std::string& where) {
  for (const char* key : {"query", "text", "title"}) {
    if (record.contains(key)) return json_string(record, key, where);
  }
  return Error{Errc::kMalformed, "expected a query in \"query\", \"text\" or \"title\", found none",
               where};
}

Result<std::vector<Docid>> excluded_of(const Json& record, const std::string& where) {
  std::vector<Docid> excluded;
  const Json* ids = first_field(record, {"excluded_ids"});
  if (ids == nullptr || (ids->is_string() && ids->get_ref<const std::string&>() == "N/A"))
    return excluded;
  if (!ids->is_array()) {
    return Error{Errc::kMalformed,
                 fmt::format("expected \"excluded_ids\" to be a list of docids, found a {}",
                             ids->type_name()),
                 where};
  }
  for (const Json& id : *ids) {
    if (!id.is_string() && !id.is_number_integer()) {
      return Error{Errc::kMalformed,
                   fmt::format("expected docids in \"excluded_ids\", found a {}", id.type_name()),
                   where};
    }
    const std::string text = id.is_string() ? id.get<std::string>() : id.dump();
    if (!text.empty() && text != "N/A") excluded.emplace_back(read_spelling(text));
  }
  return excluded;
}

Result<Topic> topic_of_record(std::string_view line, const LineReader& reader, ReadTopics& file) {
  const std::string where = reader.where();
  std::size_t repaired = 0;
  RR_TRY(const Json record, parse_record(line, where, repaired));
  file.repaired_utf8 += repaired;
  file.unread_fields += count_other_fields(record, kKnownFields);
  RR_TRY(std::string qid,
         read_json_id(record, {"_id", "id", "qid", "query_id"}, "qid", repaired, where));
  RR_TRY(std::string query, query_of(record, where));
  RR_TRY(std::vector<Docid> excluded, excluded_of(record, where));
  return Topic{Qid(std::move(qid)), std::move(query), std::move(excluded)};
}

Result<Topic> topic_of_columns(std::string_view line, const LineReader& reader,
                               std::size_t& repaired_in_file) {
  RR_TRY(const TsvLine columns, split_tsv_line(line, "qid<tab>query", reader));
  RR_TRY(std::string qid, read_id(columns.id, "qid", reader));
  RepairedUtf8 query = repair_utf8(columns.text);
  repaired_in_file += query.replaced;
  return Topic{Qid(std::move(qid)), std::move(query.text), {}};
}

// Refuses an empty query and a qid that is among `known`, to which it is added.
Status check_topic(const Topic& topic, std::unordered_set<Qid>& known, const LineReader& reader) {
  if (trim(topic.query).empty()) {
    return Error{Errc::kMalformed,
                 fmt::format("expected a query for topic \"{}\", found only blanks; remove the "
                             "topic or give it a query",
                             topic.qid.str()),
                 reader.where()};
  }
  if (known.insert(topic.qid).second) return ok_status();
  return Error{Errc::kMalformed,
               fmt::format("expected each topic once, found \"{}\" again", topic.qid.str()),
               reader.where()};
}

}  // namespace

Result<ReadTopics> read_topics(const std::filesystem::path& path) {
  const std::filesystem::path file =
      file_in_folder(path, {"queries.jsonl", "query.jsonl", "test_queries.jsonl"});
  RR_TRY(LineReader reader, LineReader::open(file));
  ReadTopics result;
  std::optional<Layout> layout;
  std::unordered_set<Qid> known;
  for (std::string line;;) {
    RR_TRY(const bool more, reader.next(line));
    if (!more) return result;
    if (trim(line).empty()) continue;
    if (!layout) {
      RR_TRY(layout, layout_of(line, "topics", reader));
    }
    RR_TRY(Topic topic, *layout == Layout::kJsonl
                            ? topic_of_record(line, reader, result)
                            : topic_of_columns(line, reader, result.repaired_utf8));
    RR_TRY_STATUS(check_topic(topic, known, reader));
    result.topics.push_back(std::move(topic));
  }
}

}  // namespace rr
