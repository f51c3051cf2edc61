#include "rr/lm_remote/remote_generator.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "rr/base/clock.h"
#include "rr/base/json.h"
#include "rr/lm_remote/internal/scripted_server.h"
#include "tests/test_folder.h"

// Each fault ends with the answer or with one named reason, and what was answered is not asked
// again.

namespace rr {
namespace {

using internal::ScriptedServer;
using internal::SeenRequest;
using internal::SelfSigned;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using Connection = ScriptedServer::Connection;

double seconds_of(const std::function<void()>& work) {
  const Clock::time_point start = Clock::now();
  work();
  return seconds_since(start);
}

std::string models_of(const std::string& owner) {
  return R"({"object": "list", "data": [{"id": "m", "object": "model", "owned_by": ")" + owner +
         R"("}]})";
}

std::string answer_json(const std::string& content) {
  const Json body = {
      {"choices",
       {{{"message", {{"role", "assistant"}, {"content", content}}}, {"finish_reason", "stop"}}}},
      {"usage", {{"prompt_tokens", 5}, {"completion_tokens", 2}}}};
  return to_json_line(body);
}

std::string delta_json(const std::string& content) {
  return to_json_line({{"choices", {{{"delta", {{"content", content}}}}}}});
}

void stream_answer(Connection& connection, const std::string& content) {
  connection.begin_stream();
  connection.send_event(delta_json(content));
  connection.send_event(R"({"choices": [{"delta": {}, "finish_reason": "stop"}]})");
  connection.send_event(
      R"({"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2}})");
  connection.send_event("[DONE]");
  connection.end_stream();
}

// The text of a request's last message.
std::string asked(const SeenRequest& seen) {
  return parse_json(seen.body, "request").value()["messages"].back()["content"];
}

// A server of the model "m"; `chat` gets every other request, with its number from 0.
class Server {
 public:
  using Chat = std::function<void(Connection&, const SeenRequest&, std::size_t number)>;

  explicit Server(Chat chat, std::string owner = "someone", const SelfSigned* certificate = nullptr)
      : chat_(std::move(chat)),
        owner_(std::move(owner)),
        server_([this](Connection& c, const SeenRequest& seen) { serve(c, seen); }, certificate) {}

  std::string address() const { return server_.address(); }
  void stop() { server_.stop(); }
  void start() { server_.start(); }

  std::vector<SeenRequest> seen() const {
    const std::lock_guard lock(mutex_);
    return seen_;
  }
  std::size_t num_seen() const { return seen().size(); }

 private:
  void serve(Connection& connection, const SeenRequest& request) {
    if (request.method == "GET" && request.path == "/v1/models") {
      return connection.send_json(200, models_of(owner_));
    }
    if (request.method == "GET") return connection.send_json(200, R"({"version": "0.11.2"})");
    std::size_t number = 0;
    {
      const std::lock_guard lock(mutex_);
      number = seen_.size();
      seen_.push_back(request);
    }
    chat_(connection, request, number);
  }

  Chat chat_;
  std::string owner_;
  mutable std::mutex mutex_;
  std::vector<SeenRequest> seen_;
  ScriptedServer server_;
};

// Answers each request with its own text.
void echo(Connection& connection, const SeenRequest& seen, std::size_t) {
  connection.send_json(200, answer_json(fmt::format("re: {}", asked(seen))));
}

// The first request meets the fault, all others are answered.
Server::Chat first_then_echo(std::function<void(Connection&)> fault) {
  return [fault = std::move(fault)](Connection& connection, const SeenRequest& seen,
                                    std::size_t number) {
    if (number == 0) return fault(connection);
    echo(connection, seen, number);
  };
}

RemoteOptions quick(std::vector<std::string> endpoints) {
  RemoteOptions options;
  options.endpoints = std::move(endpoints);
  options.model = "m";
  options.connect_s = 2;
  options.first_byte_s = 30;
  options.deadline_s = 60;  // far away, for machines that are busy
  options.first_retry_s = 0.01;
  options.most_retry_s = 0.05;
  options.proxy = "none";
  return options;
}

std::unique_ptr<RemoteGenerator> connected(RemoteOptions options) {
  auto generator = RemoteGenerator::connect(std::move(options));
  EXPECT_TRUE(generator.ok()) << generator.error().to_string();
  return std::move(generator).value();
}

