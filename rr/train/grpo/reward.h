#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "rr/base/json.h"
#include "rr/ir/ids.h"
#include "rr/measures/judged_ranking.h"
#include "rr/rerank/permutation.h"
#include "rr/rerank/training_data.h"

namespace rr {

// What makes an answer right, and how a right one is read.
//
//   kStrict     "[3] > [1] > [2]", white space around ">" free, a permutation of 1..n
//   kPublished  as ReasonRank's code does it: as many numbers as the teacher's order has, and as
//               many distinct ones; whatever stands around them. Identifier 0 is the last passage,
//               larger ones than n are dropped, of a passage named twice the later place counts.
enum class RewardRule { kStrict, kPublished };

// Likeness to the teacher's order (measures/rbo.h).
//
//   kNormalized  rank-biased overlap divided by its greatest value
//   kBounded     the same as the paper writes it: below 1 even for equal orders
//   kAverage     average overlap, as the published code computes it
enum class RewardOverlap { kNormalized, kBounded, kAverage };

struct RewardOptions {
  RewardRule rule = RewardRule::kStrict;

  // kTagged: thoughts and answer in their tags, without which the reward is wrong_form. kWhole: the
  // reply is the answer, of models that do not reason.
  AnswerFormat format = AnswerFormat::kTagged;

  double ndcg_weight = 1;
  double recall_weight = 0.2;
  double overlap_weight = 0.1;
  std::size_t cutoff = 10;  // of nDCG and recall
  RewardOverlap overlap = RewardOverlap::kNormalized;
  double persistence = 0.9;

  bool graded = false;  // nDCG's gains are the grades; else 1 for each relevant passage

  double wrong_form = -1;   // the tags are not there: a reply that was cut off, too
  double wrong_answer = 0;  // they are, but the answer is wrong

  // Off at 0. Subtracted from every reward: for each 1,000 tokens of the reply.
  double cost_per_1000_tokens = 0;

  // Off at 0. Soft overlong punishment (Yu et al., arXiv 2503.14476, eq. 13): of the last so many
  // tokens before the limit each takes its share of 1 off.
  std::size_t overlong_tokens = 0;
};

// RewardOptions as the published code has them.
RewardOptions published_reward();

// The options by the names that --config has (docs/formats/reward.md). Refused: an unknown key, a
// value of another type or outside its range.
Result<RewardOptions> reward_options_from_json(const Json& json, const std::string& where);
Json to_json(const RewardOptions& options);

// The formula in use, in words and numbers, for people.
std::string explain(const RewardOptions& options);

enum class RewardFormat { kWrongForm, kWrongAnswer, kRight };
const char* reward_format_name(RewardFormat format);  // "wrong-form", "wrong-answer", "right"

struct Reward {
  RewardFormat format = RewardFormat::kWrongForm;
  double ndcg = 0;
  double recall = 0;
  double overlap = 0;  // 0 where the task has no teacher's order
  double penalty = 0;  // what length took off, at most 0
  double total = 0;
};

// How long a reply was, for the terms of its length.
struct ReplyLength {
  std::size_t tokens = 0;
  std::size_t limit = 0;  // the most it might have had; 0: unknown
};

// Rewards the replies to one task.
//
//   total = wrong_form                                                where the form is wrong
//         = wrong_answer                                              where the answer is
//         = ndcg_weight nDCG@k + recall_weight R@k + overlap_weight overlap        else
//
// and then the terms of length. nDCG and recall are those of measures/, over the task's passages;
// overlap compares with the teacher's order.
class TaskReward {
 public:
  // Requires options as reward_options_from_json() takes them.
  TaskReward(const RankingTask& task, const RewardOptions& options);

  Reward of(std::string_view reply, const ReplyLength& length = {}) const;

 private:
  // Positions in the list, best first; each once.
  struct Answer {
    std::vector<std::size_t> order;
    std::vector<Docid> identifiers;  // as the reply spells them, for the overlap
  };
  std::optional<Answer> read(std::string_view answer) const;
  std::optional<Answer> read_strictly(std::string_view answer) const;
  std::optional<Answer> read_as_published(std::string_view answer) const;
  double overlap_of(const std::vector<Docid>& identifiers) const;
  double penalty_of(const ReplyLength& length) const;

  RewardOptions options_;
  std::vector<int> grades_;      // of the passages, in the order of the prompt
  std::vector<int> judgements_;  // all grades of the task, highest first
  std::vector<Docid> teacher_;   // identifiers "1".."n", best first; empty: no order
};

}  // namespace rr
