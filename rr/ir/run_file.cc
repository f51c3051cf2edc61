#include "rr/ir/run_file.h"

#include <fmt/compile.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <functional>
#include <iterator>
#include <limits>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "rr/base/file.h"
#include "rr/base/quick_hash.h"
#include "rr/ir/id_spelling.h"
#include "rr/ir/internal/columns.h"
#include "rr/ir/internal/read_id.h"

namespace rr {
namespace {

constexpr std::size_t kColumns = 6;

struct RunLine {
  std::string_view qid;
  std::string_view docid;
  std::string_view score;
  std::string_view tag;
};

// A line's first six columns, and how many it has.
struct Columns {
  std::array<std::string_view, kColumns> first;
  std::size_t count = 0;
};

Columns split_columns(std::string_view line) {
  Columns columns;
  for (std::size_t end = 0;;) {
    std::size_t begin = end;
    while (begin < line.size() && is_blank(line[begin])) ++begin;
    if (begin == line.size()) return columns;
    for (end = begin; end < line.size() && !is_blank(line[end]);) ++end;
    if (columns.count < kColumns) columns.first[columns.count] = line.substr(begin, end - begin);
    ++columns.count;
  }
}

// A line whose docid has blanks. Requires at least six columns.
RunLine split_line_with_blanks(std::string_view line) {
  std::string_view rest = trim(line);
  RunLine columns;
  columns.qid = take_first_column(rest);
  take_first_column(rest);  // "Q0"
  columns.tag = take_last_column(rest);
  columns.score = take_last_column(rest);
  take_last_column(rest);  // the rank, which nobody reads
  columns.docid = rest;
  return columns;
}

Error wrong_columns(std::size_t found, const std::string& where) {
  std::string message =
      fmt::format("expected the 6 columns of a run (qid Q0 docid rank score tag), found {}", found);
  if (found == 3 || found == 4) message += "; is this a qrels file?";
  return Error{Errc::kMalformed, std::move(message), where};
}

struct Repeat {
  const Docid* docid = nullptr;  // none
  std::size_t line = std::numeric_limits<std::size_t>::max();
};

// Whether two documents of a ranking may be the same: some hash of a docid comes twice. Keeps its
// table from ranking to ranking.
class RepeatFilter {
 public:
  bool may_repeat(const std::vector<ScoredDocid>& docs) {
    const std::size_t size = std::bit_ceil(2 * docs.size() + 1);
    table_.assign(size, 0);
    for (const ScoredDocid& doc : docs) {
      const std::uint64_t hash = quick_hash(doc.docid.str()) | 1;  // 0 is an empty place
      for (std::size_t i = (hash >> 1) & (size - 1);; i = (i + 1) & (size - 1)) {
        if (table_[i] == hash) return true;
        if (table_[i] != 0) continue;
        table_[i] = hash;
        break;
      }
    }
    return false;
  }

 private:
  std::vector<std::uint64_t> table_;
};

// The first line that names a document again. lines[i] is the line of docs[i], ascending.
Repeat first_repeat(const std::vector<ScoredDocid>& docs, const std::vector<std::size_t>& lines,
                    RepeatFilter& filter) {
  if (!filter.may_repeat(docs)) return {};
  std::unordered_set<std::string_view> seen;
  for (std::size_t i = 0; i < docs.size(); ++i) {
    if (!seen.insert(docs[i].docid.str()).second) return {&docs[i].docid, lines[i]};
  }
  return {};
}

class RunReader {
 public:
  RunReader(LineReader reader, BlankDocids blank_docids)
      : reader_(std::move(reader)), blank_docids_(blank_docids) {}

  Result<ReadRun> read(const std::filesystem::path& path) {
    for (std::string line;;) {
      RR_TRY(const bool more, reader_.next(line));
      if (!more) break;
      RR_TRY_STATUS(take(line));
    }
    if (result_.dropped_lines > 0 && result_.run.rankings.empty()) {
      return wrong_columns(first_dropped_columns_, display_name(path));
    }
    RR_TRY_STATUS(refuse_duplicates(path));
    if (result_.run.tag.empty()) result_.run.tag = path == "-" ? "run" : path.filename().string();
    return std::move(result_);
  }

 private:
  Status take(std::string_view line) {
    const auto [columns, count] = split_columns(line);
    if (count == 0) return ok_status();
    ++result_.num_lines;
    if (count == kColumns) return add({columns[0], columns[2], columns[4], columns[5]});
    if (blank_docids_ == BlankDocids::kDrop) {
      if (result_.dropped_lines++ == 0) first_dropped_columns_ = count;
      return ok_status();
    }
    if (count < kColumns) return wrong_columns(count, reader_.where());
    return add(split_line_with_blanks(line));
  }

  Status add(const RunLine& line) {
    double score = 0;
    if (!parse_number(line.score, score) || !std::isfinite(score)) return wrong_score(line);
    RR_TRY(const std::size_t topic, topic_of(line.qid));
    std::vector<ScoredDocid>& docs = result_.run.rankings[topic].docs;
    docs.push_back({Docid(), score});
    RR_TRY_STATUS(read_docid(line.docid, docs.back().docid));
    line_numbers_[topic].push_back(reader_.line_number());
    if (result_.run.tag.empty()) result_.run.tag = printable(line.tag);
    return ok_status();
  }