GenerationRequest question(const std::string& text) {
  GenerationRequest request;
  request.prompt = Messages{{Role::kSystem, "be short"}, {Role::kUser, text}};
  request.stages = {FreeStage{50, {}}};
  request.label = text;
  return request;
}

std::vector<Completion> ask(RemoteGenerator& generator, std::vector<GenerationRequest> requests) {
  auto completions = generate_all(generator, std::move(requests));
  EXPECT_TRUE(completions.ok());
  return std::move(completions).value();
}

Completion ask_one(RemoteGenerator& generator, GenerationRequest request) {
  return ask(generator, {std::move(request)}).at(0);
}

Completion ask_one(RemoteOptions options, const std::string& text = "why?") {
  return ask_one(*connected(std::move(options)), question(text));
}

std::string error_of(const Completion& completion) {
  return completion.error ? completion.error->to_string() : "";
}

std::vector<GenerationRequest> questions(std::size_t count) {
  std::vector<GenerationRequest> requests;
  for (std::size_t i = 0; i < count; ++i) requests.push_back(question(fmt::format("q{}", i)));
  return requests;
}

std::vector<Stage> reasoned_order(std::size_t size) {
  return {ForcedStage{"<think>\n"}, FreeStage{100, {"</think>"}}, ForcedStage{"</think>\n<answer>"},
          PermutationStage{size}, ForcedStage{"</answer>"}};
}

// ---- what is asked and what comes back

TEST(RemoteGenerator, AsksOneChatCallWithWhatTheRequestSays) {
  Server server([](Connection& connection, const SeenRequest& seen, std::size_t) {
    stream_answer(connection, fmt::format("re: {}", asked(seen)));
  });
  auto generator = connected(quick({server.address()}));
  GenerationRequest request = question("why?");
  request.stages = {FreeStage{50, {"."}}};
  request.sampling = {.temperature = 0.5, .top_p = 0.9, .top_k = 20, .min_p = 0.1, .seed = 3};
  const Completion completion = ask_one(*generator, request);
  EXPECT_EQ(completion.text, "re: why?");
  EXPECT_EQ(completion.stop, StopReason::kEnd);
  EXPECT_EQ(completion.prompt_tokens, 5U);
  EXPECT_EQ(completion.stages.at(0).num_tokens, 2U);
  ASSERT_EQ(server.num_seen(), 1U);
  EXPECT_EQ(server.seen()[0].path, "/v1/chat/completions");
  Json body = parse_json(server.seen()[0].body, "").value();
  EXPECT_TRUE(body["seed"].is_number_unsigned());
  body.erase("seed");
  EXPECT_EQ(to_json_line(body),
            R"({"model":"m","max_tokens":50,"temperature":0.5,"top_p":0.9,"top_k":20,"min_p":0.1,)"
            R"("stop":["."],"stream":true,"stream_options":{"include_usage":true},"messages":[)"
            R"({"role":"system","content":"be short"},{"role":"user","content":"why?"}]})");
}

TEST(RemoteGenerator, AsksTokenIdsAsACompletion) {
  Server server([](Connection& connection, const SeenRequest&, std::size_t) {
    connection.send_json(200, R"({"choices": [{"text": "so", "finish_reason": "length"}]})");
  });
  GenerationRequest request;
  request.prompt = TokenIds{1, 2, 3};
  request.stages = {FreeStage{1, {}}};
  auto generator = connected(quick({server.address()}));
  const Completion completion = ask_one(*generator, request);
  EXPECT_EQ(completion.text, "so");
  EXPECT_EQ(completion.stop, StopReason::kLength);
  EXPECT_EQ(server.seen()[0].path, "/v1/completions");
  EXPECT_THAT(server.seen()[0].body, HasSubstr(R"("prompt":[1,2,3])"));
  EXPECT_EQ(generator->report().unknown_usage, 1U);
}

