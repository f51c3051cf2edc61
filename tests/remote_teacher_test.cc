#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <mutex>
#include <random>
#include <regex>
#include <string>
#include <thread>
#include <vector>

#include "rr/base/clock.h"
#include "rr/base/json.h"
#include "rr/lm_remote/internal/scripted_server.h"
#include "tests/synthesis_fixture.h"

// `synthesize --teacher URL` as a program, against a server on this machine that is scripted: it
// breaks down in every way that servers have, and the results are those of a server that never
// does.

namespace rr {
namespace {

using internal::ScriptedServer;
using internal::SeenRequest;
using internal::SelfSigned;
using Connection = ScriptedServer::Connection;

// What the teacher says to a question, always the same to the same.
std::string teach(const std::string& question, std::uint64_t hash) {
  std::smatch found;
  if (!std::regex_search(question, found, std::regex(R"(Rank the (\d+) passages)"))) {
    if (hash % 5 == 0) return "None";
    if (hash % 7 == 0) return "I am sorry, I cannot do that.";
    return fmt::format("[{}] [{}]", hash % 6 + 1, hash % 5 + 7);
  }
  const std::size_t size = std::stoul(found[1]);
  std::string order;
  for (std::size_t i = 0; i < size; ++i) {
    order += fmt::format("{}[{}]", i == 0 ? "" : " > ", (i + hash) % size + 1);
  }
  return fmt::format("<think>thought {}</think>{}", hash % 1000, order);
}

// A server of the model "m" that counts its answers to each question.
class TeacherServer {
 public:
  // Instead of an answer, where it returns true. `times`: how often this question came before.
  using Fault = std::function<bool(Connection&, std::uint64_t hash, std::size_t times)>;

  explicit TeacherServer(Fault fault = {}, const SelfSigned* certificate = nullptr)
      : fault_(std::move(fault)),
        server_([this](Connection& c, const SeenRequest& seen) { serve(c, seen); }, certificate) {}

  std::string address() const { return server_.address(); }
  void stop() { server_.stop(); }
  void start() { server_.start(); }

  std::size_t num_answers() const {
    const std::lock_guard lock(mutex_);
    std::size_t sum = 0;
    for (const auto& [question, times] : answered_) sum += times;
    return sum;
  }
  std::size_t num_questions() const {
    const std::lock_guard lock(mutex_);
    return answered_.size();
  }

 private:
  void serve(Connection& connection, const SeenRequest& request) {
    if (request.method == "GET") {
      return connection.send_json(200, R"({"data": [{"id": "m", "owned_by": "script"}]})");
    }
    const Json body = parse_json(request.body, "request").value();
    const std::string messages = to_json_line(body["messages"]);
    const std::uint64_t hash = std::hash<std::string>()(messages);
    std::size_t times = 0;
    {
      const std::lock_guard lock(mutex_);
      times = asked_[messages]++;
    }
    connection.pause(0.002);
    if (fault_ && fault_(connection, hash, times)) return;
    {
      const std::lock_guard lock(mutex_);
      ++answered_[messages];
    }
    const std::string text = teach(body["messages"].back()["content"], hash);
    const Json answer = {
        {"choices",
         {{{"message", {{"role", "assistant"}, {"content", text}}}, {"finish_reason", "stop"}}}},
        {"usage", {{"prompt_tokens", 100}, {"completion_tokens", 20}}}};
    connection.send_json(200, to_json_line(answer));
  }

  Fault fault_;
  mutable std::mutex mutex_;
  std::map<std::string, std::size_t> asked_;
  std::map<std::string, std::size_t> answered_;
  ScriptedServer server_;
};

class RemoteTeacher : public Synthesis {
 protected:
  static std::string synthesize(const std::string& output, const std::string& address,
                                const std::string& more = "") {
    return fmt::format("{} --teacher {} --proxy none {}", synthesize_into(output), address, more);
  }

  // The lines of samples, dropped topics and steps, without what the clock says.
  std::vector<Json> timeless(const std::string& folder) const {
    std::vector<Json> lines;
    for (const char* file : {"samples.jsonl", "dropped.jsonl", "steps.jsonl"}) {
      for (Json& line : json_lines(read(fmt::format("{}/{}", folder, file)))) {
        line.erase("seconds");
        if (line.contains("provenance")) line["provenance"].erase("seconds");
        lines.push_back(std::move(line));
      }
    }
    return lines;
  }

  // Runs without any trouble, for comparison.
  void synthesize_undisturbed() {
    TeacherServer server;
    const Outcome outcome = run(synthesize("whole", server.address()));
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    ASSERT_EQ(server.num_answers(), server.num_questions());
    num_questions_ = server.num_questions();
    ASSERT_FALSE(read("whole/samples.jsonl").empty());
  }

