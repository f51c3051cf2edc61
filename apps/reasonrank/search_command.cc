#include <fmt/core.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "apps/reasonrank/commands.h"
#include "apps/reasonrank/first_stage.h"
#include "apps/reasonrank/rerank_report.h"
#include "rr/base/atomic_file.h"
#include "rr/base/progress.h"
#include "rr/base/thread_pool.h"
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

std::size_t terminal_width() {
  winsize size{};
  const bool known = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 40;
  return known ? size.ws_col : 100;
}

Status write_to_stdout(const std::string& text) {
  const bool is_written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  if (is_written && std::fflush(stdout) == 0) return ok_status();
  return Error{Errc::kUnavailable, "the result cannot be written; is the disk full?",
               "standard output"};
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

// Each topic's lines.
std::vector<std::string> format_run(const SearchCommandOptions& options, const Index& index,
                                    const std::vector<Topic>& topics,
                                    const std::vector<SearchResult>& results) {
  std::vector<std::string> rankings(topics.size());
  ThreadPool pool(options.num_threads);
  pool.run(topics.size(), [&](std::size_t i) {
    rankings[i] = format_ranking(ranking_of(index, topics[i], results[i]), options.tag);
  });
  return rankings;
}

Status write_run(const SearchCommandOptions& options, const std::vector<std::string>& rankings) {
  if (options.output.empty()) {
    for (const std::string& ranking : rankings) RR_TRY_STATUS(write_to_stdout(ranking));
    return ok_status();
  }
  RR_TRY(AtomicFile file, AtomicFile::create(options.output));
  for (const std::string& ranking : rankings) RR_TRY_STATUS(file.write(ranking));
  return file.commit();
}

Status search_topics(const SearchCommandOptions& options, const Searcher& searcher) {
  RR_TRY(const ReadTopics read, read_topics(options.topics));
  if (read.topics.empty()) {
    return Error{Errc::kMalformed, "expected at least one topic, found none", options.topics};
  }
  const auto start = std::chrono::steady_clock::now();
  Progress progress("searching", read.topics.size(), "topics");
  RR_TRY(const std::vector<SearchResult> results,
         search_all(searcher, read.topics, depth_of(options), options.first_stage.exclude_own,
                    options.num_threads, [&progress](std::size_t done) { progress.update(done); }));
  progress.clear();
  RR_TRY_STATUS(write_run(options, format_run(options, searcher.index(), read.topics, results)));
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  for (const std::string& note : notes_on_empty(read.topics, results)) {
    fmt::print(stderr, "reasonrank: {}\n", note);
  }
  if (read.repaired_utf8 > 0) {
    fmt::print(stderr, "reasonrank: {}: {} ill-formed UTF-8 sequences replaced by U+FFFD\n",
               options.topics, read.repaired_utf8);
  }
  fmt::print(stderr, "reasonrank: {} topics searched and written in {:.3f} s, {:.0f} a second\n",
             read.topics.size(), elapsed.count(),
             static_cast<double>(read.topics.size()) / std::max(elapsed.count(), 1e-9));
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
