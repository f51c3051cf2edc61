#include "rr/lm_llama/llama_generator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>
#include <set>
#include <string>
#include <vector>

#include "tests/shared_data.h"
#include "tests/test_folder.h"

namespace rr {
namespace {

using ::testing::HasSubstr;

std::unique_ptr<LlamaGenerator> default_generator(const LlamaOptions& options = {}) {
  auto generator = LlamaGenerator::load(default_model_file(), options);
  EXPECT_TRUE(generator.ok()) << (generator.ok() ? "" : generator.error().to_string());
  return std::move(generator).value();
}

LlamaOptions small(std::size_t max_sequences, std::size_t kv_bytes = 0) {
  LlamaOptions options;
  options.num_threads = 1;  // its threads spin while they wait: no good where others work
  options.max_sequences = max_sequences;
  options.context_tokens = 2816;
  options.kv_memory_bytes = kv_bytes;
  return options;
}

GenerationRequest ask(const std::string& question, std::vector<Stage> stages,
                      Sampling sampling = {}) {
  return {Messages{{Role::kUser, question}}, std::move(stages), sampling, question};
}

std::vector<Completion> answers(Generator& generator, std::vector<GenerationRequest> requests) {
  auto completions = generate_all(generator, std::move(requests));
  EXPECT_TRUE(completions.ok()) << (completions.ok() ? "" : completions.error().to_string());
  return std::move(completions).value();
}

TEST(LlamaGenerator, WritesWhatItIsAskedForAndKeepsLogProbabilities) {
  RR_NEEDS_FILE(default_model_file());
  const auto generator = default_generator(small(4));
  EXPECT_THAT(generator->description(), HasSubstr("llama.cpp"));
  EXPECT_EQ(generator->text_model()->context_length, 2816u);
  EXPECT_EQ(generator->kv_tokens(), 4 * 2816u);
  const Completion answer =
      answers(*generator, {ask("Tell me about the sky.", {FreeStage{12, {}}})}).front();
  EXPECT_EQ(answer.stop, StopReason::kLength);
  EXPECT_EQ(answer.ids.size(), 12u);
  EXPECT_EQ(answer.text, generator->text_model()->tokenizer->decode(answer.ids));
  ASSERT_EQ(answer.token_logprobs.size(), answer.ids.size());
  for (const float logprob : answer.token_logprobs) {
    EXPECT_LE(logprob, 0);
    EXPECT_GT(logprob, std::log(1.0f / 49152));  // the best is no worse than the mean
  }
  EXPECT_EQ(answer.stages.size(), 1u);
  EXPECT_EQ(answer.stages[0].num_tokens, answer.ids.size());
}

TEST(LlamaGenerator, WritesThroughItsStages) {
  RR_NEEDS_FILE(default_model_file());
  const auto generator = default_generator(small(4));
  const Completion answer =
      answers(*generator, {ask("Order these: [1] bread, [2] the sky, [3] grass, [4] the sea.",
                               {FreeStage{10, {"</think>"}}, ForcedStage{"</think>\n<answer>"},
                                PermutationStage{4}, ForcedStage{"</answer>"}})})
          .front();
  EXPECT_EQ(answer.stop, StopReason::kEnd);
  ASSERT_EQ(answer.stages.size(), 4u);
  EXPECT_EQ(answer.stages[0].stop, StopReason::kLength);
  EXPECT_EQ(answer.stages[0].num_tokens, 10u);
  const auto begin = answer.text.find("</think>\n<answer>[");
  ASSERT_NE(begin, std::string::npos) << answer.text;
  EXPECT_THAT(answer.text.substr(begin),
              ::testing::MatchesRegex("</think>\n<answer>(\\[[1-4]\\]( > )?)+</answer>"));
  std::set<std::size_t> named;
  for (const IdentifierChoice& choice : answer.stages[2].choices) named.insert(choice.identifier);
  EXPECT_EQ(named, (std::set<std::size_t>{1, 2, 3, 4}));
  EXPECT_EQ(answer.stages[2].choices.back().logprob, 0);
  EXPECT_TRUE(std::none_of(answer.token_logprobs.begin(), answer.token_logprobs.end(),
                           [](float x) { return std::isnan(x); }));
}

TEST(LlamaGenerator, GivesTheProbabilitiesOfAChoice) {
  RR_NEEDS_FILE(default_model_file());
  const auto generator = default_generator(small(4));
  const Tokenizer& tokenizer = *generator->text_model()->tokenizer;
  TokenIds everything(tokenizer.vocabulary_size());
  std::iota(everything.begin(), everything.end(), TokenId{0});
  const Completion answer =
      answers(*generator, {ask("Is water wet? Yes or No.", {TokenChoiceStage{everything}})})
          .front();
  double total = 0;
  for (const IdentifierChoice& choice : answer.stages[0].choices) total += std::exp(choice.logprob);
  EXPECT_NEAR(total, 1, 1e-4);
  EXPECT_EQ(answer.ids.size(), 1u);
}

TEST(LlamaGenerator, RefusesWhatItCannotDo) {
  RR_NEEDS_FILE(default_model_file());
  const auto generator = default_generator(small(2));
  const auto refusal = [&](GenerationRequest request) {
    const auto id = generator->submit(std::move(request), [](const GenerationEvent&) {});
    return id.ok() ? "" : id.error().message;
  };
  EXPECT_THAT(refusal(ask("x", {FreeStage{5000, {}}})), HasSubstr("context of 2816"));
  EXPECT_THAT(refusal(ask("x", {})), HasSubstr("at least one stage"));
  GenerationRequest strange = ask("", {FreeStage{5, {}}});
  strange.prompt = TokenIds{1, 49152};
  EXPECT_THAT(refusal(strange), HasSubstr("found 49152 at position 1"));
}

std::string load_error(const std::filesystem::path& path, const LlamaOptions& options = {}) {
  const auto generator = LlamaGenerator::load(path, options);
  return generator.ok() ? "" : generator.error().to_string();
}

TEST(LlamaGenerator, SaysWhyItCannotLoad) {
  EXPECT_THAT(load_error("/no/such/model.gguf"), HasSubstr("expected a GGUF file, found none"));
  const TestFolder folder;
  EXPECT_THAT(load_error(folder), HasSubstr("found a folder"));
  EXPECT_THAT(load_error(folder.write("model.gguf", "this is no model")),
              ::testing::AllOf(HasSubstr("cannot load this model: "), HasSubstr("magic"),
                               HasSubstr("model.gguf")));
  RR_NEEDS_FILE(default_model_file());
  LlamaOptions options;
  options.chat_template = "no-such";
  EXPECT_THAT(load_error(default_model_file(), options),
              ::testing::AllOf(HasSubstr("no-such"), HasSubstr("gemma"), HasSubstr("qwen3")));
  EXPECT_THAT(load_error(default_model_file(), small(1, 1000)), HasSubstr("--kv-memory"));
}

}  // namespace
}  // namespace rr
