#include "rr/ir/qrels_file.h"

#include <fmt/core.h>

#include <string>
#include <string_view>
#include <utility>

#include "rr/base/file.h"
#include "rr/ir/internal/columns.h"
#include "rr/ir/internal/folders.h"
#include "rr/ir/internal/read_id.h"

namespace rr {
namespace {

constexpr std::string_view kBeirHeader = "query-id\tcorpus-id\tscore";

struct QrelsLine {
  std::string_view qid;
  std::string_view docid;
  std::string_view grade;
};

bool looks_like_a_run_line(std::string_view line) {
  if (count_columns(line) != 6) return false;
  std::string_view rest = trim(line);
  take_last_column(rest);
  double score = 0;
  long long rank = 0;
  return parse_number(take_last_column(rest), score) && parse_number(take_last_column(rest), rank);
}

Result<QrelsLine> split_trec_line(std::string_view line, const LineReader& reader) {
  const std::size_t columns = count_columns(line);
  if (columns < 4 || looks_like_a_run_line(line)) {
    return Error{
        Errc::kMalformed,
        fmt::format("expected the 4 columns of qrels (qid iteration docid grade), found {}{}",
                    columns, columns == 6 ? "; is this a run file?" : ""),
        reader.where()};
  }
  std::string_view rest = trim(line);
  QrelsLine result;
  result.qid = take_first_column(rest);
  take_first_column(rest);  // the iteration, which nobody reads
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
  return QrelsLine{trim(line.substr(0, first_tab)),
                   trim(line.substr(first_tab + 1, last_tab - first_tab - 1)),
                   trim(line.substr(last_tab + 1))};
}

Status add_judgement(const QrelsLine& line, const LineReader& reader, Qrels& qrels) {
  int grade = 0;
  if (!parse_number(line.grade, grade)) {
    return Error{Errc::kMalformed,
                 fmt::format("expected a whole number as grade in the last column, found \"{}\"",
                             printable(line.grade)),
                 reader.where()};
  }
  RR_TRY(std::string qid, read_id(line.qid, "qid", reader));
  RR_TRY(std::string docid, read_id(line.docid, "docid", reader));
  const auto [judgement, is_new] =
      qrels[Qid(std::move(qid))].emplace(Docid(std::move(docid)), grade);
  if (is_new) return ok_status();
  return Error{Errc::kMalformed,
               fmt::format("expected each document once in a topic, found \"{}\" judged again; "
                           "remove one of its lines",
                           judgement->first.str()),
               reader.where()};
}

}  // namespace

Result<Qrels> read_qrels(const std::filesystem::path& path) {
  const std::filesystem::path file = file_in_folder(path, {"qrels/test.tsv", "test.tsv"});
  RR_TRY(LineReader reader, LineReader::open(file));
  Qrels qrels;
  bool is_beir = false;
  for (std::string line;;) {
    RR_TRY(const bool more, reader.next(line));
    if (!more) return qrels;
    if (reader.line_number() == 1 && line == kBeirHeader) {
      is_beir = true;
      continue;
    }
    if (trim(line).empty() || line.starts_with('#')) continue;
    RR_TRY(const QrelsLine columns,
           is_beir ? split_beir_line(line, reader) : split_trec_line(line, reader));
    RR_TRY_STATUS(add_judgement(columns, reader, qrels));
  }
}

}  // namespace rr
