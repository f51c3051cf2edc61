#include "rr/ir/qrels_file.h"

#include <fmt/core.h>

#include <cmath>
#include <cstdlib>
#include <initializer_list>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

#include "rr/base/file.h"
#include "rr/base/json.h"
#include "rr/ir/id_spelling.h"
#include "rr/ir/internal/columns.h"
#include "rr/ir/internal/folders.h"
#include "rr/ir/internal/read_id.h"

namespace rr {
namespace {

constexpr std::initializer_list<const char*> kGradeKeys = {"score", "relevance", "grade"};
constexpr std::string_view kBeirHeader = "query-id\tcorpus-id\tscore";

struct QrelsLine {
  std::string_view qid;
  std::string_view iteration;
  std::string_view docid;
  std::string_view grade;
};

// A line of six columns.
bool looks_like_a_run_line(std::string_view line) {
  std::string_view rest = trim(line);
  take_last_column(rest);
  double score = 0;
  long long rank = 0;
  return parse_number(take_last_column(rest), score) && parse_number(take_last_column(rest), rank);
}

// A JSON record; not a line of columns whose qid happens to begin like one.
bool looks_like_json(std::string_view line) {
  std::string_view rest = trim(line);
  if (!rest.starts_with('{')) return false;
  long long grade = 0;
  return count_columns(line) < 4 || !parse_number(take_last_column(rest), grade);
}

Result<QrelsLine> split_trec_line(std::string_view line, const LineReader& reader) {
  const std::size_t columns = count_columns(line);
  if (columns < 4 || (columns == 6 && looks_like_a_run_line(line))) {
    return Error{
        Errc::kMalformed,
        fmt::format("expected the 4 columns of qrels (qid iteration docid grade), found {}{}",
                    columns, columns == 6 ? "; is this a run file?" : ""),
        reader.where()};
  }
  std::string_view rest = trim(line);
  QrelsLine result;
  result.qid = take_first_column(rest);
  result.iteration = take_first_column(rest);
  result.grade = take_last_column(rest);
  result.docid = rest;
  return result;
}

Result<QrelsLine> split_beir_line(std::string_view line, const LineReader& reader) {
  const std::size_t first_tab = line.find('\t');
  const std::size_t last_tab = line.rfind('\t');
  if (first_tab == last_tab) {  // one tab, or none
    return Error{Errc::kMalformed,
                 "expected query-id, corpus-id and score with tabs between them, found fewer",
                 reader.where()};
  }
  return QrelsLine{trim(line.substr(0, first_tab)), "0",
                   trim(line.substr(first_tab + 1, last_tab - first_tab - 1)),
                   trim(line.substr(last_tab + 1))};
}

}  // namespace

Result<QrelsReader> QrelsReader::open(const std::filesystem::path& path) {
  RR_TRY(LineReader reader,
         LineReader::open(file_in_folder(path, {"qrels/test.tsv", "test.tsv", "qrels.jsonl"})));
  return QrelsReader(std::move(reader));
}

Status QrelsReader::parse_json_line(Judgement& judgement) const {
  std::size_t repaired = 0;
  const std::string place = where();
  RR_TRY(const Json record, parse_record(line_, place, repaired));
  RR_TRY(std::string qid,
         read_json_id(record, {"query-id", "query_id", "q_id", "qid"}, "qid", repaired, place));
  RR_TRY(std::string docid,
         read_json_id(record, {"corpus-id", "corpus_id", "doc_id", "docid", "p_id"}, "docid",
                      repaired, place));
  const Json* grade = first_field(record, kGradeKeys);
  const double value = grade != nullptr && grade->is_number() ? grade->get<double>() : 0.5;
  if (value != std::floor(value) || std::abs(value) > std::numeric_limits<int>::max()) {
    return Error{Errc::kMalformed,
                 fmt::format("expected a whole number as grade in {}", list_of_keys(kGradeKeys)),
                 place};
  }
  judgement = {Qid(std::move(qid)), Docid(std::move(docid)), static_cast<int>(value), "0"};
  return ok_status();
}

Status QrelsReader::parse(Judgement& judgement) const {
  RR_TRY(const QrelsLine line,
         is_beir_ ? split_beir_line(line_, reader_) : split_trec_line(line_, reader_));
  if (!parse_number(line.grade, judgement.grade)) {
    return Error{Errc::kMalformed,
                 fmt::format("expected a whole number as grade in the last column, found \"{}\"",
                             printable(line.grade)),
                 reader_.where()};
  }
  RR_TRY(std::string qid, read_id(line.qid, "qid", reader_));
  RR_TRY(std::string docid, read_id(line.docid, "docid", reader_));
  judgement.qid = Qid(std::move(qid));
  judgement.docid = Docid(std::move(docid));
  judgement.iteration = line.iteration;
  return ok_status();
}

Result<bool> QrelsReader::next(Judgement& judgement) {
  for (;;) {
    RR_TRY(const bool more, reader_.next(line_));
    if (!more) return false;
    if (reader_.line_number() == 1 && line_ == kBeirHeader) {
      is_beir_ = true;
      continue;
    }
    if (line_.starts_with('#')) ++num_comments_;
    if (line_.starts_with('#') || trim(line_).empty()) continue;
    if (num_judgements_++ == 0) is_jsonl_ = !is_beir_ && looks_like_json(line_);
    RR_TRY_STATUS(is_jsonl_ ? parse_json_line(judgement) : parse(judgement));
    if (!judgement.qid.str().starts_with('#')) return true;
    return Error{
        Errc::kMalformed,
        fmt::format("expected a qid that does not begin with '#', as comments do in qrels, "
                    "found \"{}\"",
                    printable(judgement.qid.str())),
        where()};
  }
}

Result<Qrels> read_qrels(const std::filesystem::path& path) {
  RR_TRY(QrelsReader reader, QrelsReader::open(path));
  Qrels qrels;
  Qrels::value_type* topic = nullptr;  // of the line before: topics mostly stand together
  for (Judgement line;;) {
    RR_TRY(const bool more, reader.next(line));
    if (!more) return qrels;
    if (topic == nullptr || topic->first != line.qid) {
      topic = &*qrels.try_emplace(std::move(line.qid)).first;
    }
    const auto [judgement, is_new] = topic->second.emplace(std::move(line.docid), line.grade);
    if (is_new) continue;
    return Error{Errc::kMalformed,
                 fmt::format("expected each document once in a topic, found \"{}\" judged again; "
                             "remove one of its lines",
                             judgement->first.str()),
                 reader.where()};
  }
}

std::string format_judgement(const Judgement& judgement, QrelsLayout layout) {
  if (layout == QrelsLayout::kBeir) {
    return fmt::format("{}\t{}\t{}\n", spell_id(judgement.qid.str()),
                       spell_id(judgement.docid.str()), judgement.grade);
  }
  return fmt::format("{} {} {} {}\n", spell_id(judgement.qid.str()),
                     judgement.iteration.empty() ? "0" : judgement.iteration,
                     spell_id(judgement.docid.str()), judgement.grade);
}

}  // namespace rr