TEST(RemoteGenerator, TellsAStreamAsItComes) {
  Server server([](Connection& connection, const SeenRequest&, std::size_t) {
    connection.begin_stream();
    connection.send_event(delta_json("be"));
    connection.pause(0.05);
    connection.send_event(delta_json("cause"));
    connection.send_event(R"({"choices": [{"delta": {}, "finish_reason": "stop"}]})");
    connection.send_event("[DONE]");
    connection.end_stream();
  });
  auto generator = connected(quick({server.address()}));
  std::vector<std::string> heard;
  std::atomic<bool> has_ended = false;
  ASSERT_TRUE(generator
                  ->submit(question("why?"),
                           [&](const GenerationEvent& event) {
                             if (!event.text.empty()) heard.emplace_back(event.text);
                             if (event.completion != nullptr) has_ended = true;
                           })
                  .ok());
  while (!has_ended) std::this_thread::yield();
  EXPECT_THAT(heard, ElementsAre("be", "cause"));
}

TEST(RemoteGenerator, EndsTheTextWithTheStopStringThatMatched) {
  Server server([](Connection& connection, const SeenRequest&, std::size_t number) {
    const char* named = R"({"choices": [{"message": {"content": "one"}, "finish_reason": "stop",
                            "stop_reason": "."}]})";
    connection.send_json(200, number == 0 ? named : answer_json("one. two. three"));
  });
  auto generator = connected(quick({server.address()}));
  GenerationRequest request = question("why?");
  request.stages = {FreeStage{50, {"."}}};
  for (int i = 0; i < 2; ++i) {
    const Completion completion = ask_one(*generator, request);
    EXPECT_EQ(completion.text, "one.");
    EXPECT_EQ(completion.stop, StopReason::kStop);
  }
}

TEST(RemoteGenerator, ConstrainsOrdersWhereTheServerCan) {
  const auto body_at = [](const std::string& owner) {
    Server server([](Connection& connection, const SeenRequest&,
                     std::size_t) { connection.send_json(200, answer_json("[2] > [1]")); },
                  owner);
    auto generator = connected(quick({server.address()}));
    GenerationRequest request = question("why?");
    request.stages = {PermutationStage{2}};
    ask_one(*generator, request);
    return server.seen().at(0).body;
  };
  EXPECT_THAT(body_at("vllm"), AllOf(HasSubstr(R"("structured_outputs":{"regex":)"),
                                     HasSubstr(R"("enable_thinking":false)")));
  EXPECT_THAT(body_at("sglang"), HasSubstr(R"("regex":)"));
  EXPECT_THAT(body_at("llamacpp"), HasSubstr(R"("grammar":"root ::= identifier)"));
  EXPECT_THAT(body_at("someone"), Not(HasSubstr("regex")));
  EXPECT_THAT(body_at("someone"), HasSubstr(R"("logprobs":true,"top_logprobs":20)"));
}

TEST(RemoteGenerator, LeavesKnownServersNoDefaultsOfTheirOwn) {
  const auto body_at = [](const std::string& owner, const Sampling& sampling) {
    Server server([](Connection& connection, const SeenRequest&,
                     std::size_t) { connection.send_json(200, answer_json("so")); },
                  owner);
    auto generator = connected(quick({server.address()}));
    GenerationRequest request = question("why?");
    request.stages = {FreeStage{5, {}}};
    request.sampling = sampling;
    ask_one(*generator, request);
    return server.seen().at(0).body;
  };
  const Sampling greedy;
  const Sampling drawn = {.temperature = 1};
  EXPECT_THAT(body_at("vllm", greedy), HasSubstr(R"("temperature":0.0,"repetition_penalty":1.0)"));
  EXPECT_THAT(body_at("me", greedy), HasSubstr(R"("temperature":0.0,"repeat_penalty":1.0)"));
  EXPECT_THAT(body_at("someone", greedy), Not(HasSubstr("penalty")));
  EXPECT_THAT(body_at("sglang", drawn), HasSubstr(R"("top_p":1.0,"top_k":-1,"min_p":0.0)"));
  EXPECT_THAT(body_at("llamacpp", drawn), HasSubstr(R"("top_p":1.0,"top_k":0,"min_p":0.0)"));
  EXPECT_THAT(body_at("someone", drawn), Not(HasSubstr("top_")));
}

TEST(RemoteGenerator, ClosesThoughtsThatRanOutOfTokensAndGetsTheAnswer) {
  Server server(
      [](Connection& connection, const SeenRequest&, std::size_t number) {
        connection.send_json(
            200, number == 0 ? R"({"choices": [{"message": {"content": "<think>\nhm"},
                           "finish_reason": "length"}],
                           "usage": {"prompt_tokens": 10, "completion_tokens": 100}})"
                             : R"({"choices": [{"message": {"content": "[2] > [1]</answer>"},
                           "finish_reason": "stop"}],
                           "usage": {"prompt_tokens": 115, "completion_tokens": 6}})");
      },
      "vllm");
  auto generator = connected(quick({server.address()}));
  GenerationRequest request = question("why?");
  request.stages = reasoned_order(2);
  const Completion completion = ask_one(*generator, request);
  EXPECT_EQ(completion.text, "<think>\nhm</think>\n<answer>[2] > [1]</answer>");
  EXPECT_EQ(completion.stop, StopReason::kEnd);
  EXPECT_EQ(completion.prompt_tokens, 125U);
  EXPECT_EQ(completion.stages.at(1).num_tokens + completion.stages.at(0).num_tokens +
                completion.stages.at(3).num_tokens,
            106U);
  const Json second = parse_json(server.seen().at(1).body, "").value();
  EXPECT_EQ(second["continue_final_message"], true);
  EXPECT_EQ(second["messages"].back()["role"], "assistant");
  EXPECT_EQ(second["messages"].back()["content"], "<think>\nhm</think>\n<answer>");
  EXPECT_EQ(generator->report().continued, 1U);
}

