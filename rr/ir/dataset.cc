#include "rr/ir/dataset.h"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <map>
#include <string_view>
#include <system_error>

namespace rr {
namespace {

namespace fs = std::filesystem;

using Files = std::vector<fs::path>;

enum class Kind { kCorpus, kLongCorpus, kTopics, kQrels, kRun, kRequests, kUnread, kOther };

bool begins_with_one_of(std::string_view text, std::initializer_list<const char*> heads) {
  return std::any_of(heads.begin(), heads.end(),
                     [&](const char* head) { return text.starts_with(head); });
}

bool ends_with_one_of(std::string_view text, std::initializer_list<const char*> tails) {
  return std::any_of(tails.begin(), tails.end(),
                     [&](const char* tail) { return text.ends_with(tail); });
}

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return text;
}

// The name in lower case, without ".gz".
std::string plain_name(const fs::path& file) {
  std::string name = lower(file.filename().string());
  if (name.ends_with(".gz")) name.resize(name.size() - 3);
  return name;
}

bool is_lines(std::string_view name) { return ends_with_one_of(name, {".jsonl", ".tsv", ".json"}); }
bool is_text(std::string_view name) {
  return ends_with_one_of(name, {".txt", ".tsv", ".trec", ".qrels", ".run", ".jsonl"}) ||
         name.find('.') == std::string_view::npos;
}

// By the folder inside the data set, "" for its own: what stands in qrels/ is qrels.
Kind kind_by_folder(std::string_view folder, std::string_view name) {
  if (folder.starts_with("qrels") && is_text(name)) return Kind::kQrels;
  if (folder.starts_with("run") && is_text(name)) return Kind::kRun;
  if (folder.starts_with("examples") && is_lines(name)) return Kind::kTopics;
  if (folder == "documents" && is_lines(name)) return Kind::kCorpus;
  if (folder == "long_documents" && is_lines(name)) return Kind::kLongCorpus;
  return Kind::kOther;
}

Kind kind_of(std::string_view folder, std::string_view name) {
  if (ends_with_one_of(name, {".parquet", ".zip", ".tar", ".tgz"})) return Kind::kUnread;
  if (name.starts_with("readme") || name.starts_with("license")) return Kind::kOther;
  if (const Kind kind = kind_by_folder(folder, name); kind != Kind::kOther) return kind;
  if (!folder.empty()) return Kind::kOther;
  if (name.find("qrel") != std::string_view::npos && is_text(name)) return Kind::kQrels;
  if (begins_with_one_of(name, {"run.", "run-", "run_", "runs."}) || name.ends_with(".trec") ||
      name.ends_with(".run")) {
    return is_text(name) ? Kind::kRun : Kind::kOther;
  }
  if (begins_with_one_of(name, {"queries", "query", "test_queries", "topics"})) {
    return is_text(name) ? Kind::kTopics : Kind::kOther;
  }
  if (begins_with_one_of(name, {"corpus", "collection", "msmarco_v2"})) {
    return is_lines(name) ? Kind::kCorpus : Kind::kOther;
  }
  if (begins_with_one_of(name, {"retrieve_results", "requests"}) && is_lines(name)) {
    return Kind::kRequests;
  }
  return Kind::kOther;
}

// "biology" of "biology.original.jsonl.gz" and "biology-00000-of-00001.parquet".
std::string part_of(const fs::path& file) {
  const std::string name = file.filename().string();
  return name.substr(0, name.find_first_of(".-"));
}

Result<Files> files_in(const fs::path& folder) {
  constexpr int kDepth = 2;
  std::error_code error;
  if (!fs::is_directory(folder, error)) {
    return Error{Errc::kNotFound, "expected a folder with a data set, found none", folder.string()};
  }
  Files files;
  fs::recursive_directory_iterator entry(folder, error);
  for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    if (entry.depth() >= kDepth) entry.disable_recursion_pending();
    std::error_code ignored;
    if (entry->is_regular_file(ignored)) files.push_back(entry->path());
  }
  if (error) return Error{Errc::kRejected, "cannot be read: " + error.message(), folder.string()};
  std::sort(files.begin(), files.end());
  return files;
}

void add_to(Dataset& dataset, Kind kind, const fs::path& file) {
  if (kind == Kind::kCorpus) dataset.corpora.push_back(file);
  if (kind == Kind::kLongCorpus) dataset.long_corpora.push_back(file);
  if (kind == Kind::kTopics) dataset.topics.push_back(file);
  if (kind == Kind::kQrels) dataset.qrels.push_back(file);
  if (kind == Kind::kRun) dataset.runs.push_back(file);
  if (kind == Kind::kRequests) dataset.requests.push_back(file);
}

// The first folder of the file inside `root`, in lower case; "" for its own files.
std::string folder_inside(const fs::path& root, const fs::path& file) {
  const fs::path inside = file.lexically_relative(root);
  return inside.has_parent_path() ? lower(inside.begin()->string()) : std::string();
}

std::string layout_of_names(const fs::path& root) {
  std::error_code ignored;
  const auto has = [&](const char* name) {
    return fs::exists(root / name, ignored) ||
           fs::exists(root / (std::string(name) + ".gz"), ignored);
  };
  if (fs::is_directory(root / "examples", ignored)) return "BRIGHT";
  if (!has("corpus.jsonl")) return "TREC";
  if (has("query.jsonl") || has("test_queries.jsonl")) return "R2MED";
  return has("queries.jsonl") ? "BEIR" : "TREC";
}

bool is_data_set(const Dataset& dataset) {
  const int kinds = (dataset.topics.empty() ? 0 : 1) + (dataset.corpora.empty() ? 0 : 1) +
                    (dataset.qrels.empty() ? 0 : 1) + (dataset.runs.empty() ? 0 : 1) +
                    (dataset.requests.empty() ? 0 : 1);
  return kinds >= 2;
}

std::string name_of_folder(const fs::path& folder) {
  const fs::path whole = fs::absolute(folder).lexically_normal();
  return whole.has_filename() ? whole.filename().string() : whole.parent_path().filename().string();
}

}  // namespace

Result<FoundDatasets> find_datasets(const fs::path& folder) {
  RR_TRY(const Files files, files_in(folder));
  FoundDatasets found{layout_of_names(folder), {}, {}, {}};
  const bool has_parts = found.layout == "BRIGHT";
  std::map<std::string, Dataset> datasets;  // by name
  for (const fs::path& file : files) {
    const Kind kind = kind_of(folder_inside(folder, file), plain_name(file));
    if (kind == Kind::kUnread) found.unread.push_back(file);
    if (kind == Kind::kOther) found.other.push_back(file);
    if (kind == Kind::kUnread || kind == Kind::kOther) continue;
    const std::string name = has_parts ? part_of(file) : name_of_folder(folder);
    Dataset& dataset = datasets[name];
    dataset.name = name;
    add_to(dataset, kind, file);
  }
  for (auto& [name, dataset] : datasets) {
    if (has_parts || is_data_set(dataset)) found.datasets.push_back(std::move(dataset));
  }
  if (!found.datasets.empty()) return found;
  return Error{
      Errc::kMalformed,
      fmt::format("expected a data set in the layout of BRIGHT, R2MED, BEIR or TREC, found "
                  "none of them{}",
                  found.unread.empty() ? ""
                                       : "; Parquet files and archives are not read, "
                                         "unpack or export them as JSONL"),
      folder.string()};
}

}  // namespace rr
