#include "rr/report/internal/training_metrics.h"

namespace rr::internal {
namespace {

TrainingMetric metric(std::string key, std::string name, std::string axis, std::string unit,
                      std::string about) {
  return {std::move(key), std::move(name), std::move(axis), std::move(unit), std::move(about)};
}

TrainingMetric share(std::string key, std::string name, std::string about) {
  TrainingMetric result = metric(std::move(key), std::move(name), "share", "", std::move(about));
  result.is_share = true;
  return result;
}

TrainingMetric watched(TrainingMetric metric) {
  metric.summary = Summary::kHighest;
  return metric;
}

TrainingMetric of_kind(std::string kind, TrainingMetric metric) {
  metric.kind = std::move(kind);
  return metric;
}

MetricSection learning() {
  return {
      "Learning",
      {{"Loss",
        {of_kind("sft",
                 metric("loss", "loss", "loss", "nats a token",
                        "What each step makes smaller, before its update: mean of −log p over "
                        "its completion tokens, and the weighted ranking loss.")),
         metric("ranking_loss", "ranking loss", "loss", "nats",
                "Mean over the ranking tasks of each step, before its update."),
         metric("validation_loss", "held-out loss", "loss", "nats a token",
                "Mean of −log p over the held-out examples, after the update.")}},
       {"Policy loss",
        {of_kind("grpo", metric("loss", "policy loss", "policy loss", "",
                                "Mean over the step's updates; near 0 whatever is learnt."))}},
       {"Gradient norm",
        {watched(metric("grad_norm", "gradient norm", "norm of the gradient", "",
                        "Euclidean norm of all gradients together, before clipping."))}},
       {"Learning rate", {metric("lr", "learning rate", "learning rate", "", "Of each step.")}}}};
}

MetricSection reranking() {
  return {"Reranking quality",
          {{"nDCG@10 of held-out tasks",
            {metric("validation_ndcg", "held-out nDCG@10", "mean nDCG@10", "",
                    "Mean over the held-out tasks, ranked with the weights after the step.")}},
           {"Valid answers to held-out tasks",
            {share("validation_valid", "valid held-out answers",
                   "Share of answers that are a full permutation of the passages.")}},
           {"Thinking on held-out tasks",
            {metric("validation_thinking_tokens", "held-out thinking", "thinking", "tokens",
                    "Mean length of the thoughts before an answer.")}}}};
}

MetricSection rewards() {
  return {
      "Rewards",
      {{"Reward", {metric("reward", "reward", "mean reward", "", "Mean over the step's replies.")}},
       {"Spread of rewards",
        {metric("reward_std", "spread of rewards", "standard deviation", "",
                "Sample deviation over the step's replies.")}},
       {"Views of the reward",
        {share("ndcg", "nDCG@10", "Mean nDCG@10 of replies with a right answer."),
         share("recall", "recall@10", "Their mean recall@10."),
         share("rbo", "RBO", "Their mean rank-biased overlap with the teacher's order.")}},
       {"Form of the answers",
        {share("valid_share", "right answers", "Share of replies with a right answer."),
         share("format_share", "tags in place", "Share of replies with their tags in place."),
         share("cut_share", "cut off", "Share of replies that reached the limit of tokens.")}},
       {"Groups that teach",
        {share("teaching_share", "groups that teach", "Share of groups whose rewards differ.")}}}};
}

MetricSection policy() {
  return {"Policy",
          {{"Advantages",
            {metric("advantage_abs", "size of advantages", "mean |advantage|", "",
                    "Mean size of an advantage.")}},
           {"Clipped tokens",
            {share("clip_share", "clipped", "Share of tokens whose ratio was clipped."),
             share("dual_clip_share", "clipped twice", "Share clipped by the second bound.")}},
           {"KL to the reference",
            {metric("kl", "KL", "KL", "nats a token",
                    "Estimate (k3) of the divergence from the reference, mean over tokens.")}},
           {"Entropy",
            {metric("entropy", "entropy", "entropy", "nats a token",
                    "Mean of −log p of the tokens drawn: an estimate.")}},
           {"Length of replies",
            {metric("completion_tokens_mean", "reply length", "tokens of a reply", "tokens",
                    "Mean length of a reply.")}},
           {"Agreement of writing and learning",
            {metric("agreement_mean", "mean difference", "|difference of log p|", "nats",
                    "Mean difference between the log-probabilities at which tokens were drawn and "
                    "those that the learner computes, before the first update."),
             watched(metric("agreement_max", "largest difference", "|difference of log p|", "nats",
                            "The largest such difference."))}}}};
}

MetricSection speed() {
  return {
      "Speed",
      {{"Throughput",
        {metric("tokens_per_s", "tokens learnt from", "throughput", "tokens/s",
                "Tokens read in a step, prompts included, by its time."),
         metric("rollout_tokens_per_s", "rollout", "throughput", "tokens/s",
                "Tokens written by the time of writing."),
         metric("learn_tokens_per_s", "learning", "throughput", "tokens/s",
                "Tokens read by the time of learning.")}},
       {"Tokens of a step",
        {metric("tokens", "read", "tokens of a step", "tokens", "Prompts included."),
         metric("completion_tokens", "learnt", "tokens of a step", "tokens",
                "Completion tokens, which carry loss.")}},
       {"Time of a step",
        {metric("seconds", "time", "time of a step", "seconds", "From its start to its end.")}}}};
}

}  // namespace

std::span<const MetricSection> known_training_metrics() {
  static const std::vector<MetricSection> sections = {learning(), reranking(), rewards(), policy(),
                                                      speed()};
  return sections;
}

TrainingMetric unknown_metric(const std::string& key) {
  return metric(key, key, key, "", "As metrics.jsonl has it.");
}

}  // namespace rr::internal