  // Most are plain and go straight to their place.
  Status read_docid(std::string_view text, Docid& docid) const {
    if (is_plain_id(text)) {
      docid = Docid(std::string(text));
      return ok_status();
    }
    RR_TRY(std::string id, read_id(text, "docid", reader_));
    docid = Docid(std::move(id));
    return ok_status();
  }

  Error wrong_score(const RunLine& line) const {
    std::string message =
        fmt::format("expected a finite number as score, second column from the right, found \"{}\"",
                    printable(line.score));
    if (line.docid.find_first_of(kBlanks) != std::string_view::npos) {
      message += "; a docid may have blanks, a tag may not";
    }
    return Error{Errc::kMalformed, std::move(message), reader_.where()};
  }

  // Index of the qid's ranking, a new one where it is the first time. Lines of a topic mostly stand
  // together, so the last line's answer is tried first.
  Result<std::size_t> topic_of(std::string_view qid) {
    if (!line_numbers_.empty() && qid == last_spelling_) return last_topic_;
    RR_TRY(std::string id, read_id(qid, "qid", reader_));
    const auto [entry, is_new] = topics_.try_emplace(Qid(std::move(id)), topics_.size());
    if (is_new) {
      // A topic is mostly as deep as the one before.
      const std::size_t depth = line_numbers_.empty() ? 0 : line_numbers_[last_topic_].size();
      result_.run.rankings.push_back({entry->first, {}});
      result_.run.rankings.back().docs.reserve(depth);
      line_numbers_.emplace_back().reserve(depth);
    }
    last_spelling_ = qid;
    last_topic_ = entry->second;
    return last_topic_;
  }

  // Names the first line that repeats a document of its topic.
  Status refuse_duplicates(const std::filesystem::path& path) const {
    Repeat first;
    RepeatFilter filter;
    for (std::size_t topic = 0; topic < line_numbers_.size(); ++topic) {
      const Repeat repeat =
          first_repeat(result_.run.rankings[topic].docs, line_numbers_[topic], filter);
      if (repeat.docid != nullptr && repeat.line < first.line) first = repeat;
    }
    if (first.docid == nullptr) return ok_status();
    return Error{Errc::kMalformed,
                 fmt::format("expected each document once in a topic, found \"{}\" again; remove "
                             "one of its lines",
                             first.docid->str()),
                 fmt::format("{}:{}", display_name(path), first.line)};
  }

  LineReader reader_;
  BlankDocids blank_docids_;
  ReadRun result_;
  std::unordered_map<Qid, std::size_t> topics_;
  std::vector<std::vector<std::size_t>> line_numbers_;  // as the rankings' docs
  std::string last_spelling_;
  std::size_t last_topic_ = 0;
  std::size_t first_dropped_columns_ = 0;
};

void append_number(std::uint64_t number, std::string& text) {
  const fmt::format_int digits(number);
  text.append(digits.data(), digits.size());
}

// The shortest text that reads back as the score. Most scores are whole millionths: of at most 15
// digits, so that no other text of as many digits reads back as the same double, and the shortest
// one is theirs without the zeros at its end.
void append_score(double score, std::string& text) {
  constexpr double kMillion = 1e6;
  const bool is_plain = score >= 0.001 && score < 1e9;  // in a notation without exponent
  const std::uint64_t millionths =
      is_plain ? static_cast<std::uint64_t>(score * kMillion + 0.5) : 0;
  if (!is_plain || static_cast<double>(millionths) / kMillion != score) {
    fmt::format_to(std::back_inserter(text), FMT_COMPILE("{}"), score);
    return;
  }
  append_number(millionths / 1'000'000, text);
  std::uint64_t fraction = millionths % 1'000'000;
  if (fraction == 0) return;
  std::array<char, 7> digits = {'.'};
  for (std::size_t i = 6; i > 0; --i, fraction /= 10) digits[i] = "0123456789"[fraction % 10];
  std::size_t size = digits.size();
  while (digits[size - 1] == '0') --size;
  text.append(digits.data(), size);
}

}  // namespace

Result<ReadRun> read_run(const std::filesystem::path& path, BlankDocids blank_docids) {
  RR_TRY(LineReader reader, LineReader::open(path));
  return RunReader(std::move(reader), blank_docids).read(path);
}

std::string format_ranking(const Ranking& ranking, std::string_view tag) {
  std::string lines;
  if (ranking.docs.empty()) return lines;
  const std::string begin = spell_id(ranking.qid.str()) + " Q0 ";
  std::string end = fmt::format(" {}\n", tag.empty() ? "reasonrank" : tag);
  std::replace_if(end.begin() + 1, end.end() - 1, is_blank, '_');
  constexpr std::size_t kRankAndScore = 20;
  std::size_t size = ranking.docs.size() * (begin.size() + kRankAndScore + end.size());
  for (const ScoredDocid& doc : ranking.docs) size += doc.docid.str().size();
  lines.reserve(size);
  std::uint64_t rank = 0;
  for (const ScoredDocid& doc : ranking.docs) {
    lines += begin;
    append_spelling(doc.docid.str(), lines);
    lines += ' ';
    append_number(++rank, lines);
    lines += ' ';
    append_score(doc.score, lines);
    lines += end;
  }
  return lines;
}

Status write_run(const Run& run, AtomicFile& file) {
  for (const Ranking& ranking : run.rankings) {
    RR_TRY_STATUS(file.write(format_ranking(ranking, run.tag)));
  }
  return ok_status();
}

}  // namespace rr