TEST(RemoteGenerator, DoesWithoutWhatAServerRefusesByName) {
  Server server([](Connection& connection, const SeenRequest& seen, std::size_t number) {
    if (seen.body.find("logprobs") != std::string::npos) {
      return connection.send_json(400, R"({"error": {"message": "logprobs are not supported"}})");
    }
    echo(connection, seen, number);
  });
  auto generator = connected(quick({server.address()}));
  std::vector<GenerationRequest> requests = questions(8);
  for (GenerationRequest& request : requests) request.stages = {PermutationStage{2}};
  for (const Completion& completion : ask(*generator, requests)) {
    EXPECT_EQ(error_of(completion), "");
  }
  EXPECT_THAT(
      generator->report().notes,
      ElementsAre(server.address() + " gives no probabilities of tokens, so scores are 1/rank"));
}

// ---- faults

TEST(RemoteFaults, NobodyThereIsSaidAtOnce) {
  Server server(echo);
  const std::string address = server.address();
  server.stop();
  const auto generator = RemoteGenerator::connect(quick({address}));
  ASSERT_FALSE(generator.ok());
  EXPECT_EQ(generator.error().code, Errc::kUnavailable);
  EXPECT_THAT(generator.error().to_string(),
              AllOf(HasSubstr(address), HasSubstr("Connection refused")));
}

TEST(RemoteFaults, RefusedConnectionsEndWithTheDeadline) {
  Server server(echo);
  RemoteOptions options = quick({server.address()});
  options.deadline_s = 0.5;
  auto generator = connected(options);
  server.stop();
  const auto completions = ask(*generator, questions(10));
  for (const Completion& completion : completions) {
    EXPECT_EQ(completion.stop, StopReason::kFailed);
    EXPECT_EQ(completion.error->code, Errc::kUnavailable);
    EXPECT_THAT(error_of(completion), AllOf(HasSubstr("0.5 s"), HasSubstr("refused")));
  }
}

TEST(RemoteFaults, AResetInTheMiddleIsAskedAgain) {
  Server server(first_then_echo([](Connection& connection) {
    connection.begin_stream();
    connection.send_event(delta_json("re: w"));
    connection.pause(0.02);
    connection.reset();
  }));
  EXPECT_EQ(ask_one(quick({server.address()})).text, "re: why?");
  EXPECT_EQ(server.num_seen(), 2U);
}

TEST(RemoteFaults, ATruncatedStreamIsAskedAgainAndItsTextToldOnce) {
  Server server(first_then_echo([](Connection& connection) {
    connection.begin_stream();
    connection.send_event(delta_json("re: w"));
    connection.end_stream();
  }));
  auto generator = connected(quick({server.address()}));
  std::string heard;
  std::atomic<bool> has_ended = false;
  ASSERT_TRUE(generator
                  ->submit(question("why?"),
                           [&](const GenerationEvent& event) {
                             heard += event.text;
                             if (event.completion != nullptr) has_ended = true;
                           })
                  .ok());
  while (!has_ended) std::this_thread::yield();
  EXPECT_EQ(heard, "re: why?");
  EXPECT_EQ(server.num_seen(), 2U);
  EXPECT_EQ(generator->report().retries, 1U);
}

