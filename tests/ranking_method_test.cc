// What ranking losses teach is what `rerank --method` ranks by: a learner's scores of a list are
// those that lm_local and rerank find, on a model of a few thousand weights.

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "rr/lm_local/local_generator.h"
#include "rr/rerank/driver.h"
#include "rr/train/internal/tiny_test_model.h"
#include "rr/train/ranking/ranking_tasks.h"

namespace rr {
namespace {

RankingTask a_list(std::size_t size) {
  RankingTask task;
  task.qid = Qid(fmt::format("q{}", size));
  task.query = "which one [1]?";
  for (std::size_t i = 0; i < size; ++i) {
    const Docid docid(fmt::format("d{}", i));
    task.passages.push_back(
        {docid, i % 3 == 0 ? "title" : "", fmt::format("passage {} {}", i, std::string(i, 'x'))});
    task.grades[docid] = i == 1 ? 1 : 0;
  }
  return task;
}

// The run's scores by docid, less their mean: log worths are known up to a constant.
std::map<std::string, double> centred(std::map<std::string, double> scores) {
  double mean = 0;
  for (const auto& [docid, score] : scores) mean += score / static_cast<double>(scores.size());
  for (auto& [docid, score] : scores) score -= mean;
  return scores;
}

TEST(RankingMethods, RankByTheScoresThatAreTaught) {
  const internal::TinyModel files{8192};
  LocalModelOptions model_options;
  model_options.decoder.precision = Precision::kF32;
  model_options.chat_template = "chatml";
  const auto model = LocalModel::load(*files.files, model_options).value();
  LocalGenerator generator(*model);
  ThreadPool pool(1);
  LearnerOptions learner_options;
  learner_options.precision = Precision::kF32;
  const auto learner = Learner::load(*files.files, learner_options, pool).value();
  for (const RerankMethod method : {RerankMethod::kPointwise, RerankMethod::kFirst}) {
    for (const std::size_t size : std::vector<std::size_t>{2, 7, 20}) {
      SCOPED_TRACE(size);
      const RankingTask task = a_list(size);
      const std::filesystem::path file =
          files.folder.write("tasks.jsonl", to_json_line(to_json(task)) + "\n");
      const auto tasks =
          RankingTasks::read(file, model->text_model(), {method, RankingTarget::kGrades, 60, 8192});
      ASSERT_TRUE(tasks.ok()) << tasks.error().to_string();
      const RankingExample example = tasks->example(0, 0).value();
      const std::vector<double> taught = example.scores(learner->evaluate(example.batch()), size);
      std::map<std::string, double> expected;
      for (std::size_t i = 0; i < size; ++i) expected[task.passages[i].docid.str()] = taught[i];

      const Request request{{task.qid, task.query, {}}, task.passages, std::vector<double>(size)};
      const bool is_first = method == RerankMethod::kFirst;
      const PromptBuilder prompts({.mode = is_first ? PromptMode::kDirect : PromptMode::kPointwise,
                                   .cut = cut_to_tokens(model->tokenizer(), 60)});
      RerankListener listener;
      const auto run = rerank_all({&request, 1}, generator, SlidingWindows(20, 10), prompts,
                                  {.method = method}, listener);
      ASSERT_TRUE(run.ok()) << run.error().to_string();
      std::map<std::string, double> found;
      for (const ScoredDocid& doc : run->topics[0].ranking.docs) found[doc.docid.str()] = doc.score;
      if (is_first) {
        expected = centred(expected);
        found = centred(found);
      }
      ASSERT_EQ(found.size(), size);
      for (const auto& [docid, score] : expected) {
        // Ties are told apart by steps of 1e-4 in listwise scores.
        EXPECT_NEAR(found[docid], score, is_first ? 2e-3 : 1e-4) << docid;
      }
    }
  }
}

}  // namespace
}  // namespace rr
