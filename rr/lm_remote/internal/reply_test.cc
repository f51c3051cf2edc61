#include "rr/lm_remote/internal/reply.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>

#include "rr/lm_remote/internal/failure.h"

namespace rr::internal {
namespace {

using ::testing::HasSubstr;

constexpr std::size_t kLarge = 1 << 20;

Result<Reply> read(bool is_stream, const std::string& body, std::string* told = nullptr,
                   std::size_t piece = kLarge) {
  ReplyReader reader(is_stream, kLarge, "server", [told](std::string_view text) {
    if (told != nullptr) *told += text;
  });
  for (std::size_t at = 0; at < body.size(); at += piece) {
    const Status status = reader.feed(std::string_view(body).substr(at, piece));
    if (!status.ok()) return status.error();
  }
  return reader.finish();
}

TEST(Reply, OfOnePieceHasTextThoughtsEndAndUsage) {
  const auto reply = read(false, R"({"choices": [{"message": {"role": "assistant",
    "content": "<answer>[1]</answer>", "reasoning_content": "easy"}, "finish_reason": "stop",
    "stop_reason": 151645}], "usage": {"prompt_tokens": 9, "completion_tokens": 4}})");
  ASSERT_TRUE(reply.ok()) << reply.error().to_string();
  EXPECT_EQ(text_of(reply.value()), "<think>\neasy\n</think>\n<answer>[1]</answer>");
  EXPECT_EQ(reply.value().finish, "stop");
  EXPECT_EQ(reply.value().stop_text, "");
  EXPECT_EQ(reply.value().prompt_tokens, 9U);
  EXPECT_EQ(reply.value().completion_tokens, 4U);
  EXPECT_TRUE(reply.value().usage_known);
}

constexpr const char* kStream =
    ": a comment\r\n"
    "event: message\r\n"
    "data: {\"choices\": [{\"delta\": {\"role\": \"assistant\", \"content\": \"\"}}]}\r\n\r\n"
    "data: {\"choices\": [{\"delta\": {\"reasoning\": \"ea\"}}]}\n\n"
    "data:{\"choices\": [{\"delta\": {\"reasoning\": \"sy\\n\"}}]}\n\n"
    "data: {\"choices\": [{\"delta\": {\"content\": \"[1]\"}}]}\n\n"
    "data: {\"choices\": [{\"delta\":\n"
    "data: {\"content\": \" über\"}, \"finish_reason\": \"length\"}]}\n\n"
    "data: {\"choices\": [], \"usage\": {\"prompt_tokens\": 9, \"completion_tokens\": 4}}\n\n"
    "data: [DONE]\n\n";

TEST(Reply, OfAStreamIsTheSameHoweverItsBytesAreCut) {
  for (std::size_t piece = 1; piece < 50; ++piece) {
    std::string told;
    const auto reply = read(true, kStream, &told, piece);
    ASSERT_TRUE(reply.ok()) << reply.error().to_string();
    EXPECT_EQ(text_of(reply.value()), "<think>\neasy\n</think>\n[1] über");
    EXPECT_EQ(told, text_of(reply.value()));
    EXPECT_EQ(reply.value().finish, "length");
    EXPECT_EQ(reply.value().completion_tokens, 4U);
  }
}

TEST(Reply, OfAStreamThatEndsEarlyMayBeAskedForAgain) {
  const std::string whole = kStream;
  const auto cut = read(true, whole.substr(0, whole.find("data: {\"choices\": [{\"delta\":\n")));
  ASSERT_FALSE(cut.ok());
  EXPECT_EQ(cut.error().code, Errc::kUnavailable);
  EXPECT_THAT(cut.error().message, HasSubstr("broke off"));
  // Some servers never say [DONE]: a reason to finish is an end too.
  EXPECT_TRUE(read(true, whole.substr(0, whole.find("data: [DONE]"))).ok());
  EXPECT_FALSE(read(true, "").ok());
}

TEST(Reply, OfAnotherShapeIsRefused) {
  for (const char* body :
       {"", "<html>", "{}", "[]", "7", R"({"choices": {}})", R"({"choices": []})",
        R"({"choices": [{}]})", R"({"choices": [{"message": "text"}]})", R"({"choices": [7]})",
        R"({"choices": [{"message": {"content": 7}}]})", R"({"choices": [{"text": 7}]})"}) {
    const auto reply = read(false, body);
    ASSERT_FALSE(reply.ok()) << body;
    EXPECT_EQ(reply.error().code, Errc::kMalformed) << body;
  }
  EXPECT_FALSE(read(true, "data: {\"choices\": [{\"delta\": 7}]}\n\n").ok());
  EXPECT_FALSE(read(true, "data: what?\n\n").ok());
}

TEST(Reply, WithoutContentIsAnEmptyText) {
  for (const char* message : {R"({"content": null})", R"({"content": ""})", "{}"}) {
    const auto reply = read(false, fmt::format(R"({{"choices": [{{"message": {}}}]}})", message));
    ASSERT_TRUE(reply.ok()) << message;
    EXPECT_EQ(text_of(reply.value()), "");
  }
  const auto refusal =
      read(false, R"({"choices": [{"message": {"content": null, "refusal": "no"}}]})");
  EXPECT_EQ(text_of(refusal.value()), "no");
}

TEST(Reply, HasItsIllFormedBytesReplacedAndCounted) {
  const auto reply = read(false, "{\"choices\": [{\"message\": {\"content\": \"a\xFF\xC3z\"}}]}");
  ASSERT_TRUE(reply.ok());
  EXPECT_EQ(reply.value().content, "a\xEF\xBF\xBD\xEF\xBF\xBDz");
  EXPECT_EQ(reply.value().repaired, 2U);
}