TEST(RemoteFaults, ABodyShorterThanItsLengthIsAskedAgain) {
  Server server(first_then_echo([](Connection& connection) {
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"choices\": [");
    connection.close();
  }));
  EXPECT_EQ(ask_one(quick({server.address()})).text, "re: why?");
}

TEST(RemoteFaults, ASlowFirstByteIsGivenUpAndAskedAgain) {
  Server server(first_then_echo([](Connection& connection) {
    connection.pause(3);
    connection.close();
  }));
  RemoteOptions options = quick({server.address()});
  options.first_byte_s = 0.2;
  EXPECT_EQ(ask_one(options).text, "re: why?");
  EXPECT_EQ(server.num_seen(), 2U);
}

TEST(RemoteFaults, OneByteASecondIsGivenUp) {
  Server server([](Connection& connection, const SeenRequest&, std::size_t) {
    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
    while (connection.send("{") && connection.pause(0.1)) continue;
    connection.close();
  });
  RemoteOptions options = quick({server.address()});
  options.slow_s = 0.25;
  options.min_bytes_per_s = 100;
  options.max_attempts = 2;
  const Completion completion = ask_one(options);
  EXPECT_EQ(completion.error->code, Errc::kUnavailable);
  EXPECT_THAT(error_of(completion), AllOf(HasSubstr("gave up after 2 attempts"),
                                          HasSubstr("less than 100 bytes a second for 0.25 s")));
  EXPECT_EQ(server.num_seen(), 2U);
}

TEST(RemoteFaults, TooManyRequestsAreSentAgainLater) {
  Server server(first_then_echo([](Connection& connection) {
    connection.send_json(429, R"({"error": {"message": "slow down"}})");
  }));
  auto generator = connected(quick({server.address()}));
  EXPECT_EQ(ask_one(*generator, question("why?")).text, "re: why?");
  EXPECT_EQ(generator->report().endpoints.at(0).busy, 1U);
}

TEST(RemoteFaults, RetryAfterIsKeptTo) {
  Server server(first_then_echo(
      [](Connection& connection) { connection.send_json(429, "{}", "Retry-After: 1\r\n"); }));
  auto generator = connected(quick({server.address()}));
  Completion completion;
  const double waited = seconds_of([&] { completion = ask_one(*generator, question("why?")); });
  EXPECT_EQ(completion.text, "re: why?");
  EXPECT_GE(waited, 1);
}

TEST(RemoteFaults, ARetryAfterBeyondTheDeadlineEndsAtOnce) {
  Server server([](Connection& connection, const SeenRequest&, std::size_t) {
    connection.send_json(503, "{}", "Retry-After: 3600\r\n");
  });
  Completion completion;
  const double waited = seconds_of([&] { completion = ask_one(quick({server.address()})); });
  EXPECT_THAT(error_of(completion), AllOf(HasSubstr("HTTP 503"), HasSubstr("3600 s of waiting")));
  EXPECT_LT(waited, 5);
  EXPECT_EQ(server.num_seen(), 1U);
}

TEST(RemoteFaults, AnAccountWithoutMoneyIsNotAskedAgain) {
  Server server([](Connection& connection, const SeenRequest&, std::size_t) {
    connection.send_json(429, R"({"error": {"message": "You exceeded your current quota",
                                 "code": "insufficient_quota"}})");
  });
  const Completion completion = ask_one(quick({server.address()}));
  EXPECT_EQ(completion.error->code, Errc::kRejected);
  EXPECT_EQ(server.num_seen(), 1U);
}

TEST(RemoteFaults, AServerThatFailsOnceIsAskedAgain) {
  for (const int status : {500, 502, 503}) {
    Server server(first_then_echo(
        [status](Connection& connection) { connection.send_json(status, "<html>oh"); }));
    EXPECT_EQ(ask_one(quick({server.address()})).text, "re: why?") << status;
    EXPECT_EQ(server.num_seen(), 2U);
  }
}

