#include "rr/lm/completion_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "rr/base/random.h"
#include "rr/lm/fake_tokenizer.h"

namespace rr {
namespace {

using ::testing::ElementsAre;

// Vocabularies as tokenizers make them, and worse: numbers of up to three digits, brackets glued to
// their neighbours, tokens that reach into the next identifier.
const std::vector<std::vector<std::string>> kVocabularies = {
    {},
    {" >", " ["},
    {" >", " [", "10", "11", "12", "1234", "20", "21", "100", "101"},
    {"] > [", "> [", " > "},
    {"[1", "2]", "] >", " > [1", "1] ", "12] > ["},
    {"]</", ">[", "><", "</answer>", "<answer>"},
};

// Writes to the end with these scores behind a prompt of one token.
TokenIds write(CompletionWriter& writer, const Tokenizer& tokenizer, const FakeScores& scores) {
  std::vector<float> row(tokenizer.vocabulary_size());
  while (!writer.is_complete()) {
    TokenIds read = {0};
    read.insert(read.end(), writer.ids().begin(), writer.ids().end());
    scores(read, row);
    writer.choose(row);
  }
  return writer.ids();
}

struct Written {
  std::string text;
  TokenIds ids;
  std::vector<StageReport> stages;
  StopReason stop;
};

std::string bytes_of(const Tokenizer& tokenizer, const TokenIds& ids) {
  std::string text;
  for (const TokenId id : ids) text += tokenizer.token_bytes(id);
  return text;
}

Written write(const Tokenizer& tokenizer, std::vector<Stage> stages, const FakeScores& scores,
              const Sampling& sampling = {}) {
  CompletionWriter writer(tokenizer, std::move(stages), sampling, "label");
  const TokenIds ids = write(writer, tokenizer, scores);
  return {bytes_of(tokenizer, ids), ids, writer.reports(), writer.stop()};
}

// A model that says these tokens, one a choice, in this order; then the end token.
class Script {
 public:
  Script(const FakeTokenizer& tokenizer, const std::vector<std::string>& tokens)
      : end_(tokenizer.end_tokens().front()) {
    for (const std::string& token : tokens) ids_.push_back(*tokenizer.find_token(token));
  }
  FakeScores scores() {
    return [this](std::span<const TokenId>, std::span<float> row) {
      std::fill(row.begin(), row.end(), 0.0f);
      row[static_cast<std::size_t>(next_ < ids_.size() ? ids_[next_] : end_)] = 5;
      ++next_;
    };
  }
  std::size_t num_choices() const { return next_; }

