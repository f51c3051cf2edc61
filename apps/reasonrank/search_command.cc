#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "apps/reasonrank/commands.h"
#include "apps/reasonrank/first_stage.h"
#include "apps/reasonrank/rerank_report.h"
#include "apps/reasonrank/terminal.h"
#include "rr/base/atomic_file.h"
#include "rr/base/clock.h"
#include "rr/base/progress.h"
#include "rr/base/utf8.h"
#include "rr/bm25/searcher.h"
#include "rr/ir/run_file.h"
#include "rr/ir/topics_file.h"

namespace rr {
namespace {

constexpr const char* kExamples =
    R"(Scores are Lucene's and Anserini's BM25, to the digit; equal ones are ordered by docid. In a run
they are rounded as Anserini rounds them, ties lowered by 0.000001 a document.

Examples:
  reasonrank search idx -q "why is the sky blue"
  reasonrank search idx --topics queries.jsonl -k 100 -o bm25.trec
  reasonrank search idx --topics bright.jsonl --bm25q -o bm25q.trec)";

struct SearchCommandOptions {
  std::string index;
  std::string query;
  std::string topics;
  std::string output;  // empty: standard output
  std::string tag = "bm25";
  std::size_t num_threads = 1;
  FirstStageOptions first_stage;
};

constexpr std::size_t kQueryDepth = 10;
constexpr std::size_t kTopicsDepth = 1000;

std::size_t depth_of(const SearchCommandOptions& options) {
  if (options.first_stage.k > 0) return options.first_stage.k;
  return options.topics.empty() ? kQueryDepth : kTopicsDepth;
}

Status search_query(const SearchCommandOptions& options, const Searcher& searcher) {
  const Topic topic{Qid("1"), repair_utf8(options.query).text, {}};
  RR_TRY(const SearchResult result, searcher.search(topic, depth_of(options)));
  if (const std::string why = why_nothing_found(result); !why.empty()) {
    fmt::print(stderr, "reasonrank: nothing found: {}\n", why);
    return ok_status();
  }
  if (!options.output.empty()) {
    return write_file(options.output,
                      format_ranking(ranking_of(searcher.index(), topic, result), options.tag));
  }
  RR_TRY(const Request request, searcher.request_of(topic, result));
  Ranking ranking{topic.qid, {}};
  for (std::size_t i = 0; i < request.candidates.size(); ++i) {
    ranking.docs.push_back({request.candidates[i].docid, request.scores[i]});
  }
  if (::isatty(STDOUT_FILENO) != 1) return write_to_stdout(format_tsv(request, ranking));
  return write_to_stdout(format_table(request, ranking, ranking.docs.size(), terminal_width()));
}

// A run that many threads write: each ranking stands behind those of the topics before it.
class RunWriter {
 public:
  // An empty path: standard output.
  static Result<RunWriter> create(const std::string& path) {
    if (path.empty()) return RunWriter(std::nullopt);
    RR_TRY(AtomicFile file, AtomicFile::create(path));
    return RunWriter(std::move(file));
  }

  // Each topic comes once; not for several threads at once.
  Status add(std::size_t topic, std::string lines) {
    waiting_.emplace(topic, std::move(lines));
    for (auto it = waiting_.begin(); it != waiting_.end() && it->first == num_written_;
         it = waiting_.erase(it), ++num_written_) {
      RR_TRY_STATUS(file_ ? file_->write(it->second) : write_to_stdout(it->second));
    }
    return ok_status();
  }

  Status commit() { return file_ ? file_->commit() : ok_status(); }

 private:
  explicit RunWriter(std::optional<AtomicFile> file) : file_(std::move(file)) {}

  std::optional<AtomicFile> file_;
  std::map<std::size_t, std::string> waiting_;  // few: the topics that threads are at
  std::size_t num_written_ = 0;
};

Status search_topics(const SearchCommandOptions& options, const Searcher& searcher) {
  RR_TRY(const ReadTopics read, read_topics(options.topics));
  const std::vector<Topic>& topics = read.topics;
  if (topics.empty()) {
    return Error{Errc::kMalformed, "expected at least one topic, found none", options.topics};
  }
  const Clock::time_point start = Clock::now();
  RR_TRY(RunWriter run, RunWriter::create(options.output));
  std::vector<std::string> reasons(topics.size());
  Progress progress("searching", topics.size(), "topics");
  std::mutex mutex;  // guards the run and what follows
  std::size_t num_done = 0;
  RR_TRY_STATUS(search_each(
      searcher, topics, depth_of(options), options.first_stage.exclude_own, options.num_threads,
      [&](std::size_t i, const SearchResult& result) -> Status {
        reasons[i] = why_nothing_found(result);
        std::string lines =
            format_ranking(ranking_of(searcher.index(), topics[i], result), options.tag);
        const std::lock_guard lock(mutex);
        progress.update(++num_done);
        return run.add(i, std::move(lines));
      }));
  progress.clear();
  RR_TRY_STATUS(run.commit());
  const double elapsed = seconds_since(start);
  for (const std::string& note : notes_on_empty(topics, reasons)) {
    fmt::print(stderr, "reasonrank: {}\n", note);
  }
  if (read.repaired_utf8 > 0) {
    fmt::print(stderr, "reasonrank: {}: {} ill-formed UTF-8 sequences replaced by U+FFFD\n",
               options.topics, read.repaired_utf8);
  }
  fmt::print(stderr, "reasonrank: {} topics searched and written in {:.3f} s, {:.0f} a second\n",
             topics.size(), elapsed, static_cast<double>(topics.size()) / std::max(elapsed, 1e-9));
  return ok_status();
}

Status run(const SearchCommandOptions& options) {
  RR_TRY(const Index index, Index::open(options.index));
  const Searcher searcher(index, options.first_stage.bm25);
  return options.topics.empty() ? search_query(options, searcher)
                                : search_topics(options, searcher);
}

void add_input_options(CLI::App& command, SearchCommandOptions& options) {
  command.add_option("index", options.index, "An index made by `reasonrank index`")
      ->required()
      ->type_name("INDEX");
  CLI::Option_group* input = command.add_option_group("query");
  input->add_option("-q,--query", options.query, "One question")->type_name("TEXT");
  input->add_option("--topics", options.topics, "Topics: JSON lines, TSV or a BEIR folder")
      ->type_name("FILE");
  input->require_option(1);
  command.add_option("-o,--output", options.output, "Write a TREC run to this file")
      ->type_name("FILE");
  command.add_option("--tag", options.tag, "The run's name, its sixth column")
      ->type_name("NAME")
      ->capture_default_str();
  command.add_option("--threads", options.num_threads, "Threads; the result is the same")
      ->check(CLI::Range(1, 1024))
      ->type_name("N")
      ->capture_default_str();
}

}  // namespace

void add_search_command(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("search", "Find the best passages of an index by BM25");
  const auto options = std::make_shared<SearchCommandOptions>();
  options->num_threads = std::max(1U, std::thread::hardware_concurrency());
  add_input_options(*command, *options);
  add_first_stage_options(*command, options->first_stage,
                          "Passages a topic; without it 10 for -q and 1000 for --topics");
  command->footer(kExamples);
  command->callback([options, &exit_code] {
    const Status status = run(*options);
    exit_code = status.ok() ? kExitOk : report_failure(status.error());
  });
}

}  // namespace rr
