#include "rr/train/ranking/ranking_tasks.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <unordered_map>
#include <utility>

#include "rr/base/file.h"
#include "rr/base/random.h"
#include "rr/base/sha256.h"
#include "rr/lm/label_tree.h"
#include "rr/measures/ndcg.h"
#include "rr/rerank/answer.h"
#include "rr/rerank/labels.h"

namespace rr {
namespace {

std::vector<double> gains_of(const RankingTask& task, RankingTarget target) {
  std::vector<double> gains;
  for (const Passage& passage : task.passages) {
    if (target == RankingTarget::kOrder) {
      const auto rank = std::find(task.final_list.begin(), task.final_list.end(), passage.docid);
      const bool is_ranked = rank != task.final_list.end();
      gains.push_back(is_ranked ? 1.0 / static_cast<double>(rank - task.final_list.begin() + 1)
                                : 0.0);
      continue;
    }
    const auto grade = task.grades.find(passage.docid);
    gains.push_back(grade == task.grades.end() ? 0.0 : std::max(0.0, double{1} * grade->second));
  }
  return gains;
}

bool are_equal(const std::vector<double>& gains) {
  return std::all_of(gains.begin(), gains.end(),
                     [&gains](double gain) { return gain == gains.front(); });
}

PromptMode mode_of(RerankMethod method) {
  return method == RerankMethod::kFirst ? PromptMode::kDirect : PromptMode::kPointwise;
}

// Builds an example segment by segment.
class ExampleBuilder {
 public:
  // Its number.
  std::size_t add_segment(TokenIds ids, std::size_t parent) {
    example_.texts.push_back(std::move(ids));
    example_.parents.push_back(parent);
    return example_.texts.size() - 1;
  }

  // Behind the prompt in segment `prompt`: the log-probability of each label counts, with its sign,
  // for the passage of the same place.
  void add_labels(std::size_t prompt, const LabelTree& tree, std::span<const std::size_t> passages,
                  std::span<const double> signs) {
    std::vector<std::vector<LearnerTarget>> branches;
    for (const LabelTree::Fork& fork : tree.forks()) {
      const std::size_t at = fork.path.empty() ? prompt : add_segment(fork.path, prompt);
      std::vector<LearnerTarget>& targets = branches.emplace_back();
      for (const TokenId token : fork.branches) targets.push_back({add_segment({token}, at), 0});
    }
    for (std::size_t label = 0; label < tree.num_labels(); ++label) {
      for (const LabelTree::Step& step : tree.steps(label)) {
        example_.targets.push_back(branches[step.fork][step.branch]);
        example_.parts.push_back({passages[label], signs[label]});
      }
    }
  }

  RankingExample take() { return std::move(example_); }

 private:
  RankingExample example_;
};

// How many tokens all begin with, but for the last of the shortest.
std::size_t common_tokens(const std::vector<TokenIds>& prompts) {
  std::size_t common = prompts.front().size();
  for (const TokenIds& prompt : prompts) {
    const auto [a, b] =
        std::mismatch(prompt.begin(), prompt.end(), prompts.front().begin(), prompts.front().end());
    common = std::min({common, static_cast<std::size_t>(a - prompt.begin()), prompt.size() - 1});
  }
  return common;
}

// Tokens from a root to the end of a segment, at most.
std::size_t longest_text(const RankingExample& example) {
  std::vector<std::size_t> ends;
  for (std::size_t i = 0; i < example.texts.size(); ++i) {
    const std::size_t parent = example.parents[i];
    ends.push_back(example.texts[i].size() +
                   (parent == LearnerSegment::kNoParent ? 0 : ends[parent]));
  }
  return *std::max_element(ends.begin(), ends.end());
}

std::vector<Docid> order_by(const RankingTask& task, const std::vector<double>& scores) {
  std::vector<std::size_t> order(scores.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return scores[a] > scores[b]; });
  std::vector<Docid> docids;
  for (const std::size_t i : order) docids.push_back(task.passages[i].docid);
  return docids;
}

}  // namespace

LearnerBatch RankingExample::batch() const {
  LearnerBatch batch;
  for (std::size_t i = 0; i < texts.size(); ++i) batch.segments.push_back({texts[i], parents[i]});
  batch.targets = targets;
  return batch;
}

std::size_t RankingExample::num_tokens() const {
  std::size_t tokens = 0;
  for (const TokenIds& text : texts) tokens += text.size();
  return tokens;
}

std::vector<double> RankingExample::scores(std::span<const float> logprobs,
                                           std::size_t num_passages) const {
  std::vector<double> scores(num_passages);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    scores[parts[i].passage] += parts[i].sign * static_cast<double>(logprobs[i]);
  }
  return scores;
}

std::vector<float> RankingExample::slopes(std::span<const double> of_scores) const {
  std::vector<float> slopes;
  for (const Part& part : parts) {
    slopes.push_back(static_cast<float>(part.sign * of_scores[part.passage]));
  }
  return slopes;
}

RankingTasks::RankingTasks(const TextModel& model, const RankingTaskOptions& options)
    : model_(model),
      options_(options),
      prompts_(std::make_shared<const PromptBuilder>(
          PromptOptions{.mode = mode_of(options.method),
                        .cut = cut_to_tokens(*model.tokenizer, options.passage_tokens)})) {}

