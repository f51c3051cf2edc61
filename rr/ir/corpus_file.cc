#include "rr/ir/corpus_file.h"

#include <fmt/core.h>

#include <algorithm>
#include <string_view>
#include <system_error>
#include <utility>

#include "rr/base/utf8.h"
#include "rr/ir/internal/columns.h"
#include "rr/ir/internal/folders.h"
#include "rr/ir/internal/layout.h"
#include "rr/ir/internal/passage_line.h"
#include "rr/ir/internal/passage_record.h"
#include "rr/ir/internal/read_id.h"

namespace rr {
namespace {

namespace fs = std::filesystem;

bool has_passage_lines(const fs::path& path) {
  std::string name = path.filename().string();
  if (name.ends_with(".gz")) name.resize(name.size() - 3);
  return name.ends_with(".jsonl") || name.ends_with(".json") || name.ends_with(".tsv");
}

// All regular files below the folder in the order of their names, without the hidden ones.
Result<std::vector<fs::path>> files_below(const fs::path& folder) {
  std::vector<fs::path> files;
  std::error_code error;
  for (fs::recursive_directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->path().filename().string().starts_with('.')) {
      entry.disable_recursion_pending();
    } else if (entry->is_regular_file(error)) {
      files.push_back(entry->path());
    }
  }
  if (error) return Error{Errc::kRejected, "cannot be read: " + error.message(), folder.string()};
  std::sort(files.begin(), files.end());
  return files;
}

// Takes a Markdown heading off the text's front.
std::string take_heading(std::string& text) {
  if (!text.starts_with("# ")) return "";
  const std::size_t end = std::min(text.find('\n'), text.size());
  std::string heading(trim(std::string_view(text).substr(2, end - 2)));
  text.erase(0, std::min(end + 1, text.size()));
  return heading;
}

}  // namespace

Result<CorpusReader> CorpusReader::open(const fs::path& path) {
  CorpusReader corpus;
  const fs::path file = file_in_folder(path, {"corpus.jsonl"});
  std::error_code ignored;
  if (file == "-" || !fs::is_directory(file, ignored)) {
    corpus.files_ = {file};
  } else {
    RR_TRY_STATUS(corpus.find_files(file));
  }
  if (corpus.is_text_) return corpus;
  RR_TRY(corpus.reader_, LineReader::open(corpus.files_[corpus.next_file_++]));
  return corpus;
}

Status CorpusReader::find_files(const fs::path& folder) {
  folder_ = folder;
  RR_TRY(files_, files_below(folder));
  if (files_.empty()) {
    return Error{Errc::kNotFound,
                 "expected corpus.jsonl, other .jsonl or .tsv files or text files, "
                 "found none",
                 folder.string()};
  }
  is_text_ = std::none_of(files_.begin(), files_.end(), has_passage_lines);
  if (is_text_) return ok_status();
  const auto others = std::stable_partition(files_.begin(), files_.end(), has_passage_lines);
  for (auto other = others; other != files_.end(); ++other) {
    left_out_.push_back(other->lexically_relative(folder).string());
  }
  files_.erase(others, files_.end());
  return ok_status();
}

std::string CorpusReader::where() const {
  if (!is_text_) return reader_->where();
  return (next_file_ == 0 ? folder_ : files_[next_file_ - 1]).string();
}

// The next file without a zero byte.
Result<bool> CorpusReader::next_text_file(Passage& passage) {
  while (next_file_ < files_.size()) {
    const fs::path& file = files_[next_file_++];
    std::error_code error;
    if (fs::file_size(file, error) > LineReader::kMaxLineBytes && !error) {
      return Error{Errc::kRejected,
                   fmt::format("expected text files of up to {} bytes, found {}; divide it",
                               LineReader::kMaxLineBytes, fs::file_size(file, error)),
                   file.string()};
    }
    RR_TRY(const std::string bytes, read_file(file));
    std::string name = file.lexically_relative(folder_).string();
    if (bytes.find('\0') != std::string::npos) {
      left_out_.push_back(std::move(name));
      continue;
    }
    if (!is_valid_utf8(name)) {
      return Error{Errc::kMalformed, "expected a file name in UTF-8, which is the docid; rename it",
                   file.string()};
    }
    RepairedUtf8 text = repair_utf8(without_byte_order_marks(bytes));
    repaired_utf8_ += text.replaced;
    std::string title = take_heading(text.text);
    passage = {Docid(std::move(name)), std::move(title), std::move(text.text)};
    return true;
  }
  return false;
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
  if (std::optional<PassageLine> plain = parse_plain_passage(line_)) {
    unread_fields_ += plain->unread_fields;
    return std::move(plain->passage);
  }
  const std::string place = where();
  std::size_t repaired = 0;
  RR_TRY(const Json record, parse_record(line_, place, repaired));
  repaired_utf8_ += repaired;
  RR_TRY(std::string docid, read_json_id(record, kDocidKeys, "docid", repaired, place));
  RR_TRY(Passage passage, passage_text_of(record, place));
  passage.docid = Docid(std::move(docid));
  unread_fields_ += count_unread_fields(record);
  return passage;
}

Result<bool> CorpusReader::next(Passage& passage) {
  if (is_text_) return next_text_file(passage);
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
