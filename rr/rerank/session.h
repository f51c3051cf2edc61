#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "rr/ir/ranking.h"
#include "rr/lm/generator.h"
#include "rr/lm/message.h"
#include "rr/rerank/permutation.h"
#include "rr/rerank/prompt.h"
#include "rr/rerank/scores.h"
#include "rr/rerank/window.h"

namespace rr {

// What a session wants to ask the model.
struct Prompt {
  Messages messages;
  Window window;
  std::size_t index = 0;  // of the window in the session's plan, from 0
};

// One window as it went.
struct WindowRecord {
  Window window;
  std::vector<std::size_t> shown;  // candidates by number, in the order in which the model saw them
  std::string reply;               // all that was written, forced text included
  ParsedPermutation parsed;        // order[i]: position in `shown`
  std::vector<double> choice_logprobs;  // of parsed.order, as JudgedWindow has them; may be empty

  std::size_t prompt_tokens = 0;      // 0 where the backend does not say, as below
  std::size_t cached_tokens = 0;      // of these, known from earlier prompts and not read again
  std::size_t completion_tokens = 0;  // forced ones included
  std::size_t forced_tokens = 0;      // of these, not chosen by the model
  bool budget_spent = false;          // the reasoning ran into its budget
  double queued_s = 0;
  double prefill_s = 0;
  double decode_s = 0;
};

// Sums over windows; of a topic, and of a run.
struct RerankReport {
  std::size_t topics = 0;
  std::size_t windows = 0;

  std::size_t incomplete_answers = 0;  // windows whose answer was no permutation
  std::size_t no_answers = 0;          // of these, without "<answer>"
  std::size_t duplicated = 0;          // identifiers, as in ParsedPermutation
  std::size_t out_of_range = 0;
  std::size_t missing = 0;
  std::size_t digit_like = 0;

  std::size_t passages = 0;      // that stood in a prompt, each once a topic
  std::size_t cut_passages = 0;  // of these, longer than a prompt holds

  std::size_t budgets_spent = 0;     // windows
  std::size_t topics_cut_short = 0;  // whose time was up before their last window
  std::size_t windows_left = 0;      // that these would still have had
  std::size_t ranks_as_scores = 0;   // topics whose choice probabilities are not known: 1/rank

  std::size_t prompt_tokens = 0;
  std::size_t cached_tokens = 0;  // of these, not read again
  std::size_t completion_tokens = 0;
  std::size_t forced_tokens = 0;
  double model_s = 0;  // prefill and decoding, summed over windows: with many topics in flight
                       // more than the time that passed

  RerankReport& operator+=(const RerankReport& other);
};

struct SessionOptions {
  ParserRule parser = ParserRule::kDefault;
  ScoreRule scores = ScoreRule::kDefault;
};

// One topic on its way through its windows. A session does no I/O: it says what to ask the model
// and takes the answer, so that whoever drives it can batch many topics into one call.
class RerankSession {
 public:
  // `request` and `prompts` must outlive the session; passages are prepared (cut) here, those in no
  // window are not looked at.
  RerankSession(const Request& request, const WindowPlanner& planner, const PromptBuilder& prompts,
                const SessionOptions& options = {});

  // What to ask next; nullopt once every window is done.
  std::optional<Prompt> next_prompt() const;

  // What is certain already of the prompt after next_prompt(), whatever the answer to that: both
  // prompts begin with it, and part where it ends. Windows that slide towards the top add passages
  // at their heads that no window has moved yet. nullopt: nothing is certain, or no prompt follows.
  struct Foreseen {
    Messages one;
    Messages other;
  };
  std::optional<Foreseen> foresee() const;

  // The answer to next_prompt(). Requires that there is one.
  void accept(const Completion& completion);

  const Request& request() const { return *request_; }

  // Candidates by number, and as passages, in their present order.
  const std::vector<std::size_t>& order() const { return order_; }
  std::vector<const Passage*> passages() const;

  // The present order with scores as the options say. They agree: no later rank has a higher score;
  // with ScoreRule::kDefault each is lower than the one before, as 32-bit floats too.
  Ranking ranking() const;

  // The windows of the plan, and what became of those done.
  const std::vector<Window>& plan() const { return plan_; }
  const std::vector<WindowRecord>& records() const { return records_; }

  // The query and a candidate's text as prompts hold them; the text is empty for a candidate in no
  // window.
  const std::string& query_text() const { return query_; }
  const PassageText& passage_text(std::size_t candidate) const { return texts_[candidate]; }

  // Of the windows done; passages, cut_passages and topics are of the whole topic, and windows
  // still to come count as left.
  RerankReport report() const;

 private:
  std::vector<std::size_t> shown_in(const Window& window) const;
  std::vector<JudgedWindow> last_pass() const;

  const Request* request_;
  const PromptBuilder* prompts_;
  SessionOptions options_;
  std::vector<Window> plan_;
  std::string query_;
  std::vector<PassageText> texts_;  // by candidate
  std::vector<bool> is_in_window_;  // by candidate's rank at the start
  std::vector<std::size_t> order_;
  std::vector<WindowRecord> records_;
};

// Puts the candidates of ranks [rank_start, rank_end) into a random order that depends on the seed
// and the qid only. The scores stay where they are: rank j keeps the first stage's score of rank j.
void shuffle_candidates(Request& request, std::size_t rank_start, std::size_t rank_end,
                        std::uint64_t seed);

}  // namespace rr