Result<RankingExample> RankingTasks::pointwise_example(const RankingTask& task) const {
  const std::string query = prompts_->prepare_query(task.query);
  std::vector<TokenIds> prompts;
  for (const Passage& passage : task.passages) {
    const PassageText text = prompts_->prepare_passage(passage);
    const std::string_view view = text.text;
    RR_TRY(TokenIds ids, encode_prompt(prompts_->build(query, {&view, 1}), prompts_->mode(),
                                       AnswerOptions{}, model_));
    prompts.push_back(std::move(ids));
  }
  RR_TRY(const LabelTree tree, LabelTree::make(*model_.tokenizer, relevance_labels()));
  constexpr double kSigns[] = {1, -1};  // relevance_score()
  const auto common = static_cast<std::ptrdiff_t>(common_tokens(prompts));
  ExampleBuilder builder;
  std::size_t beginning = LearnerSegment::kNoParent;
  if (common > 0) {
    beginning = builder.add_segment(TokenIds(prompts[0].begin(), prompts[0].begin() + common),
                                    LearnerSegment::kNoParent);
  }
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    const std::size_t prompt =
        builder.add_segment(TokenIds(prompts[i].begin() + common, prompts[i].end()), beginning);
    builder.add_labels(prompt, tree, std::vector<std::size_t>{i, i}, kSigns);
  }
  return builder.take();
}

Result<RankingExample> RankingTasks::first_example(const RankingTask& task,
                                                   std::span<const std::size_t> shown) const {
  RankingTask shuffled = task;
  for (std::size_t i = 0; i < shown.size(); ++i) shuffled.passages[i] = task.passages[shown[i]];
  RR_TRY(TokenIds prompt,
         encode_prompt(prompt_of(shuffled, *prompts_), prompts_->mode(), AnswerOptions{}, model_));
  RR_TRY(const LabelTree tree, LabelTree::make(*model_.tokenizer, identifier_labels(shown.size())));
  ExampleBuilder builder;
  const std::size_t segment = builder.add_segment(std::move(prompt), LearnerSegment::kNoParent);
  builder.add_labels(segment, tree, shown, std::vector<double>(shown.size(), 1.0));
  return builder.take();
}

Result<RankingExample> RankingTasks::example(std::size_t i, std::uint64_t seed) const {
  const RankingTask& task = tasks_[i].task;
  if (options_.method == RerankMethod::kPointwise) return pointwise_example(task);
  std::vector<std::size_t> shown(task.passages.size());
  std::iota(shown.begin(), shown.end(), std::size_t{0});
  if (seed != 0) {
    RandomStream random(seed, stream_of(task.qid.str()));
    shuffle(shown, random);
  }
  return first_example(task, shown);
}

Result<RankingTasks> RankingTasks::read(const std::filesystem::path& path, const TextModel& model,
                                        const RankingTaskOptions& options) {
  RR_TRY(const std::string bytes, read_file(path));
  RR_TRY(std::vector<RankingTask> read, read_ranking_tasks(path));
  RankingTasks tasks(model, options);
  tasks.num_read_ = read.size();
  tasks.sha256_ = sha256_hex(std::as_bytes(std::span(bytes)));
  for (RankingTask& task : read) {
    RR_TRY_STATUS(check_relevant_listed(task, path.string()));
    std::vector<double> gains = gains_of(task, options.target);
    if (are_equal(gains)) {
      ++tasks.num_equal_;
      continue;
    }
    tasks.tasks_.push_back({std::move(task), std::move(gains)});
    RR_TRY(const RankingExample example, tasks.example(tasks.size() - 1, 0));
    if (longest_text(example) > options.max_prompt_tokens) {
      tasks.tasks_.pop_back();
      ++tasks.num_long_;
      continue;
    }
    tasks.longest_example_ = std::max(tasks.longest_example_, example.num_tokens());
  }
  if (tasks.size() > 0) return tasks;
  return Error{
      Errc::kRejected,
      fmt::format("expected a task to learn from, found none: of {}, {} have no passage "
                  "that should stand before another, {} a prompt of more than {} tokens",
                  tasks.num_read_, tasks.num_equal_, tasks.num_long_, options.max_prompt_tokens),
      path.string()};
}

namespace {

// Sums over every `stride`-th task.
Result<RankingAccuracy> sum_accuracy(Learner& learner, const RankingTasks& tasks, std::size_t first,
                                     std::size_t stride) {
  constexpr std::size_t kDepth = 10;
  RankingAccuracy sum;
  for (std::size_t i = first; i < tasks.size(); i += stride) {
    const RankingTask& task = tasks.task(i);
    RR_TRY(const RankingExample example, tasks.example(i, 0));
    const std::vector<double> scores =
        example.scores(learner.evaluate(example.batch()), task.passages.size());
    if (std::any_of(scores.begin(), scores.end(), [](double s) { return !std::isfinite(s); })) {
      return Error{Errc::kRejected, "a score is not finite", "topic " + task.qid.str()};
    }
    sum.ndcg += ndcg_at(kDepth, order_by(task, scores), task.grades);
    const std::vector<double> as_listed(task.passages.size());
    sum.ndcg_of_lists += ndcg_at(kDepth, order_by(task, as_listed), task.grades);
  }
  return sum;
}

}  // namespace

Result<RankingAccuracy> measure_accuracy(Learner& learner, const RankingTasks& tasks,
                                         Ranks& ranks) {
  const Result<RankingAccuracy> own = sum_accuracy(learner, tasks, ranks.rank(), ranks.size());
  RR_TRY(const std::vector<RankingAccuracy> sums, exchange_values(ranks, own));
  RankingAccuracy mean;
  const auto count = static_cast<double>(tasks.size());
  for (const RankingAccuracy& sum : sums) {
    mean.ndcg += sum.ndcg / count;
    mean.ndcg_of_lists += sum.ndcg_of_lists / count;
  }
  return mean;
}

}  // namespace rr