TEST(RemoteFaults, AServerThatAlwaysFailsIsGivenUpAfterTheAttemptsThatAreAllowed) {
  Server server([](Connection& connection, const SeenRequest&, std::size_t) {
    connection.send_json(500, R"({"error": {"message": "CUDA out of memory"}})");
  });
  RemoteOptions options = quick({server.address()});
  options.max_attempts = 3;
  const Completion completion = ask_one(options);
  EXPECT_EQ(completion.error->code, Errc::kUnavailable);
  EXPECT_EQ(error_of(completion),
            server.address() + ": gave up after 3 attempts: HTTP 500: CUDA out of memory");
  EXPECT_EQ(server.num_seen(), 3U);
}

TEST(RemoteFaults, WhatIsNoJsonOrOfAnotherShapeIsRefusedOnce) {
  for (const char* body : {"<html>hello", R"({"choices": "none"})", R"({"answer": "why not"})"}) {
    Server server([body](Connection& connection, const SeenRequest&, std::size_t) {
      connection.send_json(200, body);
    });
    const Completion completion = ask_one(quick({server.address()}));
    EXPECT_EQ(completion.stop, StopReason::kFailed);
    EXPECT_EQ(completion.error->code, Errc::kMalformed);
    EXPECT_THAT(error_of(completion), HasSubstr(server.address()));
    EXPECT_EQ(server.num_seen(), 1U);
  }
}

TEST(RemoteFaults, EmptyContentIsAnAnswer) {
  Server server([](Connection& connection, const SeenRequest&, std::size_t) {
    connection.send_json(200, answer_json(""));
  });
  const Completion completion = ask_one(quick({server.address()}));
  EXPECT_EQ(completion.stop, StopReason::kEnd);
  EXPECT_EQ(completion.text, "");
  EXPECT_EQ(server.num_seen(), 1U);
}

TEST(RemoteFaults, AnAnswerOf50MegabytesIsRefused) {
  Server server([](Connection& connection, const SeenRequest&, std::size_t) {
    connection.send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n");
    const std::string megabyte(1 << 20, ' ');
    for (int i = 0; i < 50 && connection.send(megabyte); ++i) continue;
    connection.close();
  });
  const Completion completion = ask_one(quick({server.address()}));
  EXPECT_EQ(completion.error->code, Errc::kRejected);
  EXPECT_THAT(error_of(completion), HasSubstr("larger than 33554432 bytes"));
  EXPECT_EQ(server.num_seen(), 1U);
}

TEST(RemoteFaults, InvalidUtf8IsRepairedAndCounted) {
  Server server([](Connection& connection, const SeenRequest&, std::size_t) {
    connection.send_json(200, "{\"choices\": [{\"message\": {\"content\": \"caf\xE9!\"}}]}");
  });
  auto generator = connected(quick({server.address()}));
  EXPECT_EQ(ask_one(*generator, question("why?")).text, "caf\xEF\xBF\xBD!");
  EXPECT_EQ(generator->report().repaired_bytes, 1U);
}

TEST(RemoteFaults, AWrongModelNameIsSaidAtTheStart) {
  Server server(echo, "vllm");
  RemoteOptions options = quick({server.address()});
  options.model = "mm";
  const auto generator = RemoteGenerator::connect(options);
  ASSERT_FALSE(generator.ok());
  EXPECT_THAT(generator.error().to_string(),
              HasSubstr("expected the model \"mm\", but this server has \"m\""));
  EXPECT_EQ(server.num_seen(), 0U);
}

TEST(RemoteFaults, AWrongModelNameThatOnlyTheCallTellsIsNotAskedAgain) {
  Server server([](Connection& connection, const SeenRequest&, std::size_t) {
    connection.send_json(404, R"({"error": {"message": "The model `mm` does not exist"}})");
  });
  RemoteOptions options = quick({server.address()});
  options.model = "mm";
  const Completion completion = ask_one(options);
  EXPECT_EQ(completion.error->code, Errc::kRejected);
  EXPECT_THAT(error_of(completion), HasSubstr("HTTP 404: The model `mm` does not exist"));
  EXPECT_EQ(server.num_seen(), 1U);
}

