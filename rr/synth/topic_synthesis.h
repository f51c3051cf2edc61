#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "rr/base/json.h"
#include "rr/ir/qrels.h"
#include "rr/lm/generator.h"
#include "rr/lm/message.h"
#include "rr/rerank/prompt.h"
#include "rr/rerank/prompt_template.h"
#include "rr/synth/candidates.h"
#include "rr/synth/sample.h"
#include "rr/synth/source_topic.h"
#include "rr/synth/training_list.h"

namespace rr {

// What a teacher is asked, in this order.
enum class SynthesisStep {
  kPositives,      // which passages help, with the gold answer at hand
  kHardNegatives,  // which of the searched passages only look as if they did (complex QA)
  kRanking,        // an order of the list, without the answer
  kJudgement,      // the same, asked of the second teacher
};
const char* step_name(SynthesisStep step);  // "positives", "hard_negatives", "ranking", "judgement"

// Writes what a teacher is asked (prompts/teacher-*). The gold answer has a place in selections
// only; ranking() does not get it.
class TeacherPrompts {
 public:
  // cut, repair: of passages, as in reranking.
  TeacherPrompts(Domain domain, PassageCut cut, TextRepair repair = published_repair());

  std::string prepare_query(std::string_view query) const { return texts_.prepare_query(query); }
  std::string prepare_passage(const Passage& passage) const {
    return texts_.prepare_passage(passage).text;
  }

  // Arguments prepared. selection(): requires kPositives, or kHardNegatives of complex QA.
  Messages selection(SynthesisStep step, std::string_view query, std::string_view answer,
                     std::span<const std::string_view> passages) const;
  Messages ranking(std::string_view query, std::span<const std::string_view> passages) const;

  // The templates that the domain uses, by name.
  std::vector<std::string> template_names() const;

 private:
  Domain domain_;
  PromptBuilder texts_;
  std::vector<PromptTemplate> selections_;  // by SynthesisStep
  PromptTemplate ranking_;
};

// Whether the domain's labels come from the teacher; the others' come with the topics (web).
bool teacher_labels(Domain domain);

struct SynthesisOptions {
  Domain domain = Domain::kComplexQa;
  CandidateOptions candidates = {};
  ListOptions list = {};
  std::size_t selection_size = 20;  // passages in one selection, >= 1
  std::uint64_t seed = 0;

  // How many tokens a conversation may take, so that the reply has room. Selections are made in
  // batches that fit; a topic of which one prompt cannot fit is dropped. Empty: no limit is known.
  std::function<bool(const Messages& messages)> fits = {};

  // Beyond the paper.
  std::size_t rankings = 1;         // of different shuffles, >= 1; more give scores.agreement
  bool judge = false;               // a second teacher ranks the list too
  std::size_t max_chain_words = 0;  // a longer chain drops the topic; 0: any length

  // Dollars a million tokens; 0 where there is no price.
  double prompt_price = 0;
  double completion_price = 0;

  Json provenance = Json::object();  // what is said of every sample: teacher, seed, ...
};

enum class DropReason {
  kNoCandidates,         // no passages
  kNoPositive,           // none was picked, or none of the labels is in the list
  kNoNegative,           // all are positive
  kUnreadableSelection,  // a selection that is neither identifiers nor "None"
  kIncompleteRanking,    // the order does not name every passage
  kLongChain,
  kTooLong,  // a prompt does not fit into the teacher's context
};
const char* drop_reason_name(DropReason reason);  // "no_candidates", "no_positive", ...

// One question as it went.
struct StepRecord {
  SynthesisStep step;
  std::size_t index = 0;  // which batch of a selection, which ranking
  std::vector<Docid> shown;
  std::string reply;
  std::vector<Docid> read;        // picked, or in their order
  Json trouble = Json::object();  // what was off the format: counts, and "unreadable": true
  std::size_t prompt_tokens = 0;
  std::size_t completion_tokens = 0;
  double seconds = 0;  // prefill and decoding
};

// What became of a topic.
struct TopicOutcome {
  std::optional<Sample> sample;
  std::optional<DropReason> dropped;  // exactly one of the two
  std::size_t candidates = 0;
  std::size_t positives = 0;
  std::size_t negatives = 0;  // hard ones included
};

// One topic on its way to a sample: candidates, selections by the teacher, a list, rankings of it.
// Does no I/O: it says what to ask and takes the reply.
class TopicSynthesis {
 public:
  // labels: of kWeb, what is relevant; of the others not looked at. `topic` and `prompts` must
  // outlive the object.
  TopicSynthesis(const SourceTopic& topic, const CandidateInputs& inputs, const TopicQrels& labels,
                 const TeacherPrompts& prompts, const SynthesisOptions& options);

  struct Question {
    SynthesisStep step;
    std::size_t index;
    std::size_t num_passages;
    Messages messages;
  };
  // What to ask next; nullopt once the topic is done.
  std::optional<Question> next() const;

  // The reply to next(). Requires that there is one.
  void accept(const Completion& completion);

  const SourceTopic& topic() const { return *topic_; }
  const std::vector<StepRecord>& steps() const { return steps_; }

  // Requires that next() is nullopt.
  TopicOutcome outcome() const;

 private:
  struct Pending {
    SynthesisStep step;
    std::size_t index;
    std::vector<std::size_t> shown;  // passages by number
  };
  struct RankingReply {
    std::vector<std::size_t> shown;
    std::vector<std::size_t> order;  // passages by number, best first
    std::string thoughts;
  };

  Messages messages_of(const Pending& pending) const;
  bool fits(const Pending& pending) const;
  void drop(DropReason reason);
  void select(SynthesisStep step, const std::vector<std::size_t>& pool);
  void label_by(const TopicQrels& labels);
  void go_on();
  void make_list();
  void accept_selection(const Pending& pending, StepRecord& record);
  void accept_ranking(const Pending& pending, StepRecord& record);
  std::vector<Docid> docids_of(const std::vector<std::size_t>& numbers) const;
  Json repairs() const;
  Json scores(const TopicQrels& labels) const;
  Json provenance() const;
  Sample make_sample() const;

  const SourceTopic* topic_;
  const TeacherPrompts* prompts_;
  SynthesisOptions options_;
  std::vector<Passage> passages_;
  std::vector<std::string> texts_;  // as prompts hold them
  std::string query_;
  std::string answer_;
  std::vector<std::size_t> linked_;  // by number
  std::vector<std::size_t> retrieved_;

  LabelledPassages labelled_;
  std::vector<bool> is_positive_;  // by number
  bool hard_negatives_asked_ = false;
  bool listed_ = false;
  std::vector<std::size_t> list_;  // as the teacher sees it first
  std::vector<RankingReply> rankings_;
  std::optional<RankingReply> judgement_;

  std::deque<Pending> pending_;
  std::vector<StepRecord> steps_;
  std::optional<DropReason> dropped_;
};

}  // namespace rr
