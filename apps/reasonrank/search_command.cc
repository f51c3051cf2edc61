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
#include "apps/reasonrank/rerank_report.h"
#include "rr/base/atomic_file.h"
#include "rr/base/progress.h"
#include "rr/base/utf8.h"
#include "rr/bm25/searcher.h"
#include "rr/ir/id_spelling.h"
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
  std::size_t k = 0;  // 0: 10 for one query, 1000 for topics
  std::size_t num_threads = 1;
  bool exclude_own = false;
  Bm25Options bm25;
};

constexpr std::size_t kQueryDepth = 10;
constexpr std::size_t kTopicsDepth = 1000;

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

// Why a query found nothing; empty where it did.
std::string why_empty(const SearchResult& result) {
  if (!result.hits.empty()) return "";
  if (result.num_terms == 0) return "the query has only stop words or no words";
  if (result.unknown_terms == result.num_terms) return "no passage has a word of the query";
  return "every passage found is excluded";
}

Status search_query(const SearchCommandOptions& options, const Searcher& searcher) {
  const Topic topic{Qid("1"), repair_utf8(options.query).text, {}};
  RR_TRY(const SearchResult result,
         searcher.search(topic, options.k == 0 ? kQueryDepth : options.k));
  if (const std::string why = why_empty(result); !why.empty()) {
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

// The first few of the topics that found nothing, each with the reason.
void report_empty(const std::vector<Topic>& topics, const std::vector<SearchResult>& results) {
  constexpr std::size_t kMostNamed = 5;
  std::size_t num_empty = 0;
  for (std::size_t i = 0; i < topics.size(); ++i) {
    const std::string why = why_empty(results[i]);
    if (why.empty() || ++num_empty > kMostNamed) continue;
    fmt::print(stderr, "reasonrank: topic {}: nothing found: {}\n", spell_id(topics[i].qid.str()),
               why);
  }
  if (num_empty == 0) return;
  fmt::print(stderr, "reasonrank: {} of {} topics found nothing and {} not in the run\n", num_empty,
             topics.size(), num_empty == 1 ? "is" : "are");
}

std::string format_run(const SearchCommandOptions& options, const Index& index,
                       const std::vector<Topic>& topics, const std::vector<SearchResult>& results) {
  std::string text;
  for (std::size_t i = 0; i < topics.size(); ++i) {
    text += format_ranking(ranking_of(index, topics[i], results[i]), options.tag);
  }
  return text;
}

Status search_topics(const SearchCommandOptions& options, const Searcher& searcher) {
  RR_TRY(const ReadTopics read, read_topics(options.topics));
  if (read.topics.empty()) {
    return Error{Errc::kMalformed, "expected at least one topic, found none", options.topics};
  }
  const auto start = std::chrono::steady_clock::now();
  Progress progress("searching", read.topics.size(), "topics");
  RR_TRY(const std::vector<SearchResult> results,
         search_all(searcher, read.topics, options.k == 0 ? kTopicsDepth : options.k,
                    options.exclude_own, options.num_threads,
                    [&progress](std::size_t done) { progress.update(done); }));
  progress.clear();
  const std::chrono::duration<double> elapsed = std::chrono::steady_clock::now() - start;
  const std::string run = format_run(options, searcher.index(), read.topics, results);
  RR_TRY_STATUS(options.output.empty() ? write_to_stdout(run) : write_file(options.output, run));
  report_empty(read.topics, results);
  if (read.repaired_utf8 > 0) {
    fmt::print(stderr, "reasonrank: {}: {} ill-formed UTF-8 sequences replaced by U+FFFD\n",
               options.topics, read.repaired_utf8);
  }
  fmt::print(stderr, "reasonrank: {} topics searched in {:.3f} s, {:.0f} a second\n",
             read.topics.size(), elapsed.count(),
             static_cast<double>(read.topics.size()) / std::max(elapsed.count(), 1e-9));
  return ok_status();
}

Status run(const SearchCommandOptions& options) {
  RR_TRY(const Index index, Index::open(options.index));
  const Searcher searcher(index, options.bm25);
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
}

void add_model_options(CLI::App& command, SearchCommandOptions& options) {
  command
      .add_option("-k", options.k, "Passages a topic; without it 10 for -q and 1000 for --topics")
      ->check(CLI::Range(1, 10'000'000))
      ->type_name("N");
  command.add_option("--k1", options.bm25.k1, "BM25: how slowly repeated words saturate")
      ->check(CLI::Range(0.0, 1000.0))
      ->type_name("X")
      ->default_str("0.9");
  command.add_option("--b", options.bm25.b, "BM25: how much long passages are discounted")
      ->check(CLI::Range(0.0, 1.0))
      ->type_name("X")
      ->default_str("0.4");
  command.add_flag("--bm25q", options.bm25.query_side,
                   "Weight the query's words by BM25 too: for queries of many words");
  command.add_flag("--exclude-own", options.exclude_own,
                   "Leave out the passage whose docid is the topic's qid (ArguAna)");
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
  add_model_options(*command, *options);
  command->footer(kExamples);
  command->callback([options, &exit_code] {
    const Status status = run(*options);
    exit_code = status.ok() ? kExitOk : report_failure(status.error());
  });
}

}  // namespace rr