TEST(RemoteGenerator, NeedsNoModelNameWhereThereIsOneModel) {
  Server server(echo);
  RemoteOptions options = quick({server.address()});
  options.model = "";
  EXPECT_EQ(connected(options)->model(), "m");
}

TEST(RemoteFaults, AnExpiredKeyIsSaidWithoutTheKey) {
  Server server([](Connection& connection, const SeenRequest& seen, std::size_t) {
    EXPECT_THAT(seen.head, HasSubstr("Authorization: Bearer sk-secret-123"));
    connection.send_json(401, R"({"error": {"message": "Expired API key: sk-secret-123"}})");
  });
  RemoteOptions options = quick({server.address()});
  options.key = "sk-secret-123";
  const Completion completion = ask_one(options);
  EXPECT_EQ(completion.error->code, Errc::kRejected);
  EXPECT_THAT(error_of(completion), AllOf(HasSubstr("HTTP 401: Expired API key: (key)"),
                                          HasSubstr("not expired"), Not(HasSubstr("secret"))));
  EXPECT_EQ(server.num_seen(), 1U);
}

TEST(RemoteFaults, AKeyThatCannotStandInAHeaderIsRefusedUnread) {
  RemoteOptions options = quick({"http://127.0.0.1:1/v1"});
  options.key = "sk-secret\r\nX-More: 1";
  const auto generator = RemoteGenerator::connect(options);
  ASSERT_FALSE(generator.ok());
  EXPECT_THAT(generator.error().to_string(),
              AllOf(HasSubstr("printable ASCII"), Not(HasSubstr("secret"))));
}

TEST(RemoteFaults, AnAddressThatIsNoneIsRefused) {
  for (const char* address : {"", "host:8000", "ftp://host/v1", "http://", "http://h/v1?a=b"}) {
    const auto generator = RemoteGenerator::connect(quick({address}));
    ASSERT_FALSE(generator.ok()) << address;
    EXPECT_THAT(generator.error().to_string(), HasSubstr("http://host:8000/v1")) << address;
  }
  const auto generator = RemoteGenerator::connect(quick({"http://me:secret@127.0.0.1/v1"}));
  EXPECT_THAT(generator.error().to_string(), Not(HasSubstr("secret")));
}

TEST(RemoteFaults, ARedirectIsNamedNotFollowed) {
  Server server([](Connection& connection, const SeenRequest&, std::size_t) {
    connection.send_json(308, "", "Location: https://elsewhere.example/v1\r\n");
  });
  const Completion completion = ask_one(quick({server.address()}));
  EXPECT_EQ(completion.error->code, Errc::kRejected);
  EXPECT_THAT(error_of(completion), HasSubstr("https://elsewhere.example/v1"));
}

TEST(RemoteFaults, ACertificateThatDoesNotMatchIsRefused) {
  const TestFolder folder;
  const std::string file = folder / "ca.pem";
  const SelfSigned here("IP:127.0.0.1");
  const SelfSigned elsewhere("DNS:other.example");
  {
    Server server(echo, "someone", &here);
    const auto unknown = RemoteGenerator::connect(quick({server.address()}));
    ASSERT_FALSE(unknown.ok());
    EXPECT_EQ(unknown.error().code, Errc::kRejected);
    EXPECT_THAT(unknown.error().message, HasSubstr("certificate"));
    here.write(file);
    RemoteOptions options = quick({server.address()});
    options.ca_file = file;
    EXPECT_EQ(ask_one(options).text, "re: why?");
  }
  Server server(echo, "someone", &elsewhere);
  elsewhere.write(file);
  RemoteOptions options = quick({server.address()});
  options.ca_file = file;
  const auto wrong_name = RemoteGenerator::connect(options);
  ASSERT_FALSE(wrong_name.ok());
  EXPECT_EQ(wrong_name.error().code, Errc::kRejected);
  EXPECT_THAT(wrong_name.error().message, HasSubstr("127.0.0.1"));
  EXPECT_EQ(server.num_seen(), 0U);
}