 private:
  TokenIds ids_;
  TokenId end_;
  std::size_t next_ = 0;
};

std::string permutation_text(const std::vector<std::size_t>& order) {
  std::string text;
  for (const std::size_t identifier : order) {
    text += (text.empty() ? "[" : " > [") + std::to_string(identifier) + "]";
  }
  return text;
}

std::vector<std::size_t> order_of(const StageReport& stage) {
  std::vector<std::size_t> order;
  for (const IdentifierChoice& choice : stage.choices) order.push_back(choice.identifier);
  return order;
}

void expect_permutation(const Written& written, std::size_t size) {
  std::vector<std::size_t> order = order_of(written.stages.front());
  EXPECT_EQ(written.text, permutation_text(order));
  EXPECT_EQ(written.stages.front().num_tokens, written.ids.size());
  EXPECT_EQ(written.stages.front().choices.back().logprob, 0);
  std::sort(order.begin(), order.end());
  ASSERT_EQ(order.size(), size);
  for (std::size_t i = 0; i < size; ++i) EXPECT_EQ(order[i], i + 1);
}

TEST(PermutationStage, IsAPermutationWhateverTheModelSays) {
  for (const std::vector<std::string>& words : kVocabularies) {
    const FakeTokenizer tokenizer(words);
    for (const std::size_t size : {1u, 2u, 3u, 9u, 10u, 12u, 25u, 120u}) {
      for (std::uint64_t seed = 0; seed < 8; ++seed) {
        const Sampling sampling = {.temperature = seed % 2 == 0 ? 0.0 : 1.5, .seed = seed};
        const Written written =
            write(tokenizer, {PermutationStage{size}}, hashed_scores(seed), sampling);
        expect_permutation(written, size);
        EXPECT_EQ(written.stop, StopReason::kEnd);
        EXPECT_LE(written.ids.size(),
                  most_tokens(tokenizer, std::vector<Stage>{PermutationStage{size}}, 100000) +
                      (words == kVocabularies[4] ? size
                                                 : 0));  // its tokens across identifiers come apart
      }
    }
  }
}

TEST(PermutationStage, IsAPermutationWhereTheModelRulesEveryIdentifierOut) {
  const FakeTokenizer tokenizer({" >", " ["});
  const auto never = [](std::span<const TokenId>, std::span<float> row) {
    std::fill(row.begin(), row.end(), -std::numeric_limits<float>::infinity());
    row[0] = 0;
  };
  expect_permutation(write(tokenizer, {PermutationStage{12}}, never), 12);
  expect_permutation(write(tokenizer, {PermutationStage{12}}, never, {.temperature = 1}), 12);
}

TEST(PermutationStage, WritesWhatTheModelWantsWhereThatIsAPermutation) {
  // The model says the whole answer as the tokenizer writes it; the constraint must not be felt.
  for (const std::vector<std::string>& words : kVocabularies) {
    if (words == kVocabularies[4]) continue;  // its tokens reach over identifiers still unknown
    const FakeTokenizer tokenizer(words);
    for (std::uint64_t seed = 0; seed < 30; ++seed) {
      RandomStream random(seed, 0);
      std::vector<std::size_t> order(1 + random.below(25));
      for (std::size_t i = 0; i < order.size(); ++i) order[i] = i + 1;
      shuffle(order, random);
      const TokenIds wanted = tokenizer.encode(permutation_text(order));
      const Written written = write(tokenizer, {PermutationStage{order.size()}},
                                    scripted_scores(1, wanted, tokenizer.end_tokens().front()));
      EXPECT_EQ(order_of(written.stages.front()), order);
      EXPECT_EQ(written.ids, wanted);
    }
  }
}

TEST(PermutationStage, GivesTheProbabilitiesOfItsChoices) {
  // Single digits, three identifiers. Scores: "1" 0, "2" ln 2, "3" ln 5, everything else 9.
  const FakeTokenizer tokenizer({" >", " ["});
  const auto scores = [](std::span<const TokenId>, std::span<float> row) {
    std::fill(row.begin(), row.end(), 9.0f);
    row['1'] = 0;
    row['2'] = std::log(2.0f);
    row['3'] = std::log(5.0f);
  };
  const Written written = write(tokenizer, {PermutationStage{3}}, scores);
  EXPECT_EQ(written.text, "[3] > [2] > [1]");
  const std::vector<IdentifierChoice>& choices = written.stages.front().choices;
  EXPECT_NEAR(choices[0].logprob, std::log(5.0 / 8), 1e-6);
  EXPECT_NEAR(choices[1].logprob, std::log(2.0 / 3), 1e-6);
  EXPECT_EQ(choices[2].logprob, 0);
  // "3" and "2" were chosen; two of 11 tokens.
  EXPECT_EQ(written.stages.front().num_tokens, 11u);
  EXPECT_EQ(written.stages.front().num_forced, 9u);
}

TEST(PermutationStage, ClosesAnIdentifierOnlyWhereItCouldGoOn) {
  // Identifiers 1..12, single digits. The model likes "1" best, then "]" a little better than
  // digits, whose order is 9 > ... > 0.
  const FakeTokenizer tokenizer({" >", " ["});
  const auto scores = [](std::span<const TokenId>, std::span<float> row) {
    std::fill(row.begin(), row.end(), 9.0f);
    for (int digit = 0; digit < 10; ++digit) {
      row[static_cast<std::size_t>('0' + digit)] = static_cast<float>(digit) * 0.01f;
    }
    row['1'] = 3;
    row[']'] = 1;
  };
  const Written written = write(tokenizer, {PermutationStage{12}}, scores);
  // 1 with "]" against "0", "1", "2"; then 11 (its second "1" scores 3), 12, 10; then the rest.
  EXPECT_EQ(written.text,
            "[11] > [1] > [12] > [10] > [9] > [8] > [7] > [6] > [5] > [4] > [3] > [2]");
  // First choice: "1" among the nine first digits, then "1" among "]", "0", "1", "2".
  double digits = std::exp(3.0);
  for (int digit = 2; digit < 10; ++digit) digits += std::exp(digit * 0.01);
  const double second = std::exp(3.0) + std::exp(1.0) + std::exp(0.0) + std::exp(0.02);
  EXPECT_NEAR(written.stages.front().choices[0].logprob,
              3 - std::log(digits) + 3 - std::log(second), 1e-6);
}

TEST(PermutationStage, JoinsTheForcedTextAroundIt) {
  // ">[" and "]</" are tokens: the tokenizer would use them, so the answer does.
  const FakeTokenizer tokenizer({">[", "]</", " >", " [", "<answer", "answer>"});
  const Written written =
      write(tokenizer, {ForcedStage{"<answer>"}, PermutationStage{2}, ForcedStage{"</answer>"}},
            hashed_scores(1));
  EXPECT_EQ(written.ids, tokenizer.encode(written.text));
  const bool is_either =
      written.text == "<answer>[1] > [2]</answer>" || written.text == "<answer>[2] > [1]</answer>";
  EXPECT_TRUE(is_either) << written.text;
  // "<answer" ">[" | d "]" " >" " [" d "]</" | "answer>": a token counts where it begins.
  ASSERT_EQ(written.stages.size(), 3u);
  EXPECT_EQ(written.stages[0].num_tokens, 2u);
  EXPECT_EQ(written.stages[1].num_tokens, 6u);
  EXPECT_EQ(written.stages[1].num_forced, 5u);
  EXPECT_EQ(written.stages[2].num_tokens, 1u);
}

TEST(FreeStage, EndsAtItsBudget) {
  const FakeTokenizer tokenizer({"ab"});
  Script script(tokenizer, {"ab", "ab", "ab", "ab"});
  const Written written = write(tokenizer, {FreeStage{3, {}}}, script.scores());
  EXPECT_EQ(written.text, "ababab");
  EXPECT_EQ(written.stop, StopReason::kLength);
  EXPECT_EQ(script.num_choices(), 3u);
}

TEST(FreeStage, OfNoTokensAsksTheModelNothing) {
  const FakeTokenizer tokenizer({});
  Script script(tokenizer, {});
  const Written written =
      write(tokenizer, {FreeStage{0, {}}, ForcedStage{"x"}, FreeStage{0, {}}}, script.scores());
  EXPECT_EQ(written.text, "x");
  EXPECT_EQ(written.stop, StopReason::kLength);
  EXPECT_EQ(script.num_choices(), 0u);
}

TEST(FreeStage, EndsAtAnEndToken) {
  const FakeTokenizer tokenizer({});
  Script script(tokenizer, {"a", "<|end|>"});
  const Written written = write(tokenizer, {FreeStage{9, {}}}, script.scores());
  EXPECT_EQ(written.text, "a");
  EXPECT_EQ(written.stop, StopReason::kEnd);
}

TEST(FreeStage, DropsAnEndTokenWhereMoreFollows) {
  const FakeTokenizer tokenizer({});
  Script script(tokenizer, {"a", "<|end|>", "b"});
  const Written written =
      write(tokenizer, {FreeStage{9, {}}, ForcedStage{"|"}, FreeStage{9, {}}}, script.scores());
  EXPECT_EQ(written.text, "a|b");
  EXPECT_EQ(written.stages[0].stop, StopReason::kEnd);
  EXPECT_EQ(written.stop, StopReason::kEnd);
}

// The end token is not read, so the scores that chose it are those of the next stage's first token.
TEST(FreeStage, ThatEndsWithNothingWrittenLeavesItsScoresToTheNext) {
  const FakeTokenizer tokenizer({});
  const TokenId end = tokenizer.end_tokens().front();
  const TokenId yes = *tokenizer.find_token("y");
  std::vector<float> row(tokenizer.vocabulary_size(), 0.0f);
  row[static_cast<std::size_t>(end)] = 5;
  row[static_cast<std::size_t>(yes)] = 4;
  CompletionWriter writer(
      tokenizer,
      {FreeStage{3, {}}, FreeStage{3, {}}, TokenChoiceStage{{end, yes}}, FreeStage{1, {}}}, {},
      "label");
  writer.choose(row);
  EXPECT_THAT(writer.ids(), ElementsAre(end));  // of the choice, the only stage that may write it
  EXPECT_FALSE(writer.is_complete());
  writer.choose(row);
  EXPECT_TRUE(writer.is_complete());
  EXPECT_THAT(writer.ids(), ElementsAre(end));
  ASSERT_EQ(writer.reports().size(), 4u);
  EXPECT_EQ(writer.reports()[1].stop, StopReason::kEnd);
  EXPECT_EQ(writer.reports()[2].num_tokens, 1u);
}

TEST(FreeStage, DrawsAnewWhereTwoChoicesHaveTheSameScores) {
  const FakeTokenizer tokenizer({});
  const auto end = static_cast<std::size_t>(tokenizer.end_tokens().front());
  std::vector<float> row(tokenizer.vocabulary_size(), -INFINITY);
  row[end] = 0;
  row['a'] = 0;
  // Of two stages, each ending at once in half of the cases, three of four write something.
  std::size_t written = 0;
  constexpr std::size_t kRuns = 2000;
  for (std::size_t seed = 0; seed < kRuns; ++seed) {
    CompletionWriter writer(tokenizer, {FreeStage{1, {}}, FreeStage{1, {}}},
                            {.temperature = 1, .seed = seed}, "label");
    while (!writer.is_complete()) writer.choose(row);
    if (!writer.ids().empty()) ++written;
  }
  EXPECT_NEAR(static_cast<double>(written) / kRuns, 0.75, 0.04);
}

TEST(FreeStage, FindsStopStringsAcrossTokens) {
  const FakeTokenizer tokenizer({"</", "think"});
  Script script(tokenizer, {"a", "</", "think", ">", "b"});
  const Written written = write(tokenizer, {FreeStage{9, {"never", "</think>"}}}, script.scores());
  EXPECT_EQ(written.text, "a</think>");
  EXPECT_EQ(written.stop, StopReason::kStop);
  EXPECT_EQ(written.stages[0].num_tokens, 4u);
}

TEST(FreeStage, KeepsTheLastTokenWholeInTheLastStage) {
  const FakeTokenizer tokenizer({"k>\n\n"});
  Script script(tokenizer, {"k>\n\n"});
  const Written written = write(tokenizer, {FreeStage{9, {"k>"}}}, script.scores());
  EXPECT_EQ(written.text, "k>\n\n");
  EXPECT_EQ(written.stop, StopReason::kStop);
}

TEST(FreeStage, CountsWhatItWroteOnAsTheBeginningOfTheForcedText) {
  const FakeTokenizer tokenizer({"k>\n", "\n\n"});
  Script script(tokenizer, {"a", "k>\n"});
  const Written written =
      write(tokenizer, {FreeStage{9, {"k>"}}, ForcedStage{"\n\n!"}}, script.scores());
  EXPECT_EQ(written.text, "ak>\n\n!");
  EXPECT_EQ(written.ids[1], *tokenizer.find_token("k>\n"));  // the model's own token stays
  EXPECT_EQ(written.stages[0].num_tokens, 2u);
  EXPECT_EQ(written.stages[0].num_forced, 0u);
  EXPECT_EQ(written.stages[1].num_tokens, 2u);
}

TEST(FreeStage, TakesBackWhatItWroteOnWhereTheForcedTextBeginsOtherwise) {
  const FakeTokenizer tokenizer({"k>\n", ">!"});
  Script script(tokenizer, {"a", "k>\n"});
  const Written written =
      write(tokenizer, {FreeStage{9, {"k>"}}, ForcedStage{"!"}}, script.scores());
  EXPECT_EQ(written.text, "ak>!");
  // "k" and ">!": as the tokenizer writes "k>!".
  EXPECT_EQ(written.ids, tokenizer.encode("ak>!"));
  EXPECT_EQ(written.stages[0].stop, StopReason::kStop);
  EXPECT_EQ(written.stages[0].num_tokens, 3u);
  EXPECT_EQ(written.stages[0].num_forced, 2u);
}

TEST(FreeStage, DoesNotHaveItsStopStringWrittenTwice) {
  const FakeTokenizer tokenizer({"k>", "k>\n", "k>!"});
  // The last token ends with the stop string, goes on as the forced text does, goes on otherwise;
  // and the budget is spent before it.
  const std::vector<std::vector<std::string>> scripts = {
      {"a", "k>"}, {"a", "k>\n"}, {"a", "k>!"}, {"a", "a", "a"}};
  for (const std::vector<std::string>& tokens : scripts) {
    Script script(tokenizer, tokens);
    const Written written =
        write(tokenizer, {FreeStage{2, {"k>"}}, ForcedStage{"k>\n<"}}, script.scores());
    EXPECT_EQ(written.text, tokens.size() == 3 ? "aak>\n<" : "ak>\n<") << tokens.back();
  }
}

TEST(FreeStage, LooksThroughSeveralForcedTextsForWhatItWroteOn) {
  const FakeTokenizer tokenizer({"k>\n <"});
  Script script(tokenizer, {"k>\n <"});
  const Written written =
      write(tokenizer,
            {FreeStage{9, {"k>"}}, ForcedStage{"\n"}, ForcedStage{" <a>"}, PermutationStage{1}},
            script.scores());
  EXPECT_EQ(written.text, "k>\n <a>[1]");
  EXPECT_EQ(written.ids.front(), *tokenizer.find_token("k>\n <"));
}

TEST(FreeStage, LetsTheModelOpenThePermutation) {
  const FakeTokenizer tokenizer({"k>["});
  Script script(tokenizer, {"k>[", "2"});
  const Written written =
      write(tokenizer, {FreeStage{9, {"k>"}}, PermutationStage{2}}, script.scores());
  EXPECT_EQ(written.text, "k>[2] > [1]");
  EXPECT_EQ(script.num_choices(), 2u);
}

TEST(ForcedStage, RecognisesSpecialTokens) {
  const FakeTokenizer tokenizer({});
  Script script(tokenizer, {});
  const Written written = write(tokenizer, {ForcedStage{"a<|mark|>b"}}, script.scores());
  EXPECT_THAT(written.ids, ElementsAre('a', *tokenizer.find_token("<|mark|>"), 'b'));
  EXPECT_EQ(written.stages[0].num_forced, 3u);
}

TEST(CompletionWriter, DrawsTheSameWithTheSameSeedAndLabel) {
  const FakeTokenizer tokenizer({});
  const auto text = [&](std::uint64_t seed, const std::string& label) {
    CompletionWriter writer(tokenizer, {FreeStage{20, {}}}, {.temperature = 1, .seed = seed},
                            label);
    return write(writer, tokenizer, hashed_scores(3));
  };
  EXPECT_EQ(text(1, "a"), text(1, "a"));
  EXPECT_NE(text(1, "a"), text(2, "a"));
  EXPECT_NE(text(1, "a"), text(1, "b"));
}

TEST(CompletionWriter, ReportsAStageThatIsNotEnded) {
  const FakeTokenizer tokenizer({});
  CompletionWriter writer(tokenizer, {ForcedStage{"ab"}, FreeStage{9, {}}, ForcedStage{"c"}}, {},
                          "");
  ASSERT_EQ(writer.reports().size(), 2u);
  EXPECT_EQ(writer.reports()[0].num_tokens, 2u);
  EXPECT_EQ(writer.reports()[1].stop, StopReason::kCancelled);
  EXPECT_EQ(writer.stop(), StopReason::kCancelled);
}

TEST(MostTokens, AddsUpWhatTheStagesMayWrite) {
  const FakeTokenizer tokenizer({" >", " ["});
  const auto most = [&](std::vector<Stage> stages) { return most_tokens(tokenizer, stages, 1000); };
  EXPECT_EQ(most({FreeStage{7, {}}, ForcedStage{"abc"}}), 10u);
  EXPECT_EQ(most({PermutationStage{2}}), 7u);  // "[" "1" "]" " >" " [" "2" "]"
  EXPECT_EQ(most({TokenChoiceStage{{'a', 'b'}}}), 1u);
  EXPECT_EQ(most({FreeStage{900, {}}, FreeStage{900, {}}}), 1000u);
  EXPECT_EQ(most({FreeStage{std::size_t(-1), {}}, ForcedStage{"abc"}}), 1000u);
  EXPECT_EQ(most({PermutationStage{std::size_t(-1)}}), 1000u);
}

TEST(CheckStages, RefusesWhatCannotBeWritten) {
  const FakeTokenizer tokenizer({});
  const auto is_refused = [&](std::vector<Stage> stages) {
    return !check_stages(tokenizer, stages).ok();
  };
  EXPECT_TRUE(is_refused({}));
  EXPECT_TRUE(is_refused({FreeStage{3, {"a", ""}}}));
  EXPECT_TRUE(is_refused({PermutationStage{0}}));
  EXPECT_TRUE(is_refused({TokenChoiceStage{}}));
  EXPECT_TRUE(is_refused({TokenChoiceStage{{'a', -1}}}));
  EXPECT_FALSE(is_refused({FreeStage{0, {}}, ForcedStage{""}, TokenChoiceStage{{'a'}}}));
}

TEST(TokenChoiceStage, TakesTheLikeliestAndKeepsAllProbabilities) {
  const FakeTokenizer tokenizer({});
  const FakeScores scores = [](std::span<const TokenId>, std::span<float> row) {
    std::fill(row.begin(), row.end(), -40.0f);
    row['x'] = std::log(5.0f);  // is no choice
    row['y'] = std::log(2.0f);
    row['n'] = std::log(3.0f);
  };
  const Written written = write(
      tokenizer, {ForcedStage{"is: "}, TokenChoiceStage{{'y', 'n'}}, ForcedStage{"."}}, scores);
  EXPECT_EQ(written.text, "is: n.");
  const std::vector<IdentifierChoice>& choices = written.stages[1].choices;
  ASSERT_EQ(choices.size(), 2u);
  EXPECT_EQ(choices[0].identifier, 1u);
  EXPECT_NEAR(choices[0].logprob, std::log(0.2), 1e-6);
  EXPECT_NEAR(choices[1].logprob, std::log(0.3), 1e-6);
  EXPECT_EQ(written.stages[1].num_tokens, 1u);
  EXPECT_EQ(written.stages[1].num_forced, 0u);
}

}  // namespace
}  // namespace rr
