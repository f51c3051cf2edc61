#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <utility>

#include "rr/base/file.h"
#include "rr/base/result.h"
#include "rr/ir/qrels.h"

namespace rr {

// One line of qrels.
struct Judgement {
  Qid qid;
  Docid docid;
  int grade = 0;
  std::string iteration;  // the second column of TREC qrels, which measures do not read; BEIR: "0"
};

// Reads relevance judgements one by one, in the order of the file, as read_qrels describes them; a
// document judged twice is not looked for.
class QrelsReader {
 public:
  static Result<QrelsReader> open(const std::filesystem::path& path);

  // The next judgement; false at the end.
  Result<bool> next(Judgement& judgement);

  // "qrels.txt:17", the line that next() gave last.
  std::string where() const { return reader_.where(); }

  // Lines so far that begin with '#'.
  std::size_t num_comments() const { return num_comments_; }

 private:
  explicit QrelsReader(LineReader reader) : reader_(std::move(reader)) {}
  Status parse(Judgement& judgement) const;
  Status parse_json_line(Judgement& judgement) const;

  LineReader reader_;
  std::string line_;
  bool is_beir_ = false;
  bool is_jsonl_ = false;
  std::size_t num_judgements_ = 0;
  std::size_t num_comments_ = 0;
};

// Reads relevance judgements, plain or gzip (docs/formats/qrels.md), in one of three layouts:
//
//   TREC  "qid iteration docid grade" a line, divided by blanks. Two columns are read from the left
//         and one from the right, so that a docid may hold blanks.
//   BEIR  the header "query-id<tab>corpus-id<tab>score", then "qid<tab>docid<tab>grade" a line.
//
//   JSONL {"query-id", "corpus-id", "score"} or R2MED's {"q_id", "p_id", "score"} a line, known by
//         its first character.
//
// A grade is a whole number. Empty lines and lines that begin with '#' are left out, as in
// trec_eval; so a qid that begins with '#' has no place in qrels. Refused, with the line: such a
// qid (behind a blank, or in JSON), a malformed line (said in so many words where the file looks
// like a run), a document judged twice for a topic, an id that is not UTF-8. A folder stands for
// its qrels/test.tsv (a BEIR collection), test.tsv or qrels.jsonl (R2MED).
Result<Qrels> read_qrels(const std::filesystem::path& path);

// What a judgement is in a line of either layout, with its end; ids as ir/id_spelling.h spells
// them.
enum class QrelsLayout { kTrec, kBeir };
std::string format_judgement(const Judgement& judgement, QrelsLayout layout);

// The first line of the BEIR layout, with its end.
inline constexpr const char* kBeirQrelsHeader = "query-id\tcorpus-id\tscore\n";

}  // namespace rr
