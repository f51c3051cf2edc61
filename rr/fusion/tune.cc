#include "rr/fusion/tune.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <numeric>
#include <utility>

#include "rr/base/check.h"
#include "rr/base/random.h"
#include "rr/base/thread_pool.h"
#include "rr/fusion/internal/fused_topic.h"
#include "rr/measures/judged_ranking.h"

namespace rr {
namespace {

using Weights = std::vector<int>;         // in steps of the grid, sum = steps
using Topics = std::vector<std::size_t>;  // indices, ascending

// A topic of the training set: its runs' rankings and its qrels.
struct TrainingTopic {
  TopicRankings rankings;
  const TopicQrels* qrels;
};

// The same topic under one family, with the grade of each of its documents.
struct PreparedTopic {
  FusedTopic fused;
  std::vector<int> grades;  // as fused.docids
};

std::vector<TrainingTopic> training_topics(std::span<const Run> runs, const Qrels& qrels) {
  std::vector<TrainingTopic> topics;
  for (TopicRankings& rankings : rankings_by_topic(runs)) {
    const auto found = qrels.find(rankings.qid);
    if (found != qrels.end()) topics.push_back({std::move(rankings), &found->second});
  }
  // By qid: folds do not depend on the order of files.
  std::sort(topics.begin(), topics.end(), [](const TrainingTopic& a, const TrainingTopic& b) {
    return a.rankings.qid < b.rankings.qid;
  });
  return topics;
}

PreparedTopic prepare(std::span<const Ranking* const> rankings, const TopicQrels& qrels,
                      const FusionOptions& family) {
  PreparedTopic prepared{prepare_topic(rankings, family), {}};
  prepared.grades.reserve(prepared.fused.docids.size());
  for (const Docid& docid : prepared.fused.docids) {
    const auto judgement = qrels.find(docid);
    prepared.grades.push_back(judgement == qrels.end() ? kUnjudged : judgement->second);
  }
  return prepared;
}

double value_of_order(const PreparedTopic& topic, const std::vector<int>& judgements,
                      const std::vector<double>& weights, std::size_t depth,
                      const Measure& measure) {
  JudgedRanking ranking{{}, judgements};
  for (const WeightedDocument& document : weighted_order(topic.fused, weights, depth)) {
    ranking.grades.push_back(topic.grades[document.document]);
  }
  return value_of(measure, ranking);
}

double mean_over(const std::vector<double>& values, const Topics& topics) {
  double sum = 0;
  for (const std::size_t topic : topics) sum += values[topic];
  return sum / static_cast<double>(topics.size());
}

// Values of one family's settings, each computed once for all topics.
class Family {
 public:
  Family(const FusionOptions& options, const std::vector<TrainingTopic>& topics,
         const Measure& measure, int steps, ThreadPool& pool)
      : options_(options), measure_(measure), steps_(steps), pool_(pool) {
    prepared_.resize(topics.size());
    judgements_.resize(topics.size());
    pool_.run(topics.size(), [&](std::size_t i) {
      prepared_[i] = prepare(topics[i].rankings.rankings, *topics[i].qrels, options_);
      judgements_[i] = sorted_grades(*topics[i].qrels);
    });
  }

  // The value of each topic with these weights.
  const std::vector<double>& values_of(const Weights& weights) {
    const auto [entry, is_new] = values_.try_emplace(weights);
    if (!is_new) return entry->second;
    const std::vector<double> fractions = fractions_of(weights);
    entry->second.resize(prepared_.size());
    pool_.run(prepared_.size(), [&, &values = entry->second](std::size_t i) {
      values[i] = value_of_order(prepared_[i], judgements_[i], fractions, options_.depth, measure_);
    });
    return entry->second;
  }

  FusionOptions options_with(const Weights& weights) const {
    FusionOptions options = options_;
    options.weights = fractions_of(weights);
    return options;
  }

  std::size_t num_tried() const { return values_.size(); }

 private:
  std::vector<double> fractions_of(const Weights& weights) const {
    std::vector<double> fractions;
    for (const int weight : weights) fractions.push_back(static_cast<double>(weight) / steps_);
    return fractions;
  }

