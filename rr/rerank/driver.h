#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "rr/base/result.h"
#include "rr/ir/ranking.h"
#include "rr/lm/generator.h"
#include "rr/rerank/answer.h"
#include "rr/rerank/session.h"

namespace rr {

// What orders a topic's candidates.
enum class RerankMethod {
  // The model writes an order of each window.
  kListwise,
  // Each window is ordered by how likely the model finds each identifier at the answer's first
  // place
  // (rerank/labels.h); nothing is written. For prompts of PromptMode::kDirect.
  kFirst,
  // Candidates are looked at one by one and ordered by relevance_score(), which the ranking carries
  // whatever SessionOptions::scores says. For prompts of PromptMode::kPointwise. Of the planner
  // counts which ranks its windows cover.
  kPointwise,
};

struct DriverOptions {
  RerankMethod method = RerankMethod::kListwise;

  // Topics, of kPointwise passages, that are worked on at once; each has one question with the
  // model. Bounds the memory too:
  // a topic costs what its prompts take while it is in flight.
  std::size_t max_in_flight = 16;

  // Finish the first topic before the others start, to learn what one topic takes alone.
  bool first_alone = false;

  // Time for a topic, from its start; not for kPointwise. When it is up, the window that runs is
  // cancelled, and the order that the windows before it left is the result.
  std::optional<std::chrono::milliseconds> deadline = {};

  // Most tokens that a topic's windows write in all, forced ones included; for kListwise. Each
  // window has room for its answer. What is left beyond that is shared evenly by the thoughts of
  // the windows to come, so that what one leaves the others may use.
  std::optional<std::size_t> topic_tokens = {};

  // Tell the generator what is certain of a topic's next prompt while the one before it runs
  // (Generator::expect). Changes no result.
  bool reads_ahead = true;

  AnswerOptions answer = {};
  SessionOptions session = {};
};

struct TopicResult {
  Ranking ranking;
  RerankReport report;
  std::size_t thinking_cut = 0;  // windows whose context left fewer tokens than max_thinking
  double seconds = 0;            // from its start to its last answer, others running beside it
  std::size_t windows_left = 0;  // that did not run because the time was up
};

// What is told while topics run, from the thread that called rerank_all(). Topics are numbered as
// in its argument.
class RerankListener {
 public:
  virtual ~RerankListener() = default;

  // A topic is done. A failure ends the run.
  virtual Status on_topic(std::size_t /*topic*/, const RerankSession& /*session*/,
                          const TopicResult& /*result*/) {
    return ok_status();
  }

  // A window is done; `session` has its record last.
  virtual void on_window(std::size_t /*topic*/, const RerankSession& /*session*/) {}

  // New text of a window's reply; called only where wants_text().
  virtual bool wants_text() const { return false; }
  virtual void on_text(std::size_t /*topic*/, std::string_view /*text*/) {}
};

struct RerankRun {
  std::vector<TopicResult> topics;  // in the order of the requests
  double seconds = 0;               // wall time of the whole
  std::optional<double> alone_s;    // a topic with nothing beside it, where one ran so
};

// Reranks all topics, many at a time and each at its own pace. Results come in the order of the
// requests, whatever order the topics end in, and do not depend on max_in_flight. Where a window
// fails, what still runs is cancelled and the error names the topic and the window; topics that
// were done by then have been told to the listener.
//
// Refused: kFirst and kPointwise where the generator has no text model; a topic whose answers alone
// take more than topic_tokens.
// Requires max_in_flight >= 1, and no deadline with kPointwise. Everything passed in must outlive
// the call.
Result<RerankRun> rerank_all(std::span<const Request> requests, Generator& generator,
                             const WindowPlanner& planner, const PromptBuilder& prompts,
                             const DriverOptions& options, RerankListener& listener);

}  // namespace rr
