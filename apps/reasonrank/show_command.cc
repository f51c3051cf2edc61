#include <fmt/core.h>

#include <cstdio>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "apps/reasonrank/commands.h"
#include "rr/base/file.h"
#include "rr/base/utf8.h"
#include "rr/base/wording.h"
#include "rr/rerank/trace.h"

namespace rr {
namespace {

constexpr const char* kExamples =
    R"(The trace is what `rerank --trace` wrote; its format is in docs/formats/trace.md.

Examples:
  reasonrank show out.jsonl                 # one line a topic
  reasonrank show out.jsonl --qid 3         # its windows: passages, thoughts, answer, repairs, times
  reasonrank show out.jsonl --qid 3 --full  # with the whole text of the passages)";

struct ShowOptions {
  std::string trace;
  std::string qid;
  bool full = false;
};

constexpr std::size_t kSnippetColumns = 90;

// fmt::print throws where the stream fails; that is asked once, at the end.
template <typename... Args>
void print(fmt::format_string<Args...> format, Args&&... args) {
  std::fputs(fmt::format(format, std::forward<Args>(args)...).c_str(), stdout);
}

Status finish_output() {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return ok_status();
  return Error{Errc::kUnavailable, "cannot be written; is the disk full?", "standard output"};
}

// On one line, and cut unless all is wanted.
std::string snippet(const std::string& text, bool full) {
  if (full) return text;
  std::string line;
  std::size_t columns = 0;
  for (std::size_t at = 0; at < text.size();) {
    const DecodedCodePoint decoded = decode_code_point(text, at);
    if (++columns > kSnippetColumns) return line + "…";
    const bool is_control = decoded.code_point < 0x20 || decoded.code_point == 0x7F;
    line += is_control ? " " : text.substr(at, decoded.length);
    at += decoded.length;
  }
  return line;
}

std::string repairs_text(const Json& repairs) {
  std::string text;
  for (const auto& [name, count] : repairs.items()) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name, count.dump());
  }
  return text.empty() ? "none" : text;
}

std::string order_text(const TraceWindow& window) {
  std::string text;
  for (const std::size_t identifier : window.order) {
    text += fmt::format("{}[{}]", text.empty() ? "" : " > ", identifier);
  }
  return text;
}

using TextsByDocid = std::unordered_map<Docid, const TraceCandidate*>;

void print_passages(const TraceWindow& window, const TextsByDocid& texts, bool full) {
  for (std::size_t i = 0; i < window.docids.size(); ++i) {
    const auto it = texts.find(window.docids[i]);
    const std::string text = it == texts.end() ? "" : snippet(it->second->text, full);
    print("  [{}] {}  {}{}\n", i + 1, window.docids[i].str(), text,
          it != texts.end() && it->second->was_cut ? " (cut)" : "");
  }
}

void print_window(std::size_t number, const TraceWindow& window, const TextsByDocid& texts,
                  bool full) {
  print("\nwindow {}, ranks {}-{}{}\n", number, window.window.start + 1, window.window.end,
        window.window.pass == 0 ? "" : fmt::format(", pass {}", window.window.pass + 1));
  print_passages(window, texts, full);
  if (!window.thoughts.empty()) print("thoughts:\n{}\n", window.thoughts);
  print("answer: {}\n", window.answer.empty() ? "(none)" : window.answer);
  if (!window.order.empty()) print("order: {}\n", order_text(window));
  print("repairs: {}\n", repairs_text(window.repairs));
  print("tokens: {} read, {} written ({} forced){}\n", window.prompt_tokens,
        window.completion_tokens, window.forced_tokens,
        window.budget_spent ? "; the budget for reasoning was spent" : "");
  print("time: {:.2f} s waiting, {:.2f} s reading, {:.2f} s writing\n", window.queued_s,
        window.prefill_s, window.decode_s);
}

void print_topic(const TopicTrace& topic, bool full) {
  TextsByDocid texts;
  for (const TraceCandidate& candidate : topic.candidates) {
    texts.emplace(candidate.docid, &candidate);
  }
  print("topic {}: {}\n", topic.qid.str(), topic.query);
  print("{}, {}, {:.1f} s\n", counted(topic.candidates.size(), "candidate"),
        counted(topic.windows.size(), "window"), topic.seconds);
  if (!topic.settings.empty()) print("settings: {}\n", topic.settings.dump());
  for (std::size_t i = 0; i < topic.windows.size(); ++i) {
    print_window(i + 1, topic.windows[i], texts, full);
  }
  print("\nfinal order\n");
  for (std::size_t i = 0; i < topic.ranking.size(); ++i) {
    const auto it = texts.find(topic.ranking[i].docid);
    print("{:>4}  {:>9.4f}  {}  {}\n", i + 1, topic.ranking[i].score, topic.ranking[i].docid.str(),
          it == texts.end() ? "" : snippet(it->second->text, false));
  }
}

void print_overview(const std::vector<TopicTrace>& topics) {
  print("{:<16} {:>10} {:>7} {:>8} {:>8}  query\n", "qid", "candidates", "windows", "repaired",
        "seconds");
  for (const TopicTrace& topic : topics) {
    print("{:<16} {:>10} {:>7} {:>8} {:>8.1f}  {}\n", topic.qid.str(), topic.candidates.size(),
          topic.windows.size(), report_of(topic).incomplete_answers, topic.seconds,
          snippet(topic.query, false));
  }
}

Error unknown_qid(const std::vector<TopicTrace>& topics, const ShowOptions& options) {
  constexpr std::size_t kMost = 20;
  std::string known;
  for (std::size_t i = 0; i < topics.size() && i < kMost; ++i) {
    known += fmt::format("{}{}", i == 0 ? "" : ", ", topics[i].qid.str());
  }
  if (topics.size() > kMost) known += fmt::format(" and {} more", topics.size() - kMost);
  return {Errc::kNotFound, fmt::format("no topic {}; there are {}", options.qid, known),
          display_name(options.trace)};
}

Status show(const ShowOptions& options) {
  RR_TRY(const std::vector<TopicTrace> topics, read_trace(options.trace));
  if (options.qid.empty()) {
    print_overview(topics);
    return finish_output();
  }
  for (const TopicTrace& topic : topics) {
    if (topic.qid.str() != options.qid) continue;
    print_topic(topic, options.full);
    return finish_output();
  }
  return unknown_qid(topics, options);
}

}  // namespace

void add_show_command(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("show", "Show what the model thought and answered");
  const auto options = std::make_shared<ShowOptions>();
  command->footer(kExamples);
  command->add_option("trace", options->trace, "A trace of `rerank --trace`")->required();
  command->add_option("--qid", options->qid, "The topic to show; without it, one line a topic");
  command->add_flag("--full", options->full, "Show passages whole");
  command->callback([options, &exit_code] {
    const Status status = show(*options);
    if (!status.ok()) exit_code = report_failure(status.error());
  });
}

}  // namespace rr