TEST(Reply, MayBeAnErrorThatTheServerReports) {
  const auto later = read(true, R"(data: {"error": {"message": "out of memory", "code": 500}})");
  EXPECT_EQ(later.error().code, Errc::kUnavailable);
  EXPECT_THAT(later.error().message, HasSubstr("out of memory"));
  const auto never = read(false, R"({"error": {"message": "bad prompt", "code": 400}})");
  EXPECT_EQ(never.error().code, Errc::kRejected);
}

TEST(Reply, IsNotTakenBeyondItsLimit) {
  ReplyReader reader(false, 10, "server", nullptr);
  EXPECT_TRUE(reader.feed("0123456789").ok());
  const Status status = reader.feed("x");
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().code, Errc::kRejected);
  EXPECT_THAT(status.error().message, HasSubstr("larger than 10 bytes"));
}

TokenChoice token(const std::string& text, double p,
                  std::vector<std::pair<std::string, double>> others = {}) {
  TokenChoice choice{text, std::log(p), {{text, std::log(p)}}};
  for (auto& [other, q] : others) choice.likeliest.push_back({other, std::log(q)});
  return choice;
}

TEST(Choices, AreSharedAmongTheIdentifiersStillOpen) {
  // Three passages. First [2] at 0.5 against 1 at 0.2 and 3 at 0.1: 0.5 / 0.8. Then [1] at 0.3: 2
  // is taken, 7 is none: 0.3 / (0.3 + 0.3). The last is certain.
  const std::vector<TokenChoice> tokens = {token("[", 0.9),
                                           token("2", 0.5, {{"1", 0.2}, {"3", 0.1}, {"x", 0.1}}),
                                           token("]", 0.9, {{"0", 0.1}}),
                                           token(" > [", 0.8),
                                           token("1", 0.3, {{"2", 0.3}, {"3", 0.3}, {"7", 0.1}}),
                                           token("]", 0.9),
                                           token(" > [", 0.8),
                                           token("3", 0.3, {{"2", 0.6}}),
                                           token("]", 0.9)};
  const auto choices = choices_from_tokens(tokens, 3);
  ASSERT_EQ(choices.size(), 3U);
  EXPECT_EQ(choices[0].identifier, 2U);
  EXPECT_NEAR(choices[0].logprob, std::log(0.5 / 0.8), 1e-12);
  EXPECT_EQ(choices[1].identifier, 1U);
  EXPECT_NEAR(choices[1].logprob, std::log(0.5), 1e-12);
  EXPECT_EQ(choices[2].identifier, 3U);
  EXPECT_EQ(choices[2].logprob, 0);
}

TEST(Choices, GoByTheDigitsWhereAnIdentifierHasSeveralTokens) {
  // Of 1..12, all but 1, 11 and 12 are named before; "1" is certain then, and the next token says
  // which: "]" for 1, "1" for 11, "2" for 12.
  std::vector<TokenChoice> tokens;
  for (int i = 2; i <= 10; ++i) {
    tokens.push_back(token(fmt::format("[{}] > ", i), 1));
  }
  tokens.push_back(token("[", 1));
  tokens.push_back(token("1", 0.9, {{"2", 0.1}}));
  tokens.push_back(token("2", 0.5, {{"]", 0.2}, {"1", 0.1}, {"3", 0.2}}));
  tokens.push_back(token("] > [1", 1));
  tokens.push_back(token("] > [11]", 0.25, {{"1] > [1]", 0.25}}));
  const auto choices = choices_from_tokens(tokens, 12);
  ASSERT_EQ(choices.size(), 12U);
  EXPECT_EQ(choices[9].identifier, 12U);
  EXPECT_NEAR(choices[9].logprob, std::log(0.5 / 0.8), 1e-12);
  EXPECT_EQ(choices[10].identifier, 1U);
  EXPECT_NEAR(choices[10].logprob, std::log(0.5), 1e-12);
}

TEST(Choices, AreThoseOfTheAnswerNotOfTheThoughts) {
  const std::vector<TokenChoice> tokens = {token("<think>[1] or [2]</think><answer>", 1),
                                           token("[", 1), token("2", 0.5, {{"1", 0.5}}),
                                           token("] > [1]</answer>", 1)};
  const auto choices = choices_from_tokens(tokens, 2);
  ASSERT_EQ(choices.size(), 2U);
  EXPECT_EQ(choices[0].identifier, 2U);
}

TEST(Choices, AreNoneWhereTheAnswerIsNoOrder) {
  EXPECT_TRUE(choices_from_tokens({}, 1).empty());
  EXPECT_TRUE(choices_from_tokens({token("[1] > [1]", 1)}, 2).empty());
  EXPECT_TRUE(choices_from_tokens({token("[1]", 1)}, 2).empty());
  EXPECT_TRUE(choices_from_tokens({token("[1] > [3]", 1)}, 2).empty());
  EXPECT_TRUE(choices_from_tokens({token("[99999999999999999999]", 1)}, 2).empty());
}

TEST(ServerMessage, IsTheSentenceInWhateverWasSent) {
  EXPECT_EQ(server_message(R"({"error": {"message": "no\nsuch  model.", "type": "x"}})"),
            "no such model");
  EXPECT_EQ(server_message(R"({"detail": [{"loc": ["body"], "msg": "field required"}]})"),
            "field required");
  EXPECT_EQ(server_message(R"({"message": "busy"})"), "busy");
  EXPECT_EQ(server_message("upstream gone"), "upstream gone");
  EXPECT_EQ(server_message("<html><h1>Bad gateway"), "a page of HTML");
  EXPECT_EQ(server_message(""), "");
  EXPECT_LT(server_message(std::string(10000, 'x')).size(), 310U);
}

}  // namespace
}  // namespace rr::internal