  FusionOptions options_;
  Measure measure_;
  int steps_;
  ThreadPool& pool_;
  std::vector<PreparedTopic> prepared_;
  std::vector<std::vector<int>> judgements_;
  std::map<Weights, std::vector<double>> values_;
};

// All ways to part `steps` among `count` runs.
void add_compositions(std::size_t count, int steps, Weights& head, std::vector<Weights>& all) {
  if (count == 1) {
    head.push_back(steps);
    all.push_back(head);
    head.pop_back();
    return;
  }
  for (int weight = 0; weight <= steps; ++weight) {
    head.push_back(weight);
    add_compositions(count - 1, steps - weight, head, all);
    head.pop_back();
  }
}

// How far from equal weights.
int unevenness(const Weights& weights) {
  int sum = 0;
  for (const int weight : weights) sum += weight * weight;
  return sum;
}

std::vector<Weights> grid_of(std::size_t num_runs, int steps) {
  std::vector<Weights> grid;
  Weights head;
  add_compositions(num_runs, steps, head, grid);
  std::stable_sort(grid.begin(), grid.end(), [](const Weights& a, const Weights& b) {
    return unevenness(a) < unevenness(b);
  });
  return grid;
}

// `steps` shared out as evenly as can be.
Weights even_weights(std::size_t num_runs, int steps) {
  Weights weights(num_runs);
  for (int i = 0; i < steps; ++i) ++weights[static_cast<std::size_t>(i) % num_runs];
  return weights;
}

// The weights with one run's set and the others scaled to fill up, by the largest remainders.
Weights with_weight(const Weights& weights, std::size_t run, int weight, int steps) {
  const int others = steps - weights[run];
  const int left = steps - weight;
  Weights moved(weights.size());
  std::vector<std::pair<int, std::size_t>> remainders;  // negative, so that the largest sorts first
  int given = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (i == run) continue;
    // Where the others have nothing, they share alike.
    const int share = others == 0 ? 1 : weights[i];
    const int total = others == 0 ? static_cast<int>(weights.size()) - 1 : others;
    moved[i] = share * left / total;
    remainders.emplace_back(-(share * left % total), i);
    given += moved[i];
  }
  std::sort(remainders.begin(), remainders.end());
  for (std::size_t i = 0; given < left; ++i, ++given) ++moved[remainders[i].second];
  moved[run] = weight;
  return moved;
}

struct Choice {
  std::size_t family = 0;
  Weights weights;
  double mean = -1;  // over the topics that it was chosen on
};

class Tuner {
 public:
  Tuner(std::size_t num_runs, const std::vector<TrainingTopic>& topics,
        std::span<const FusionOptions> families, const TuneOptions& options)
      : num_runs_(num_runs),
        topics_(topics),
        options_(options),
        steps_(num_runs_ == 2 ? 20 : 10),
        pool_(options.num_threads) {
    RR_CHECK(num_runs_ < kMostRuns, "a grid of weights has no room for so many runs");
    for (const FusionOptions& family : families) {
      families_.emplace_back(family, topics_, options_.measure, steps_, pool_);
    }
    if (num_runs_ <= 3) grid_ = grid_of(num_runs_, steps_);
  }

  Tuning tune() {
    Topics all(topics_.size());
    std::iota(all.begin(), all.end(), std::size_t{0});
    Tuning tuning;
    tuning.num_topics = all.size();
    cross_validate(tuning);
    const Choice choice = best_on(all);
    tuning.chosen = families_[choice.family].options_with(choice.weights);
    tuning.in_sample = choice.mean;
    for (const Family& family : families_) tuning.candidates += family.num_tried();
    return tuning;
  }

 private:
  static constexpr std::size_t kMostRuns = 1'000;

