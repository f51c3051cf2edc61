#include "rr/ir/convert.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "rr/base/file.h"
#include "rr/base/json.h"
#include "rr/base/wording.h"
#include "rr/ir/corpus_file.h"
#include "rr/ir/id_spelling.h"
#include "rr/ir/internal/columns.h"
#include "rr/ir/join.h"
#include "rr/ir/qrels_file.h"
#include "rr/ir/requests_file.h"
#include "rr/ir/run_file.h"
#include "rr/ir/topics_file.h"

namespace rr {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kWriteBytes = 1 << 20;

// Collects text and hands it to the file in large pieces.
class Writer {
 public:
  explicit Writer(AtomicFile& file) : file_(file) {}

  Status add(std::string_view text) {
    buffer_ += text;
    return buffer_.size() < kWriteBytes ? ok_status() : flush();
  }
  Status flush() {
    RR_TRY_STATUS(file_.write(buffer_));
    buffer_.clear();
    return ok_status();
  }

 private:
  AtomicFile& file_;
  std::string buffer_;
};

void note(Conversion& conversion, std::size_t count, std::string_view thing,
          std::string_view what) {
  if (count == 0) return;
  conversion.notes.push_back(fmt::format("{} {}", counted(count, thing), what));
}

Error loss(const std::string& what, std::string where) {
  return Error{Errc::kRejected, what + "; --lossy goes on without it", std::move(where)};
}

// Text without line ends, for formats whose records are lines. Counts texts that had some.
std::string on_one_line(std::string text, std::size_t& changed) {
  const auto is_line_end = [](char c) { return c == '\n' || c == '\r'; };
  if (std::any_of(text.begin(), text.end(), is_line_end)) {
    ++changed;
    std::replace_if(text.begin(), text.end(), is_line_end, ' ');
  }
  return text;
}

Json request_as_json(const Request& request) {
  Json candidates = Json::array();
  for (std::size_t i = 0; i < request.candidates.size(); ++i) {
    const Passage& passage = request.candidates[i];
    Json doc = Json::object();
    if (!passage.title.empty()) doc["title"] = passage.title;
    doc["text"] = passage.text;
    candidates.push_back({{"docid", spell_id(passage.docid.str())},
                          {"score", request.scores[i]},
                          {"doc", std::move(doc)}});
  }
  return {{"query", {{"text", request.topic.query}, {"qid", spell_id(request.topic.qid.str())}}},
          {"candidates", std::move(candidates)}};
}

Status write_requests(const std::vector<Request>& requests, RunFormat to, Writer& writer) {
  const bool is_array = to == RunFormat::kRequests;
  if (is_array) RR_TRY_STATUS(writer.add("["));
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const char* end = !is_array ? "\n" : i + 1 < requests.size() ? ",\n" : "";
    RR_TRY_STATUS(writer.add(to_json_line(request_as_json(requests[i])) + end));
  }
  return is_array ? writer.add("]\n") : ok_status();
}

Ranking ranking_of(const Request& request) {
  Ranking ranking{request.topic.qid, {}};
  for (std::size_t i = 0; i < request.candidates.size(); ++i) {
    ranking.docs.push_back({request.candidates[i].docid, request.scores[i]});
  }
  return ranking;
}

Result<bool> holds_requests(const fs::path& input) {
  RR_TRY(LineReader reader, LineReader::open(input));
  for (std::string line;;) {
    RR_TRY(const bool more, reader.next(line));
    if (!more) return false;
    const std::string_view text = trim(line);
    if (!text.empty()) return text.starts_with('{') || text.starts_with('[');
  }
}

Status write_trec_run(const std::vector<Request>& requests, Writer& writer,
                      Conversion& conversion) {
  std::size_t passages = 0;
  for (const Request& request : requests) {
    RR_TRY_STATUS(writer.add(format_ranking(ranking_of(request), "requests")));
    passages += request.candidates.size();
  }
  note(conversion, requests.size(), "request", "whose queries and texts have no place in a run");
  conversion.records = passages;
  return ok_status();
}

