#include "apps/reasonrank/compare_page.h"

#include <fmt/format.h>

#include <optional>
#include <unordered_set>
#include <utility>

#include "rr/base/atomic_file.h"
#include "rr/base/file.h"
#include "rr/base/wording.h"
#include "rr/ir/corpus_file.h"
#include "rr/ir/topics_file.h"
#include "rr/report/comparison_tables.h"
#include "rr/rerank/trace.h"

namespace rr {
namespace {

// `found` of `wanted` things are in the file: says how many are not, and fails where none is.
Status check_found(std::size_t found, std::size_t wanted, const char* things,
                   const std::string& path) {
  if (found == wanted) return ok_status();
  if (found == 0) {
    return Error{Errc::kMalformed,
                 fmt::format("has none of the {} {}; do they belong together?", wanted, things),
                 display_name(path)};
  }
  fmt::print(stderr, "reasonrank: {}: {} of the {} {} are not there\n", display_name(path),
             wanted - found, wanted, things);
  return ok_status();
}

Status add_queries(const std::string& path, ComparisonReport& report) {
  const std::unordered_set<Qid> wanted = shown_topics(report);
  RR_TRY(ReadTopics read, read_topics(path));
  for (Topic& topic : read.topics) {
    if (wanted.contains(topic.qid)) report.queries[topic.qid] = std::move(topic.query);
  }
  return check_found(report.queries.size(), wanted.size(), "topics that the page shows", path);
}

Status add_passages(const std::string& path, ComparisonReport& report) {
  const std::unordered_set<Docid> wanted = shown_documents(report);
  RR_TRY(LoadedPassages loaded, load_passages(path, wanted));
  report.passages = std::move(loaded.passages);
  return check_found(report.passages.size(), wanted.size(), "documents that the page shows", path);
}

RunCost cost_of(const std::vector<TopicTrace>& traces, const std::unordered_set<Qid>& topics) {
  RunCost cost;
  for (const TopicTrace& trace : traces) {
    if (!topics.contains(trace.qid)) continue;
    ++cost.topics;
    cost.seconds += trace.seconds;
    cost.windows += trace.windows.size();
    for (const TraceWindow& window : trace.windows) {
      cost.prompt_tokens += window.prompt_tokens;
      cost.completion_tokens += window.completion_tokens;
    }
  }
  return cost;
}

Status add_cost(const NamedTrace& trace, ComparisonReport& report) {
  RR_TRY(const std::vector<TopicTrace> traces, read_trace(trace.path));
  const std::vector<Qid>& qids = report.comparison.qids;
  const RunCost cost = cost_of(traces, {qids.begin(), qids.end()});
  RR_TRY_STATUS(check_found(cost.topics, qids.size(), "topics that were compared", trace.path));
  report.runs[trace.run].cost = cost;
  return ok_status();
}

// The run that is called so; nullopt: none.
std::optional<std::size_t> run_called(const std::string& name,
                                      const std::vector<std::string>& runs) {
  for (std::size_t i = 0; i < runs.size(); ++i) {
    if (name == runs[i] || name == letter_of(i)) return i;
  }
  return std::nullopt;
}

// At the first '=' before which a run's name stands: paths may hold one too.
std::optional<NamedTrace> parse_trace(const std::string& text,
                                      const std::vector<std::string>& runs) {
  for (std::size_t at = text.find('='); at != std::string::npos; at = text.find('=', at + 1)) {
    const auto run = run_called(text.substr(0, at), runs);
    if (run && at + 1 < text.size()) return NamedTrace{*run, text.substr(at + 1)};
  }
  return std::nullopt;
}

}  // namespace

Result<std::vector<NamedTrace>> parse_traces(const std::vector<std::string>& traces,
                                             const std::vector<std::string>& runs) {
  std::vector<NamedTrace> named;
  std::unordered_set<std::size_t> seen;
  for (const std::string& text : traces) {
    const auto trace = parse_trace(text, runs);
    if (!trace) {
      return Error{
          Errc::kRejected,
          fmt::format("expected RUN=FILE with a run's path or letter (a to {}), found \"{}\"",
                      letter_of(runs.size() - 1), text),
          ""};
    }
    if (!seen.insert(trace->run).second) {
      return Error{Errc::kRejected, fmt::format("two traces of run {}", letter_of(trace->run)), ""};
    }
    named.push_back(*trace);
  }
  return named;
}

Status write_comparison_page(ComparisonReport report, const ComparePageOptions& options) {
  std::vector<std::string> runs;
  for (const ReportedRun& run : report.runs) runs.push_back(run.name);
  RR_TRY(const std::vector<NamedTrace> traces, parse_traces(options.traces, runs));
  for (const NamedTrace& trace : traces) RR_TRY_STATUS(add_cost(trace, report));
  if (!options.topics.empty()) RR_TRY_STATUS(add_queries(options.topics, report));
  if (!options.corpus.empty()) RR_TRY_STATUS(add_passages(options.corpus, report));
  return write_page(comparison_page(report), options.html);
}

}  // namespace rr
