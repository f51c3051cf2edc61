#include "apps/reasonrank/first_stage.h"

#include <fmt/core.h>

#include "rr/ir/id_spelling.h"

namespace rr {

void add_first_stage_options(CLI::App& command, FirstStageOptions& options,
                             const std::string& k_help, const std::string& group) {
  command.add_option("-k", options.k, k_help)
      ->check(CLI::Range(1, 10'000'000))
      ->type_name("N")
      ->group(group);
  command.add_option("--k1", options.bm25.k1, "BM25: how slowly repeated words saturate")
      ->check(CLI::Range(0.0, 1000.0))
      ->type_name("X")
      ->default_str("0.9")
      ->group(group);
  command.add_option("--b", options.bm25.b, "BM25: how much long passages are discounted")
      ->check(CLI::Range(0.0, 1.0))
      ->type_name("X")
      ->default_str("0.4")
      ->group(group);
  command
      .add_flag("--bm25q", options.bm25.query_side,
                "Weight the query's words by BM25 too: for queries of many words")
      ->group(group);
  command
      .add_flag("--exclude-own", options.exclude_own,
                "Leave out the passage whose docid is the topic's qid (ArguAna)")
      ->group(group);
}

std::string description_of(const FirstStageOptions& options) {
  return fmt::format("bm25 k1={} b={} k={}{}{}", options.bm25.k1, options.bm25.b, options.k,
                     options.bm25.query_side ? " bm25q" : "",
                     options.exclude_own ? " exclude-own" : "");
}

std::vector<std::string> notes_on_empty(const std::vector<Topic>& topics,
                                        const std::vector<std::string>& reasons) {
  constexpr std::size_t kMostNamed = 5;
  std::vector<std::string> notes;
  std::size_t num_empty = 0;
  for (std::size_t i = 0; i < topics.size(); ++i) {
    if (reasons[i].empty() || ++num_empty > kMostNamed) continue;
    notes.push_back(
        fmt::format("topic {}: nothing found: {}", spell_id(topics[i].qid.str()), reasons[i]));
  }
  if (num_empty > 0) {
    notes.push_back(fmt::format("{} of {} topics found nothing and {} not in the run", num_empty,
                                topics.size(), num_empty == 1 ? "is" : "are"));
  }
  return notes;
}

}  // namespace rr
