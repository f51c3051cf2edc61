// Reranking through a server that answers each request after a fixed delay: what share of the
// throughput that the delay allows is reached, and what memory it takes. The server is a process of
// its own on 127.0.0.1.
//
//   remote_bench [topics] [concurrency] [delay in ms] [first concurrency]

#include <fmt/core.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "rr/ir/ranking.h"
#include "rr/lm_remote/internal/scripted_server.h"
#include "rr/lm_remote/remote_generator.h"
#include "rr/rerank/driver.h"
#include "rr/rerank/prompt.h"
#include "rr/rerank/window.h"

namespace {

constexpr std::size_t kPassages = 20;
constexpr std::size_t kPassageBytes = 1500;

struct Setting {
  std::size_t topics = 2000;
  std::size_t concurrency = 256;
  double delay_s = 0.5;
  std::size_t first_concurrency = 256;
};

std::string order_of(std::size_t size) {
  std::string order;
  for (std::size_t i = size; i >= 1; --i) order += fmt::format("{}[{}]", i == size ? "" : " > ", i);
  return order;
}

// Serves until it is killed; writes its address to `out`.
[[noreturn]] void serve(double delay_s, int out) {
  const std::string answer =
      fmt::format(R"({{"choices":[{{"message":{{"content":"{}"}},"finish_reason":"stop"}}],)"
                  R"("usage":{{"prompt_tokens":8000,"completion_tokens":100}}}})",
                  order_of(kPassages));
  rr::internal::ScriptedServer server([&](rr::internal::ScriptedServer::Connection& connection,
                                          const rr::internal::SeenRequest& seen) {
    if (seen.method == "GET") {
      return connection.send_json(200, R"({"data":[{"id":"m","owned_by":"bench"}]})");
    }
    std::this_thread::sleep_for(std::chrono::duration<double>(delay_s));
    connection.send_json(200, answer);
  });
  const std::string line = server.address() + "\n";
  if (::write(out, line.data(), line.size()) < 0) ::_exit(1);
  while (true) ::pause();
}

double resident_mib() {
  std::ifstream statm("/proc/self/statm");
  std::size_t total = 0;
  std::size_t resident = 0;
  statm >> total >> resident;
  return static_cast<double>(resident) * static_cast<double>(::sysconf(_SC_PAGESIZE)) / (1 << 20);
}

std::vector<rr::Request> make_requests(std::size_t count) {
  std::vector<rr::Request> requests(count);
  for (std::size_t i = 0; i < count; ++i) {
    requests[i].topic.qid = rr::Qid(std::to_string(i));
    requests[i].topic.query = fmt::format("question {}", i);
    for (std::size_t j = 0; j < kPassages; ++j) {
      rr::Passage passage;
      passage.docid = rr::Docid(fmt::format("{}-{}", i, j));
      while (passage.text.size() < kPassageBytes) passage.text += "some words of a passage ";
      requests[i].candidates.push_back(std::move(passage));
      requests[i].scores.push_back(static_cast<double>(kPassages - j));
    }
  }
  return requests;
}

// Memory as topics end.
class Watch : public rr::RerankListener {
 public:
  explicit Watch(std::size_t topics) : topics_(topics) {}

  rr::Status on_topic(std::size_t, const rr::RerankSession&, const rr::TopicResult&) override {
    ++done_;
    if (done_ == topics_ / 4) quarter_mib_ = resident_mib();
    if (done_ == topics_) end_mib_ = resident_mib();
    return rr::ok_status();
  }

  double quarter_mib() const { return quarter_mib_; }
  double end_mib() const { return end_mib_; }

 private:
  std::size_t topics_;
  std::size_t done_ = 0;
  double quarter_mib_ = 0;
  double end_mib_ = 0;
};

int run(const Setting& setting, const std::string& address) {
  rr::RemoteOptions options;
  options.endpoints = {address};
  options.proxy = "none";
  options.first_concurrency = setting.first_concurrency;
  options.most_concurrency = setting.concurrency;
  auto generator = rr::RemoteGenerator::connect(options);
  if (!generator.ok()) {
    fmt::print(stderr, "{}\n", generator.error().to_string());
    return 1;
  }
  const std::vector<rr::Request> requests = make_requests(setting.topics);
  const auto planner = rr::make_window_planner({}).value();
  const rr::PromptBuilder prompts({.mode = rr::PromptMode::kDirect, .cut = rr::cut_to_words(300)});
  rr::DriverOptions driver;
  driver.max_in_flight = setting.concurrency;
  Watch watch(setting.topics);
  const double before_mib = resident_mib();
  const auto result =
      rr::rerank_all(requests, *generator.value(), *planner, prompts, driver, watch);
  if (!result.ok()) {
    fmt::print(stderr, "{}\n", result.error().to_string());
    return 1;
  }
  const double allowed = static_cast<double>(setting.concurrency) / setting.delay_s;
  const double reached = static_cast<double>(setting.topics) / result.value().seconds;
  fmt::print(
      "{} topics, {} at once (from {}), {:g} s each: {:.2f} s, {:.0f} a second, {:.1f} % of what "
      "the delay allows\n",
      setting.topics, setting.concurrency, setting.first_concurrency, setting.delay_s,
      result.value().seconds, reached, 100 * reached / allowed);
  fmt::print("resident: {:.1f} MiB before, {:.1f} after a quarter, {:.1f} at the end\n", before_mib,
             watch.quarter_mib(), watch.end_mib());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Setting setting;
  const auto number = [&](int index, double otherwise) {
    return index < argc ? std::atof(argv[index]) : otherwise;
  };
  setting.topics = static_cast<std::size_t>(number(1, 2000));
  setting.concurrency = static_cast<std::size_t>(number(2, 256));
  setting.delay_s = number(3, 500) / 1000;
  setting.first_concurrency =
      static_cast<std::size_t>(number(4, static_cast<double>(setting.concurrency)));
  int pipe_ends[2];
  if (::pipe(pipe_ends) != 0) return 1;
  const pid_t server = ::fork();
  if (server == 0) serve(setting.delay_s, pipe_ends[1]);
  std::string address;
  for (char c = 0; ::read(pipe_ends[0], &c, 1) == 1 && c != '\n';) address += c;
  const int exit_code = run(setting, address);
  ::kill(server, SIGKILL);
  ::waitpid(server, nullptr, 0);
  return exit_code;
}
