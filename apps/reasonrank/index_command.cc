#include <fmt/core.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>

#include "apps/reasonrank/commands.h"
#include "rr/base/clock.h"
#include "rr/base/progress.h"
#include "rr/bm25/index_builder.h"

namespace rr {
namespace {

constexpr const char* kExamples =
    R"(CORPUS: JSON lines with "_id", "text" and "title" (BEIR, Pyserini, BRIGHT), TSV (docid<tab>text),
plain or gzip; a folder of such files or of text files, each a passage; - for standard input. Title
and text are searched as one text, by English rules (Lucene's EnglishAnalyzer with Porter's stemmer).

The index appears whole or not at all; an old one in its place stays until then. --add puts further
passages behind those of an index, as a segment of their own: searches find what they would find in
an index made in one go. --merge makes one segment of many, which is a little faster to search.

Examples:
  reasonrank index corpus.jsonl -o idx
  reasonrank index notes/ -o idx
  reasonrank index more.jsonl -o idx --add
  reasonrank index -o idx --merge
  zcat passages*.tsv.gz | reasonrank index - -o idx --memory 4G)";

struct IndexCommandOptions {
  std::string corpus;
  std::string output;
  bool add = false;
  bool merge = false;
  IndexOptions build;
};

std::string size_text(std::uint64_t bytes) {
  const auto value = static_cast<double>(bytes);
  if (bytes >= 1'000'000'000) return fmt::format("{:.1f} GB", value / 1e9);
  if (bytes >= 1'000'000) return fmt::format("{:.1f} MB", value / 1e6);
  return fmt::format("{:.1f} kB", value / 1e3);
}

// The first few of the files that gave no passages.
void report_left_out(const std::vector<std::string>& files) {
  constexpr std::size_t kMostNamed = 5;
  if (files.empty()) return;
  const std::size_t named = std::min(files.size(), kMostNamed);
  fmt::print(stderr, "reasonrank: {} file{} not read: {}{}\n", files.size(),
             files.size() == 1 ? "" : "s",
             fmt::join(files.begin(), files.begin() + static_cast<std::ptrdiff_t>(named), ", "),
             named < files.size() ? ", ..." : "");
}

void report(const IndexCommandOptions& options, const IndexReport& done, double seconds) {
  const IndexStatistics& statistics = done.statistics;
  const std::string added =
      options.add ? fmt::format(" ({} of them new, {} segments)", done.num_added, done.num_segments)
                  : "";
  fmt::print(stderr, "reasonrank: {}: {} passages{}, {} terms ({} different), {} in {:.1f} s\n",
             options.output, statistics.num_documents, added, statistics.total_terms,
             statistics.num_terms, size_text(done.index_bytes), seconds);
  const std::uint64_t num_empty = statistics.num_documents - statistics.num_nonempty;
  if (num_empty > 0) {
    fmt::print(stderr, "reasonrank: {} of the passages {} no term and can never be found\n",
               num_empty, num_empty == 1 ? "has" : "have");
  }
  report_left_out(done.left_out);
  if (done.repaired_utf8 > 0) {
    fmt::print(stderr, "reasonrank: {} ill-formed UTF-8 sequence{} replaced by U+FFFD\n",
               done.repaired_utf8, done.repaired_utf8 == 1 ? "" : "s");
  }
}

Status run(const IndexCommandOptions& options) {
  const Clock::time_point start = Clock::now();
  Progress progress("indexing", 0, "passages");
  const auto show = [&progress](std::uint64_t count) { progress.update(count); };
  IndexReport done;
  if (options.add) {
    RR_TRY(done, add_to_index(options.corpus, options.output, options.build, show));
  } else if (options.merge) {
    RR_TRY(done, merge_index(options.output, options.build, show));
  } else {
    RR_TRY(done, build_index(options.corpus, options.output, options.build, show));
  }
  progress.clear();
  const double elapsed = seconds_since(start);
  report(options, done, elapsed);
  return ok_status();
}

}  // namespace

void add_index_command(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("index", "Make a BM25 index of a corpus");
  const auto options = std::make_shared<IndexCommandOptions>();
  options->build.num_threads = std::max(1U, std::thread::hardware_concurrency());
  CLI::Option* corpus =
      command->add_option("corpus", options->corpus, "Passages: a file, a folder or -")
          ->type_name("CORPUS");
  command->add_option("-o,--output", options->output, "The index's folder")
      ->required()
      ->type_name("FOLDER");
  CLI::Option* add = command->add_flag("--add", options->add, "Add the passages to the index");
  command->add_flag("--merge", options->merge, "Make one segment of the index's; takes no CORPUS")
      ->excludes(corpus)
      ->excludes(add);
  command
      ->add_option("--memory", options->build.memory_bytes,
                   "Memory for postings, such as 512M; beyond it they go to disk and are merged")
      ->transform(CLI::AsSizeValue(false))
      ->type_name("SIZE")
      ->default_str("1G");
  command->add_option("--threads", options->build.num_threads, "Threads")
      ->check(CLI::Range(1, 1024))
      ->type_name("N")
      ->capture_default_str();
  command->footer(kExamples);
  command->callback([options, &exit_code] {
    if (options->corpus.empty() && !options->merge) {
      throw CLI::RequiredError("CORPUS");
    }
    const Status status = run(*options);
    exit_code = status.ok() ? kExitOk : report_failure(status.error());
  });
}

}  // namespace rr
