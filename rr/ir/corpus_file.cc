#include "rr/ir/corpus_file.h"

#include <fmt/core.h>

#include <algorithm>
#include <initializer_list>
#include <string_view>
#include <system_error>
#include <utility>

#include "rr/base/utf8.h"
#include "rr/ir/internal/columns.h"
#include "rr/ir/internal/folders.h"
#include "rr/ir/internal/layout.h"
#include "rr/ir/internal/passage_record.h"
#include "rr/ir/internal/read_id.h"

namespace rr {
namespace {

namespace fs = std::filesystem;

constexpr std::initializer_list<const char*> kKnownFields = {
    "_id",      "id",   "docid",   "doc_id",  "text", "segment",
    "contents", "body", "passage", "content", "title"};

bool is_corpus_file(const fs::path& path) {
  const std::string name = path.filename().string();
  for (const char* ending : {".jsonl", ".jsonl.gz", ".tsv", ".tsv.gz"}) {
    if (name.ends_with(ending)) return true;
  }
  return false;
}

Result<std::vector<fs::path>> corpus_files(const fs::path& path) {
  const fs::path file = file_in_folder(path, {"corpus.jsonl"});
  std::error_code error;
  if (file == "-" || !fs::is_directory(file, error)) return std::vector<fs::path>{file};
  std::vector<fs::path> files;
  for (fs::directory_iterator entry(file, error), end; !error && entry != end;
       entry.increment(error)) {
    if (is_corpus_file(entry->path())) files.push_back(entry->path());
  }
  if (error) return Error{Errc::kRejected, "cannot be read: " + error.message(), file.string()};
  if (files.empty()) {
    return Error{Errc::kNotFound, "expected corpus.jsonl or other .jsonl or .tsv files, found none",
                 file.string()};
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

Result<CorpusReader> CorpusReader::open(const fs::path& path) {
  CorpusReader corpus;
  RR_TRY(corpus.files_, corpus_files(path));
  RR_TRY(corpus.reader_, LineReader::open(corpus.files_[corpus.next_file_++]));
  return corpus;
}

// The next line that is not empty, of this file or the files after it, into line_.
Result<bool> CorpusReader::next_line() {
  for (;;) {
    RR_TRY(const bool more, reader_->next(line_));
    if (more && !trim(line_).empty()) return true;
    if (more) continue;
    if (next_file_ == files_.size()) return false;
    RR_TRY(reader_, LineReader::open(files_[next_file_++]));
    layout_is_known_ = false;
  }
}

Result<Passage> CorpusReader::parse_line() {
  if (!is_jsonl_) {
    RR_TRY(const TsvLine columns, split_tsv_line(line_, "docid<tab>text", *reader_));
    RR_TRY(std::string docid, read_id(columns.id, "docid", *reader_));
    RepairedUtf8 text = repair_utf8(columns.text);
    repaired_utf8_ += text.replaced;
    return Passage{Docid(std::move(docid)), "", std::move(text.text)};
  }
  const std::string place = where();
  std::size_t repaired = 0;
  RR_TRY(const Json record, parse_record(line_, place, repaired));
  repaired_utf8_ += repaired;
  RR_TRY(std::string docid,
         read_json_id(record, {"_id", "id", "docid", "doc_id"}, "docid", repaired, place));
  RR_TRY(Passage passage, passage_text_of(record, place));
  passage.docid = Docid(std::move(docid));
  unread_fields_ += count_other_fields(record, kKnownFields);
  return passage;
}

Result<bool> CorpusReader::next(Passage& passage) {
  RR_TRY(const bool more, next_line());
  if (!more) return false;
  if (!layout_is_known_) {
    RR_TRY(const Layout layout, layout_of(line_, "passages", *reader_));
    is_jsonl_ = layout == Layout::kJsonl;
    layout_is_known_ = true;
  }
  RR_TRY(passage, parse_line());
  return true;
}

Result<LoadedPassages> load_passages(const fs::path& path,
                                     const std::unordered_set<Docid>& wanted) {
  RR_TRY(CorpusReader corpus, CorpusReader::open(path));
  LoadedPassages loaded;
  for (Passage passage;;) {
    RR_TRY(const bool more, corpus.next(passage));
    if (!more) break;
    if (!wanted.contains(passage.docid)) continue;
    const auto [known, is_new] = loaded.passages.try_emplace(passage.docid, passage);
    if (is_new) continue;
    if (known->second.text != passage.text || known->second.title != passage.title) {
      return Error{Errc::kMalformed,
                   fmt::format("expected each document once, found \"{}\" again with other text",
                               passage.docid.str()),
                   corpus.where()};
    }
  }
  loaded.repaired_utf8 = corpus.repaired_utf8();
  return loaded;
}

}  // namespace rr