  // All its answers are in its cache: made again from there alone, not a byte differs.
  void expect_made_again_from_its_cache(const std::string& folder) {
    TeacherServer server;
    const Outcome outcome = run(
        synthesize("again", server.address(), fmt::format("--cache {}/answers.sqlite", folder)));
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_EQ(server.num_answers(), 0U);
    for (const char* file : {"samples.jsonl", "dropped.jsonl", "steps.jsonl"}) {
      EXPECT_EQ(read(fmt::format("again/{}", file)), read(fmt::format("{}/{}", folder, file)))
          << file;
    }
    fs::remove_all(directory_ / "again");
  }

  std::size_t num_questions_ = 0;
};

TEST_F(RemoteTeacher, IsAskedEachQuestionOnce) {
  write_topics(60);
  TeacherServer server;
  const std::string command = synthesize("work", server.address());
  const Outcome made = run(command);
  ASSERT_EQ(made.exit_code, 0) << made.err;
  EXPECT_THAT(made.err, HasSubstr(" asked; these took "));
  const std::vector<Json> samples = json_lines(read("work/samples.jsonl"));
  ASSERT_GT(samples.size(), 20U);
  EXPECT_EQ(samples[0]["provenance"]["teacher"], "m");
  EXPECT_EQ(samples[0]["provenance"]["prompt_tokens"], 200);
  EXPECT_GT(samples[0]["provenance"]["seconds"], 0.002);
  EXPECT_THAT(samples[0]["reasoning"].get<std::string>(), HasSubstr("thought "));
  EXPECT_EQ(read("work/samples.jsonl").find("secret"), std::string::npos);
  EXPECT_GT(server.num_questions(), 60U);
  EXPECT_EQ(server.num_answers(), server.num_questions());
  expect_made_again_from_its_cache("work");

  const Outcome cost = run("$R cost work");
  EXPECT_EQ(cost.exit_code, 0) << cost.err;
  EXPECT_THAT(cost.out, HasSubstr("m"));
}

TEST_F(RemoteTeacher, WhatMayPassIsAskedAgainAndChangesNothing) {
  write_topics(60);
  synthesize_undisturbed();
  TeacherServer server([](Connection& connection, std::uint64_t hash, std::size_t times) {
    if (times > 0 || hash % 3 != 0) return false;
    switch (hash / 3 % 8) {
      case 0:
        connection.reset();
        break;
      case 1:
        connection.close();
        break;
      case 2:  // ends in the middle
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"choices\": [");
        connection.close();
        break;
      case 3:
        connection.begin_stream();
        connection.send_event(R"({"choices": [{"delta": {"content": "[1"}}]})");
        connection.close();
        break;
      case 4:
        connection.send_json(500, "<html>oh");
        break;
      case 5:
        connection.send_json(503, "{}");
        break;
      case 6:
        connection.send_json(429, R"({"error": {"message": "slow down"}})");
        break;
      default:
        connection.send_json(429, "{}", "Retry-After: 1\r\n");
    }
    return true;
  });
  const Outcome made = run(synthesize("work", server.address()));
  ASSERT_EQ(made.exit_code, 0) << made.err;
  EXPECT_THAT(made.err, HasSubstr("retries: "));
  EXPECT_EQ(timeless("work"), timeless("whole"));
  EXPECT_EQ(server.num_questions(), num_questions_);
  EXPECT_EQ(server.num_answers(), num_questions_);
  expect_made_again_from_its_cache("work");
}

TEST_F(RemoteTeacher, WhatDoesNotPassEndsTheRunWithOneReasonAndTheSameCommandGoesOn) {
  write_topics(30);
  synthesize_undisturbed();
  const std::vector<std::pair<std::string, std::function<void(Connection&)>>> faults = {
      {"HTTP 401: Expired API key: (key)",
       [](Connection& c) {
         c.send_json(401, R"({"error": {"message": "Expired API key: sk-secret"}})");
       }},
      {"HTTP 404: The model `m` does not exist",
       [](Connection& c) {
         c.send_json(404, R"({"error": {"message": "The model `m` does not exist"}})");
       }},
      {"JSON", [](Connection& c) { c.send_json(200, "<html>hello"); }},
      {"choices", [](Connection& c) { c.send_json(200, R"({"answer": "why not"})"); }},
      {"larger than 33554432 bytes",
       [](Connection& c) {
         c.send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n");
         const std::string megabyte(1 << 20, ' ');
         for (int i = 0; i < 50 && c.send(megabyte); ++i) continue;
         c.close();
       }},
  };
  write("key.txt", "sk-secret\n");
  std::atomic<std::size_t> fault = 0;
  std::atomic<bool> is_mended = false;
  TeacherServer server([&](Connection& connection, std::uint64_t hash, std::size_t) {
    if (is_mended || hash % 10 != 0) return false;
    faults[fault].second(connection);
    return true;
  });
  const std::string command = synthesize("work", server.address(), "--key-file key.txt");
  for (; fault < faults.size(); ++fault) {
    const Outcome refused = run(command);
    EXPECT_EQ(refused.exit_code, 1);
    EXPECT_THAT(refused.err, HasSubstr(faults[fault].first));
    EXPECT_THAT(refused.err, HasSubstr("topic t"));
    EXPECT_THAT(refused.err, Not(HasSubstr("secret")));
    EXPECT_EQ(num_lines(refused.err), 1U) << refused.err;
    EXPECT_FALSE(fs::exists(directory_ / "work/samples.jsonl"));
  }
  is_mended = true;
  const Outcome made = run(command);
  ASSERT_EQ(made.exit_code, 0) << made.err;
  EXPECT_EQ(timeless("work"), timeless("whole"));
  expect_made_again_from_its_cache("work");
}

TEST_F(RemoteTeacher, ABudgetEndsTheRunBeforeItIsOverspentAndALargerOneGoesOn) {
  write_topics(60);
  synthesize_undisturbed();
  write("prices.toml", "[model.m]\ninput = 10\noutput = 40\n");  // $0.0018 a question
  TeacherServer server;
  const std::string command =
      synthesize("work", server.address(),
                 "--in-flight 1 --max-thinking 100 --prices prices.toml --budget-usd ");
  const Outcome stopped = run(command + "0.1");
  EXPECT_EQ(stopped.exit_code, 1);
  EXPECT_THAT(stopped.err, HasSubstr("the budget of $0.1000 does not allow another request"));
  EXPECT_EQ(num_lines(stopped.err), 1U) << stopped.err;
  EXPECT_GT(server.num_answers(), 0U);
  EXPECT_LE(static_cast<double>(server.num_answers()) * 0.0018, 0.1);
  const Outcome made = run(command + "100");
  ASSERT_EQ(made.exit_code, 0) << made.err;
  EXPECT_EQ(server.num_answers(), num_questions_);
  const Json sample = json_lines(read("work/samples.jsonl"))[0];
  EXPECT_NEAR(sample["provenance"]["cost_usd"].get<double>(), 2 * 0.0018, 1e-9);
}

TEST_F(RemoteTeacher, ACertificateThatDoesNotMatchIsRefused) {
  write_topics(3);
  const SelfSigned elsewhere("DNS:other.example");
  elsewhere.write((directory_ / "ca.pem").string());
  TeacherServer server({}, &elsewhere);
  const Outcome refused = run(synthesize("work", server.address(), "--ca-file ca.pem"));
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr("certificate"));
  EXPECT_EQ(num_lines(refused.err), 1U) << refused.err;
  EXPECT_EQ(server.num_questions(), 0U);
}

TEST_F(RemoteTeacher, BothEndpointsMayGoDownAndComeBack) {
  write_topics(200);
  synthesize_undisturbed();
  TeacherServer first;
  TeacherServer second;
  std::thread outage([&] {
    while (first.num_answers() + second.num_answers() < 40) std::this_thread::yield();
    first.stop();
    second.stop();
    std::this_thread::sleep_for(std::chrono::seconds(2));
    second.start();
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    first.start();
  });
  const Outcome made = run(synthesize(
      "work", fmt::format("{} {}", first.address(), second.address()), "--concurrency 4"));
  outage.join();
  ASSERT_EQ(made.exit_code, 0) << made.err;
  EXPECT_THAT(made.err, HasSubstr(" outages"));
  EXPECT_EQ(timeless("work"), timeless("whole"));
  // What was under way when the servers went down, at most 4 at each, is asked again.
  EXPECT_LE(first.num_answers() + second.num_answers(), num_questions_ + 8);
  expect_made_again_from_its_cache("work");
}

TEST_F(RemoteTeacher, KilledAtAnyMomentItAsksNothingTwiceAndGivesTheSameSamples) {
  constexpr std::size_t kInFlight = 8;
  write_topics(200);
  const Clock::time_point start = Clock::now();
  synthesize_undisturbed();
  const double whole = seconds_since(start);
  const std::vector<Json> expected = timeless("whole");
  std::mt19937 random(11);
  TeacherServer server;
  const std::string command =
      synthesize("work", server.address(), fmt::format("--in-flight {}", kInFlight));
  std::size_t syntheses = 0;
  const auto check = [&] {
    ++syntheses;
    ASSERT_EQ(timeless("work"), expected);
    expect_made_again_from_its_cache("work");
    fs::remove_all(directory_ / "work");
  };
  for (std::size_t killed = 0; killed < num_kills();) {
    if (ends_before_kill(command, whole / 2, random)) {
      check();
    } else {
      ++killed;
    }
  }
  ASSERT_EQ(run(command).exit_code, 0);
  check();
  // Only what was under way at a kill may be asked again.
  EXPECT_LE(server.num_answers(), syntheses * num_questions_ + num_kills() * kInFlight);
}

}  // namespace
}  // namespace rr
