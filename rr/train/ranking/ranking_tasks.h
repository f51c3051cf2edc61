#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "rr/base/result.h"
#include "rr/lm/generator.h"
#include "rr/nn/learner.h"
#include "rr/ranks/ranks.h"
#include "rr/rerank/driver.h"
#include "rr/rerank/training_data.h"
#include "rr/train/ranking/ranking_loss.h"

namespace rr {

// Where a task's gains come from.
enum class RankingTarget {
  kGrades,  // the grades of its passages; below 0: 0
  kOrder,   // the teacher's order: 1/rank
};

struct RankingTaskOptions {
  RerankMethod method = RerankMethod::kPointwise;  // or kFirst
  RankingTarget target = RankingTarget::kGrades;
  std::size_t passage_tokens = 512;  // of a passage, as in `rerank --passage-tokens`
  std::size_t max_prompt_tokens = 0;
};

// A list as a learner reads it. What a rerank method would ask is in it: the score of passage i, as
// the method has it, is the sum of sign * log p(target) over the targets of passage i.
struct RankingExample {
  std::vector<TokenIds> texts;  // of the segments
  std::vector<std::size_t> parents;
  std::vector<LearnerTarget> targets;
  struct Part {
    std::size_t passage;
    double sign;
  };
  std::vector<Part> parts;  // one a target

  // A view of this.
  LearnerBatch batch() const;
  std::size_t num_tokens() const;

  // Scores of the passages from the targets' log-probabilities; and back: the derivatives of a loss
  // with respect to these, given those with respect to the scores.
  std::vector<double> scores(std::span<const float> logprobs, std::size_t num_passages) const;
  std::vector<float> slopes(std::span<const double> of_scores) const;
};

// Lists with passages of which some should stand before others, for a model to learn to score.
class RankingTasks {
 public:
  // Reads ranking_tasks.jsonl (docs/formats/training-data.md). Left out and counted: tasks whose
  // gains are all the same (a single passage too), or of which a prompt is longer than
  // max_prompt_tokens. Refused: what the format refuses, a relevant passage that is not in the
  // list, a file of which nothing is left, a model without a chat template. What `model` points to
  // must outlive the tasks.
  static Result<RankingTasks> read(const std::filesystem::path& path, const TextModel& model,
                                   const RankingTaskOptions& options);

  std::size_t size() const { return tasks_.size(); }
  const RankingTask& task(std::size_t i) const { return tasks_[i].task; }

  // Of the passages of task(i), in the order of its list.
  std::span<const double> gains(std::size_t i) const { return tasks_[i].gains; }

  // The task as an example: for kFirst, passages stand in an order that the seed chooses (0: that
  // of the list). Passages are numbered as in the list all the same.
  Result<RankingExample> example(std::size_t i, std::uint64_t seed) const;

  std::size_t num_read() const { return num_read_; }
  std::size_t num_equal() const { return num_equal_; }
  std::size_t num_long() const { return num_long_; }
  std::size_t longest_example() const { return longest_example_; }  // tokens
  const std::string& sha256() const { return sha256_; }             // of the file's bytes

 private:
  struct Item {
    RankingTask task;
    std::vector<double> gains;
  };

  RankingTasks(const TextModel& model, const RankingTaskOptions& options);
  Result<RankingExample> pointwise_example(const RankingTask& task) const;
  Result<RankingExample> first_example(const RankingTask& task,
                                       std::span<const std::size_t> shown) const;

  TextModel model_;
  RankingTaskOptions options_;
  std::shared_ptr<const PromptBuilder> prompts_;
  std::vector<Item> tasks_;
  std::size_t num_read_ = 0;
  std::size_t num_equal_ = 0;
  std::size_t num_long_ = 0;
  std::size_t longest_example_ = 0;
  std::string sha256_;
};

// Mean nDCG@10 of the tasks' passages ordered by the learner's scores, by their grades. The second
// number is the same of the lists as they stand. The ranks share the tasks.
struct RankingAccuracy {
  double ndcg = 0;
  double ndcg_of_lists = 0;
};
Result<RankingAccuracy> measure_accuracy(Learner& learner, const RankingTasks& tasks, Ranks& ranks);

}  // namespace rr
