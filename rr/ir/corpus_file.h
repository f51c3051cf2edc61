#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "rr/base/file.h"
#include "rr/base/result.h"
#include "rr/ir/passage.h"

namespace rr {

// Reads the passages of a corpus one by one, so that a corpus may be larger than memory; plain or
// gzip (docs/formats/topics-and-corpora.md). The first line of a file that is not empty tells its
// layout:
//
//   JSONL  a record a line. The docid is "_id", "id", "docid" or "doc_id", the text "text",
//          "segment", "contents", "body", "passage" or "content": whichever comes first in these
//          lists. "title" is optional. Other fields are not read.
//   TSV    "docid<tab>text" a line; the text is everything after the first tab.
//
// Empty lines are left out. An id that is not UTF-8 is refused; in text it is repaired and counted.
//
// A folder stands for its corpus.jsonl (a BEIR collection), else for all .jsonl, .json and .tsv
// files in it and its subfolders by name, plain or with ".gz" (a Pyserini collection), else for its
// text files: each other file is a passage, the docid its path in the folder ("notes/a.txt"). A
// first line "# Heading" is its title and no part of the text; other text files have none. A file
// with a zero byte is not text. What of a folder is neither is told by left_out(); names that begin
// with a dot are not looked at.
class CorpusReader {
 public:
  static Result<CorpusReader> open(const std::filesystem::path& path);

  // The next passage into `passage`; false at the end. Does not look for docids that come twice.
  Result<bool> next(Passage& passage);

  // "corpus.jsonl:17", the line that next() gave last.
  // The file's name where that is a passage.
  std::string where() const;

  // Ill-formed UTF-8 sequences of text so far, each now one U+FFFD.
  std::size_t repaired_utf8() const { return repaired_utf8_; }

  // Fields of JSONL records so far that are neither docid, text nor title.
  std::size_t unread_fields() const { return unread_fields_; }

  // Files of a folder, by their paths in it, that gave no passages so far.
  const std::vector<std::string>& left_out() const { return left_out_; }

 private:
  CorpusReader() = default;
  Status find_files(const std::filesystem::path& folder);
  Result<bool> next_line();
  Result<bool> next_text_file(Passage& passage);
  Result<Passage> parse_line();

  std::filesystem::path folder_;  // of the files, where there is one
  std::vector<std::filesystem::path> files_;
  std::vector<std::string> left_out_;
  bool is_text_ = false;  // each file is a passage
  std::size_t next_file_ = 0;
  std::optional<LineReader> reader_;
  bool is_jsonl_ = false;
  bool layout_is_known_ = false;
  std::string line_;
  std::size_t repaired_utf8_ = 0;
  std::size_t unread_fields_ = 0;
};

using Passages = std::unordered_map<Docid, Passage>;

struct LoadedPassages {
  Passages passages;
  std::size_t repaired_utf8 = 0;  // in the whole corpus
};

// Those of the corpus's passages that are wanted. A docid that the corpus lacks is not there: who
// needs it says so. A wanted docid that comes twice with different text is refused.
Result<LoadedPassages> load_passages(const std::filesystem::path& path,
                                     const std::unordered_set<Docid>& wanted);

}  // namespace rr
