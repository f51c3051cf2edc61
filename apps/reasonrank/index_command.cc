#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>

#include "apps/reasonrank/commands.h"
#include "rr/base/progress.h"
#include "rr/bm25/index_builder.h"

namespace rr {
namespace {

constexpr const char* kExamples =
    R"(CORPUS: JSON lines with "_id", "text" and "title" (BEIR, Pyserini), TSV (docid<tab>text), a
folder of such files, plain or gzip; - for standard input. Title and text are searched as one text,
by English rules (Lucene's EnglishAnalyzer with Porter's stemmer).

The index appears whole or not at all; an old one in its place stays until then.

Examples:
  reasonrank index corpus.jsonl -o idx
  zcat passages*.tsv.gz | reasonrank index - -o idx --memory 4G)";

struct IndexCommandOptions {
  std::string corpus;
  std::string output;
  IndexOptions build;
};

std::string size_text(std::uint64_t bytes) {
  const auto value = static_cast<double>(bytes);
  if (bytes >= 1'000'000'000) return fmt::format("{:.1f} GB", value / 1e9);
  if (bytes >= 1'000'000) return fmt::format("{:.1f} MB", value / 1e6);
  return fmt::format("{:.1f} kB", value / 1e3);
}

void report(const IndexCommandOptions& options, const IndexReport& done, double seconds) {
  const IndexStatistics& statistics = done.statistics;
  fmt::print(stderr, "reasonrank: {}: {} passages, {} terms ({} different), {} in {:.1f} s\n",
             options.output, statistics.num_documents, statistics.total_terms, statistics.num_terms,
             size_text(done.index_bytes), seconds);
  const std::uint64_t num_empty = statistics.num_documents - statistics.num_nonempty;
  if (num_empty > 0) {
    fmt::print(stderr, "reasonrank: {} of the passages {} no term and can never be found\n",
               num_empty, num_empty == 1 ? "has" : "have");
  }
  if (done.repaired_utf8 > 0) {
    fmt::print(stderr, "reasonrank: {} ill-formed UTF-8 sequence{} replaced by U+FFFD\n",
               done.repaired_utf8, done.repaired_utf8 == 1 ? "" : "s");
  }
}

Status run(const IndexCommandOptions& options) {
  const auto start = std::chrono::steady_clock::now();
  Progress progress("indexing", 0, "passages");
  RR_TRY(const IndexReport done,
         build_index(options.corpus, options.output, options.build,
                     [&progress](std::uint64_t count) { progress.update(count); }));
  progress.clear();
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  report(options, done, elapsed.count());
  return ok_status();
}

}  // namespace

void add_index_command(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("index", "Make a BM25 index of a corpus");
  const auto options = std::make_shared<IndexCommandOptions>();
  options->build.num_threads = std::max(1U, std::thread::hardware_concurrency());
  command->add_option("corpus", options->corpus, "Passages: a file, a folder or -")
      ->required()
      ->type_name("CORPUS");
  command->add_option("-o,--output", options->output, "The index's folder")
      ->required()
      ->type_name("FOLDER");
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
    const Status status = run(*options);
    exit_code = status.ok() ? kExitOk : report_failure(status.error());
  });
}

}  // namespace rr