// Requests of a run, whose topics and passages stand in other files.
Result<std::vector<Request>> requests_of_run(const Run& run, const RunSources& sources,
                                             Conversion& conversion) {
  constexpr std::size_t kWhole = std::numeric_limits<std::size_t>::max();
  RR_TRY(const ReadTopics topics, read_topics(sources.topics));
  RR_TRY(const LoadedPassages corpus,
         load_passages(sources.corpus, wanted_docids(topics.topics, run, kWhole)));
  RR_TRY(JoinedRequests joined, join_requests(topics.topics, run, corpus.passages, kWhole));
  note(conversion, joined.topics_without_ranking, "topic", "without a ranking left out");
  note(conversion, joined.excluded_candidates, "candidate", "left out that the topic excludes");
  note(conversion, topics.repaired_utf8 + corpus.repaired_utf8, "ill-formed UTF-8 sequence",
       "replaced");
  return std::move(joined.requests);
}

bool is_usual_iteration(const std::string& iteration) {
  return iteration.empty() || iteration == "0" || iteration == "Q0";
}

std::string topic_as_json(const Topic& topic) {
  Json json = {{"_id", spell_id(topic.qid.str())}, {"text", topic.query}};
  if (!topic.excluded.empty()) {
    Json excluded = Json::array();
    for (const Docid& docid : topic.excluded) excluded.push_back(spell_id(docid.str()));
    json["excluded_ids"] = std::move(excluded);
  }
  return to_json_line(json) + "\n";
}

std::string title_and_text(const Passage& passage, char between) {
  return passage.title.empty() ? passage.text : passage.title + between + passage.text;
}

std::string passage_as_json(const Passage& passage, CorpusFormat to) {
  const std::string docid = spell_id(passage.docid.str());
  const Json json = to == CorpusFormat::kBeir
                        ? Json{{"_id", docid}, {"title", passage.title}, {"text", passage.text}}
                        : Json{{"id", docid}, {"contents", title_and_text(passage, '\n')}};
  return to_json_line(json) + "\n";
}

}  // namespace

Result<Conversion> convert_run(const fs::path& input, RunFormat to, const RunSources& sources,
                               AtomicFile& output) {
  Conversion conversion;
  Writer writer(output);
  RR_TRY(const bool from_requests, input == "-" ? Result<bool>(false) : holds_requests(input));
  if (from_requests) {
    RR_TRY(const ReadRequests read, read_requests(input));
    note(conversion, read.repaired_utf8, "ill-formed UTF-8 sequence", "replaced");
    conversion.records = read.requests.size();
    RR_TRY_STATUS(to == RunFormat::kTrec ? write_trec_run(read.requests, writer, conversion)
                                         : write_requests(read.requests, to, writer));
  } else {
    RR_TRY(const ReadRun read, read_run(input));
    conversion.records = read.num_lines;
    if (to == RunFormat::kTrec) {
      RR_TRY_STATUS(write_run(read.run, output));
      return conversion;
    }
    if (sources.topics.empty() || sources.corpus.empty()) {
      return Error{Errc::kRejected,
                   "a run has neither queries nor texts; name theirs with --topics and --corpus",
                   display_name(input)};
    }
    RR_TRY(const std::vector<Request> requests, requests_of_run(read.run, sources, conversion));
    conversion.records = requests.size();
    RR_TRY_STATUS(write_requests(requests, to, writer));
  }
  RR_TRY_STATUS(writer.flush());
  return conversion;
}