  void cross_validate(Tuning& tuning) {
    std::vector<std::size_t> order(topics_.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    RandomStream random(options_.seed, stream_of("folds"));
    shuffle(order, random);
    double sum = 0;
    for (std::size_t fold = 0; fold < options_.folds; ++fold) {
      Topics held_out;
      Topics rest;
      for (std::size_t i = 0; i < order.size(); ++i) {
        (i % options_.folds == fold ? held_out : rest).push_back(order[i]);
      }
      const Choice choice = best_on(rest);
      Family& family = families_[choice.family];
      const double value = mean_over(family.values_of(choice.weights), held_out);
      tuning.folds.push_back(
          {family.options_with(choice.weights), held_out.size(), choice.mean, value});
      sum += value * static_cast<double>(held_out.size());
    }
    tuning.held_out = sum / static_cast<double>(topics_.size());
  }

  Choice best_on(const Topics& topics) {
    Choice best;
    for (std::size_t family = 0; family < families_.size(); ++family) {
      if (num_runs_ <= 3) {
        for (const Weights& weights : grid_) consider({family, weights}, topics, best);
      } else {
        search_coordinates(family, topics, best);
      }
    }
    return best;
  }

  // Whether the choice is better, up to what rounding does; then it is the best.
  bool consider(Choice choice, const Topics& topics, Choice& best) {
    choice.mean = mean_over(families_[choice.family].values_of(choice.weights), topics);
    if (!(choice.mean > best.mean + 1e-12)) return false;
    best = std::move(choice);
    return true;
  }

  void search_coordinates(std::size_t family, const Topics& topics, Choice& best) {
    std::vector<Weights> starts = {even_weights(num_runs_, steps_)};
    for (std::size_t run = 0; run < num_runs_; ++run) {
      starts.push_back(Weights(num_runs_, 0));
      starts.back()[run] = steps_;
    }
    for (const Weights& start : starts) {
      Choice here;
      consider({family, start}, topics, here);
      climb(topics, here);
      if (here.mean > best.mean + 1e-12) best = std::move(here);
    }
  }

  void climb(const Topics& topics, Choice& here) {
    for (bool moved = true; moved;) {
      moved = false;
      for (std::size_t run = 0; run < num_runs_; ++run) {
        const Weights from = here.weights;
        for (int weight = 0; weight <= steps_; ++weight) {
          const Weights to = with_weight(from, run, weight, steps_);
          moved = consider({here.family, to}, topics, here) || moved;
        }
      }
    }
  }

  std::size_t num_runs_;
  const std::vector<TrainingTopic>& topics_;
  TuneOptions options_;
  int steps_;
  ThreadPool pool_;
  std::vector<Family> families_;
  std::vector<Weights> grid_;  // nearest to equal weights first; empty for more than three runs
};

// Mean of the runs [first, first + count), fused as FusionOptions says by itself.
double untuned_mean(const std::vector<TrainingTopic>& topics, std::size_t first, std::size_t count,
                    const Measure& measure) {
  const FusionOptions options;
  const std::vector<double> weights(count, 1.0);
  double sum = 0;
  for (const TrainingTopic& topic : topics) {
    const auto rankings = std::span(topic.rankings.rankings).subspan(first, count);
    sum += value_of_order(prepare(rankings, *topic.qrels, options), sorted_grades(*topic.qrels),
                          weights, options.depth, measure);
  }
  return sum / static_cast<double>(topics.size());
}

}  // namespace

std::vector<FusionOptions> families_of(const TuneSpace& space) {
  std::vector<FusionOptions> families;
  const auto add = [&](const FusionOptions& family) {
    families.push_back(family);
    families.back().depth = space.depth;
  };
  if (space.method != FusionMethod::kLinear) {
    for (const double k : {60.0, 10.0, 30.0, 100.0, 300.0}) {
      if (!space.rrf_k || k == 60) add({.rrf_k = space.rrf_k.value_or(k)});
    }
  }
  if (space.method == FusionMethod::kReciprocalRank) return families;
  for (const Normalization normalization : {Normalization::kMinMax, Normalization::kZmuv}) {
    if (space.normalization && normalization != Normalization::kMinMax) continue;
    FusionOptions family{.method = FusionMethod::kLinear,
                         .normalization = space.normalization.value_or(normalization)};
    for (const AbsentScore absent : {AbsentScore::kZero, AbsentScore::kLowest}) {
      // The lowest score under min-max is 0: the two are one.
      const bool is_the_same = family.normalization == Normalization::kMinMax;
      if ((space.absent && absent != *space.absent) ||
          (!space.absent && is_the_same && absent == AbsentScore::kLowest)) {
        continue;
      }
      family.absent = absent;
      add(family);
    }
  }
  return families;
}

Result<Tuning> tune_fusion(std::span<const Run> runs, const Qrels& qrels,
                           std::span<const FusionOptions> families, const TuneOptions& options) {
  RR_CHECK(runs.size() >= 2 && !families.empty(), "tuning needs two runs and a family");
  RR_CHECK(options.folds >= 2, "cross-validation needs two folds");
  RR_CHECK(options.measure.kind != Measure::Kind::kRbo, "RBO does not say how good a run is");
  std::vector<TrainingTopic> topics = training_topics(runs, qrels);
  if (topics.size() < options.folds) {
    return Error{Errc::kMalformed,
                 fmt::format("expected at least {} topics with qrels, one for each fold, found {}",
                             options.folds, topics.size()),
                 ""};
  }
  Tuning tuning = Tuner(runs.size(), topics, families, options).tune();
  tuning.untuned = untuned_mean(topics, 0, runs.size(), options.measure);
  for (std::size_t run = 0; run < runs.size(); ++run) {
    tuning.alone.push_back(untuned_mean(topics, run, 1, options.measure));
  }
  return tuning;
}

}  // namespace rr