TEST(RemoteFaults, BothEndpointsDownAndBackLoseNothingAndAskNothingTwice) {
  std::mutex mutex;
  std::map<std::string, int> answered;
  const auto counting = [&](Connection& connection, const SeenRequest& seen, std::size_t number) {
    {
      const std::lock_guard lock(mutex);
      ++answered[asked(seen)];
    }
    connection.pause(0.005);
    echo(connection, seen, number);
  };
  Server first(counting);
  Server second(counting);
  auto generator = connected(quick({first.address(), second.address()}));
  EXPECT_EQ(ask(*generator, questions(4)).size(), 4U);
  first.stop();
  second.stop();
  answered.clear();
  std::thread repair([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(700));
    first.start();
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    second.start();
  });
  const auto completions = ask(*generator, questions(200));
  repair.join();
  for (std::size_t i = 0; i < completions.size(); ++i) {
    EXPECT_EQ(error_of(completions[i]), "");
    EXPECT_EQ(completions[i].text, fmt::format("re: q{}", i));
  }
  for (const auto& [text, times] : answered) EXPECT_EQ(times, 1) << text;
  EXPECT_EQ(answered.size(), 200U);
  EXPECT_GE(generator->report().endpoints.at(0).outages, 1U);
}

TEST(RemoteGenerator, GoesToTheOtherEndpointWhereOneFails) {
  Server broken([](Connection& connection, const SeenRequest&, std::size_t) {
    connection.send_json(500, "{}");
  });
  Server whole([](Connection& connection, const SeenRequest& seen, std::size_t number) {
    connection.pause(0.005);
    echo(connection, seen, number);
  });
  RemoteOptions options = quick({broken.address(), whole.address()});
  options.first_concurrency = options.most_concurrency = 4;
  auto generator = connected(options);
  for (const Completion& completion : ask(*generator, questions(100))) {
    EXPECT_EQ(error_of(completion), "");
  }
  EXPECT_LE(broken.num_seen(), 10U);  // it was left alone
  EXPECT_EQ(whole.num_seen(), 100U);
}

TEST(RemoteGenerator, TakesAnEndpointInThatWasDownAtTheStart) {
  Server late(echo, "llamacpp");
  Server there([](Connection& connection, const SeenRequest& seen, std::size_t number) {
    connection.pause(0.05);
    echo(connection, seen, number);
  });
  late.stop();
  RemoteOptions options = quick({late.address(), there.address()});
  options.first_concurrency = options.most_concurrency = 1;
  auto generator = connected(options);
  EXPECT_EQ(generator->report().endpoints.at(0).server, "");
  late.start();
  for (const Completion& completion : ask(*generator, questions(60))) {
    EXPECT_EQ(error_of(completion), "");
  }
  EXPECT_GT(late.num_seen(), 0U);
  EXPECT_EQ(generator->report().endpoints.at(0).server, "llama-server");
}

TEST(RemoteGenerator, GivesMoreToAFasterEndpoint) {
  const auto after = [](double seconds) {
    return [seconds](Connection& connection, const SeenRequest& seen, std::size_t number) {
      connection.pause(seconds);
      echo(connection, seen, number);
    };
  };
  Server fast(after(0.05));
  Server slow(after(0.5));
  RemoteOptions options = quick({slow.address(), fast.address()});
  options.first_concurrency = options.most_concurrency = 4;
  auto generator = connected(options);
  ask(*generator, questions(80));
  EXPECT_GT(fast.num_seen(), 2 * slow.num_seen());
}

TEST(RemoteGenerator, CancelsWhatWaitsAndWhatRuns) {
  Server server([](Connection& connection, const SeenRequest&, std::size_t) {
    connection.pause(5);
    connection.close();
  });
  RemoteOptions options = quick({server.address()});
  options.first_concurrency = options.most_concurrency = 1;
  std::atomic<int> cancelled = 0;
  const auto listen = [&](const GenerationEvent& event) {
    if (event.completion == nullptr) return;
    EXPECT_EQ(event.completion->stop, StopReason::kCancelled);
    ++cancelled;
  };
  auto generator = connected(options);
  const GenerationId running = generator->submit(question("a"), listen).value();
  const GenerationId waiting = generator->submit(question("b"), listen).value();
  while (server.num_seen() == 0) std::this_thread::yield();
  generator->cancel(waiting);
  generator->cancel(running);
  while (cancelled < 2) std::this_thread::yield();
  ASSERT_TRUE(generator->submit(question("c"), listen).ok());
  generator.reset();
  EXPECT_EQ(cancelled, 3);
}

}  // namespace
}  // namespace rr