Result<Conversion> convert_qrels(const fs::path& input, QrelsFormat to,
                                 const ConvertOptions& options, AtomicFile& output) {
  RR_TRY(QrelsReader reader, QrelsReader::open(input));
  Conversion conversion;
  Writer writer(output);
  const QrelsLayout layout = to == QrelsFormat::kBeir ? QrelsLayout::kBeir : QrelsLayout::kTrec;
  if (to == QrelsFormat::kBeir) RR_TRY_STATUS(writer.add(kBeirQrelsHeader));
  std::unordered_set<std::string> known;
  std::size_t iterations = 0;
  for (Judgement judgement;;) {
    RR_TRY(const bool more, reader.next(judgement));
    if (!more) break;
    if (!known.insert(judgement.qid.str() + '\n' + judgement.docid.str()).second) {
      return Error{Errc::kMalformed,
                   fmt::format("expected each document once in a topic, found \"{}\" judged again; "
                               "remove one of its lines",
                               judgement.docid.str()),
                   reader.where()};
    }
    if (to == QrelsFormat::kBeir && !is_usual_iteration(judgement.iteration)) {
      if (!options.lossy) {
        return loss(fmt::format("BEIR qrels have no iteration, found \"{}\"", judgement.iteration),
                    reader.where());
      }
      ++iterations;
    }
    ++conversion.records;
    RR_TRY_STATUS(writer.add(format_judgement(judgement, layout)));
  }
  note(conversion, iterations, "iteration", "other than 0 left out");
  note(conversion, reader.num_comments(), "comment", "left out");
  RR_TRY_STATUS(writer.flush());
  return conversion;
}

Result<Conversion> convert_topics(const fs::path& input, TopicsFormat to,
                                  const ConvertOptions& options, AtomicFile& output) {
  RR_TRY(const ReadTopics read, read_topics(input));
  Conversion conversion;
  conversion.records = read.topics.size();
  Writer writer(output);
  std::size_t excluded = 0;
  std::size_t changed = 0;
  for (const Topic& topic : read.topics) {
    if (to == TopicsFormat::kJsonl) {
      RR_TRY_STATUS(writer.add(topic_as_json(topic)));
      continue;
    }
    std::string query = on_one_line(topic.query, changed);
    excluded += topic.excluded.size();
    const std::string where = fmt::format("{}, topic {}", display_name(input), topic.qid.str());
    if (!options.lossy && changed > 0) return loss("TSV has no line ends in a query", where);
    if (!options.lossy && excluded > 0) return loss("TSV has no excluded documents", where);
    RR_TRY_STATUS(writer.add(spell_id(topic.qid.str()) + '\t' + query + '\n'));
  }
  note(conversion, read.repaired_utf8, "ill-formed UTF-8 sequence", "replaced");
  note(conversion, read.unread_fields, "field", "that topics do not have left out");
  note(conversion, excluded, "excluded document", "left out");
  note(conversion, changed, "topic", "with line ends in the query, which are blanks now");
  RR_TRY_STATUS(writer.flush());
  return conversion;
}

Result<Conversion> convert_corpus(const fs::path& input, CorpusFormat to,
                                  const ConvertOptions& options, AtomicFile& output) {
  RR_TRY(CorpusReader corpus, CorpusReader::open(input));
  Conversion conversion;
  Writer writer(output);
  std::size_t titles = 0;
  std::size_t changed = 0;
  for (Passage passage;;) {
    RR_TRY(const bool more, corpus.next(passage));
    if (!more) break;
    ++conversion.records;
    if (to != CorpusFormat::kBeir && !passage.title.empty()) ++titles;
    if (to != CorpusFormat::kTsv) {
      RR_TRY_STATUS(writer.add(passage_as_json(passage, to)));
      continue;
    }
    const std::string text = on_one_line(title_and_text(passage, ' '), changed);
    if (!options.lossy && changed > 0)
      return loss("TSV has no line ends in a text", corpus.where());
    RR_TRY_STATUS(writer.add(spell_id(passage.docid.str()) + '\t' + text + '\n'));
  }
  note(conversion, corpus.repaired_utf8(), "ill-formed UTF-8 sequence", "replaced");
  note(conversion, corpus.unread_fields(), "field", "that passages do not have left out");
  note(conversion, titles, "title", "put before its text");
  note(conversion, changed, "text", "with line ends, which are blanks now");
  RR_TRY_STATUS(writer.flush());
  return conversion;
}

}  // namespace rr
