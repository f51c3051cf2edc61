#include "rr/lm_local/local_model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "rr/base/file.h"
#include "rr/base/json.h"
#include "rr/lm_local/internal/audience.h"
#include "rr/lm_local/local_generator.h"
#include "rr/lm_local/scoring.h"
#include "tests/shared_data.h"

namespace rr {
namespace {

std::vector<Json> golden(const std::string& name) {
  std::vector<Json> lines;
  LineReader reader = LineReader::open(shared_data("golden-smollm2-135m/" + name)).value();
  for (std::string line; reader.next(line).value();) {
    lines.push_back(parse_json(line, reader.where()).value());
  }
  return lines;
}

std::unique_ptr<LocalModel> default_model(Precision precision) {
  LocalModelOptions options;
  options.decoder.precision = precision;
  Result<std::unique_ptr<LocalModel>> model = LocalModel::load(default_model_file(), options);
  EXPECT_TRUE(model.ok()) << (model.ok() ? "" : model.error().to_string());
  return std::move(model).value();
}

// The first place where two texts part, or their length.
std::size_t common_length(const TokenIds& a, const TokenIds& b) {
  return static_cast<std::size_t>(std::mismatch(a.begin(), a.end(), b.begin(), b.end()).first -
                                  a.begin());
}

std::vector<GenerationRequest> greedy_requests(const std::vector<Json>& lines,
                                               std::size_t max_tokens) {
  std::vector<GenerationRequest> requests;
  for (const Json& line : lines) {
    GenerationRequest request;
    request.prompt = line["ids"].get<TokenIds>();
    request.stages.emplace_back(FreeStage{max_tokens, {}});
    requests.push_back(std::move(request));
  }
  return requests;
}

TEST(LocalModel, WritesTheGoldenTextsInFloat32) {
  RR_NEEDS_FILE(default_model_file());
  RR_NEEDS_FILE(shared_data("golden-smollm2-135m"));
  const auto model = default_model(Precision::kF32);
  const std::vector<Json> lines = golden("greedy.jsonl");
  LocalGenerator generator(*model);
  const auto completions = generate_all(generator, greedy_requests(lines, 64));
  ASSERT_TRUE(completions.ok());
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const TokenIds expected = lines[i]["output_ids"].get<TokenIds>();
    const TokenIds& written = completions.value()[i].ids;
    // Where they part the two best tokens must be within rounding of each other. A golden text may
    // end in the end token, which is no part of ours.
    const std::size_t same = common_length(written, expected);
    if (same == written.size() && same + 1 >= expected.size()) continue;
    EXPECT_LT(lines[i]["margins"][same].get<double>(), 1e-3) << lines[i]["name"] << " at " << same;
  }
}

TEST(LocalModel, WritesTheSameAloneAndInABatch) {
  RR_NEEDS_FILE(default_model_file());
  RR_NEEDS_FILE(shared_data("golden-smollm2-135m"));
  const auto model = default_model(Precision::kBf16);
  const auto requests = [&] {
    std::vector<GenerationRequest> some = greedy_requests(golden("greedy.jsonl"), 20);
    for (std::size_t i = 0; i < 8; ++i) {
      GenerationRequest request = some[i % 3];
      request.stages.clear();
      request.stages.emplace_back(FreeStage{12 + i, {"."}});
      request.stages.emplace_back(ForcedStage{"</think> <answer> "});
      request.stages.emplace_back(PermutationStage{3 + 2 * i});
      request.stages.emplace_back(ForcedStage{" </answer>"});
      request.sampling = {.temperature = 0.8, .top_p = 0.95, .top_k = 0, .min_p = 0, .seed = i};
      some.push_back(std::move(request));
    }
    return some;
  };
  LocalGenerator generator(*model);
  const auto together = generate_all(generator, requests());
  ASSERT_TRUE(together.ok());
  for (std::size_t i = 0; i < together.value().size(); ++i) {
    std::vector<GenerationRequest> one;
    one.push_back(requests()[i]);
    const auto alone = generate_all(generator, std::move(one));
    ASSERT_TRUE(alone.ok());
    EXPECT_EQ(alone.value()[0].ids, together.value()[i].ids) << i;
    EXPECT_EQ(alone.value()[0].text, together.value()[i].text) << i;
  }
}

TEST(LocalModel, WritesTheSameWithDraftsAndWithout) {
  RR_NEEDS_FILE(default_model_file());
  const std::string passage =
      "The sky looks blue because air scatters short waves of light more than long ones. At sunset "
      "the light comes a longer way through the air, and what is left of it is red.";
  std::vector<GenerationRequest> requests;
  for (std::size_t i = 0; i < 6; ++i) {
    GenerationRequest request;
    request.prompt = Messages{{Role::kUser,
                               "Repeat this text word by word, then say what it is "
                               "about.\n\n" +
                                   passage}};
    request.stages.emplace_back(FreeStage{80 + i, {}});
    request.stages.emplace_back(ForcedStage{"\nThe sky looks blue because"});
    request.stages.emplace_back(FreeStage{20, {"red."}});
    if (i >= 2) request.sampling = {.temperature = 0.4, .top_p = 0.95, .seed = i};
    requests.push_back(std::move(request));
  }
  for (const Precision precision : {Precision::kBf16, Precision::kInt8, Precision::kInt4}) {
    const auto model = default_model(precision);
    LocalGenerator plain(*model, {.speculation = false});
    const auto expected = generate_all(plain, requests).value();
    LocalGenerator drafted(*model, {.max_sequences = 2});
    const auto found = generate_all(drafted, requests).value();
    for (std::size_t i = 0; i < requests.size(); ++i) {
      internal::expect_same(found[i], expected[i]);
    }
    EXPECT_GT(drafted.counters().right_drafts, 50u);
  }
}

TEST(LocalModel, WritesAnswersAsItsTokenizerWould) {
  RR_NEEDS_FILE(default_model_file());
  const auto model = default_model(Precision::kBf16);
  GenerationRequest request;
  request.prompt = Messages{{Role::kUser, "Rank the passages [1] to [14]."}};
  request.stages.emplace_back(ForcedStage{"<answer>"});
  request.stages.emplace_back(PermutationStage{14});
  request.stages.emplace_back(ForcedStage{"</answer>"});
  LocalGenerator generator(*model);
  std::vector<GenerationRequest> requests;
  requests.push_back(std::move(request));
  const auto completions = generate_all(generator, std::move(requests));
  ASSERT_TRUE(completions.ok()) << completions.error().to_string();
  const Completion& completion = completions.value()[0];
  EXPECT_EQ(completion.ids, model->tokenizer().encode(completion.text)) << completion.text;
  ASSERT_EQ(completion.stages.size(), 3u);
  EXPECT_EQ(completion.stages[1].choices.size(), 14u);
}

TEST(ScoreTokens, MatchesTheGoldenLogProbabilities) {
  RR_NEEDS_FILE(default_model_file());
  RR_NEEDS_FILE(shared_data("golden-smollm2-135m"));
  const auto model = default_model(Precision::kF32);
  for (const Json& line : golden("logits.jsonl")) {
    const auto logprobs = score_tokens(*model, line["ids"].get<TokenIds>());
    ASSERT_TRUE(logprobs.ok());
    const auto expected = line["token_logprobs"].get<std::vector<double>>();
    ASSERT_EQ(logprobs.value().size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      EXPECT_NEAR(logprobs.value()[i], expected[i], 1e-4) << line["name"] << " " << i;
    }
  }
}

TEST(ScoreTokens, RefusesWhatTheModelCannotRead) {
  RR_NEEDS_FILE(default_model_file());
  const auto model = default_model(Precision::kBf16);
  EXPECT_EQ(score_tokens(*model, TokenIds(8193, 1)).error().message,
            "8193 tokens are more than the model's context of 8192");
  EXPECT_EQ(score_tokens(*model, TokenIds{1, 49152}).error().message,
            "expected ids from 0 to 49151, found 49152 at position 1");
  EXPECT_TRUE(score_tokens(*model, TokenIds{}).value().empty());
  EXPECT_TRUE(score_tokens(*model, TokenIds{5}).value().empty());
}

TEST(LocalModel, RefusesAnUnknownTemplateAndAMissingFile) {
  RR_NEEDS_FILE(default_model_file());
  LocalModelOptions options;
  options.chat_template = "no-such";
  const auto model = LocalModel::load(default_model_file(), options);
  ASSERT_FALSE(model.ok());
  EXPECT_THAT(model.error().message, ::testing::HasSubstr("no-such"));
  EXPECT_FALSE(LocalModel::load("/no/such/model.gguf").ok());
}

}  // namespace
}  // namespace rr
