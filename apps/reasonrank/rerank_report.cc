#include "apps/reasonrank/rerank_report.h"

#include <fmt/core.h>

#include <algorithm>
#include <string_view>
#include <unordered_map>

#include "rr/base/utf8.h"
#include "rr/base/wording.h"

namespace rr {
namespace {

double rate(std::size_t count, double seconds) {
  return seconds > 0 ? static_cast<double>(count) / seconds : 0;
}

std::string time_line(const RunSummary& summary) {
  if (summary.ran == 0) return "";
  const auto topics = static_cast<double>(summary.ran);
  std::string line = fmt::format("time: {:.1f} s; {:.2f} s a topic amortised", summary.seconds,
                                 summary.seconds / topics);
  if (summary.alone_s) {
    line += fmt::format(", {:.2f} s alone", *summary.alone_s);
  } else {
    line += fmt::format(
        ", {:.2f} s from its start to its end with up to {} at once (--time-alone "
        "measures one alone)",
        summary.topic_seconds / topics, summary.in_flight);
  }
  return line + "\n";
}

std::string token_line(const RunSummary& summary) {
  const RerankReport& report = summary.report;
  if (report.prompt_tokens + report.completion_tokens == 0) return "";
  std::string line =
      fmt::format("tokens: {} read, {} written ({} of them forced)", report.prompt_tokens,
                  report.completion_tokens, report.forced_tokens);
  if (summary.ran > 0) {
    line += fmt::format("; {:.0f} read and {:.1f} written a second",
                        rate(summary.ran_prompt_tokens, summary.seconds),
                        rate(summary.ran_completion_tokens, summary.seconds));
  }
  return line + "\n";
}

std::string answer_line(const RerankReport& report) {
  if (report.incomplete_answers == 0) {
    return fmt::format("answers: {}, all of them permutations\n",
                       counted(report.windows, "window"));
  }
  return fmt::format(
      "answers: {} of {} repaired: {} without an answer; {} missing, {} repeated, {} out of range, "
      "{} digit-like characters\n",
      report.incomplete_answers, counted(report.windows, "window"), report.no_answers,
      report.missing, report.duplicated, report.out_of_range, report.digit_like);
}

std::string limit_lines(const RunSummary& summary) {
  const RerankReport& report = summary.report;
  std::string lines;
  if (report.cut_passages > 0) {
    lines += fmt::format("passages: {} of {} cut to {}\n", report.cut_passages, report.passages,
                         summary.cut_unit);
  }
  if (report.budgets_spent > 0) {
    lines += fmt::format("reasoning: the budget was spent in {} of {}\n", report.budgets_spent,
                         counted(report.windows, "window"));
  }
  if (report.topics_cut_short > 0) {
    lines += fmt::format(
        "deadline: {} ended before {} had run; their ranking is what came before\n",
        counted(report.topics_cut_short, "topic"), counted(report.windows_left, "window"));
  }
  if (summary.thinking_cut > 0) {
    lines += fmt::format("reasoning: the context left less than --max-thinking in {}\n",
                         counted(summary.thinking_cut, "window"));
  }
  if (report.ranks_as_scores > 0) {
    lines += fmt::format("scores: 1/rank in {}, whose choice probabilities are not known\n",
                         counted(report.ranks_as_scores, "topic"));
  }
  return lines;
}

// Columns that a code point takes; near enough for a table of text.
std::string first_columns(std::string_view text, std::size_t width) {
  std::string line;
  std::size_t columns = 0;
  for (std::size_t at = 0; at < text.size();) {
    const DecodedCodePoint decoded = decode_code_point(text, at);
    if (++columns > width) {
      return line + "…";
    }
    const bool is_control = decoded.code_point < 0x20 || decoded.code_point == 0x7F;
    line += is_control ? " " : std::string(text.substr(at, decoded.length));
    at += decoded.length;
  }
  return line;
}

std::unordered_map<std::string_view, const Passage*> by_docid(const Request& request) {
  std::unordered_map<std::string_view, const Passage*> passages;
  for (const Passage& passage : request.candidates) {
    passages.emplace(passage.docid.str(), &passage);
  }
  return passages;
}

std::string one_line(const Passage& passage) {
  std::string text = passage.title.empty() ? "" : passage.title + ": ";
  text += passage.text;
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '\t' || c == '\n' || c == '\r'; }, ' ');
  return text;
}

// What a person need not read: switches that are off, and what sampling would do if it were on.
bool is_unremarkable(const std::string& key, const Json& value, const Json& settings) {
  if (value.is_null() || value == false || value == "default" || value == "keep") return true;
  for (const char* const of_a_file :
       {"version", "inputs", "model_stamp", "adapter_stamps", "index"}) {
    if (key == of_a_file) return true;
  }
  const bool is_greedy = settings.value("temperature", 0.0) == 0;
  const bool is_sampling =
      key == "top_p" || key == "sampling_top_k" || key == "min_p" || key == "seed";
  return is_greedy && is_sampling;
}

}  // namespace

std::string format_summary(const RunSummary& summary) {
  std::string text = fmt::format("reranked {} in {}", counted(summary.report.topics, "topic"),
                                 counted(summary.report.windows, "window"));
  if (summary.resumed > 0) {
    text += fmt::format(", {} before this start", counted(summary.resumed, "topic"));
  }
  text += "\n" + time_line(summary) + token_line(summary) + answer_line(summary.report) +
          limit_lines(summary);
  for (const std::string& note : summary.notes) text += fmt::format("input: {}\n", note);
  if (!summary.published.empty()) text += fmt::format("as published: {}\n", summary.published);
  return text;
}

std::string format_settings(const Json& settings) {
  std::string text;
  for (const auto& [key, value] : settings.items()) {
    if (is_unremarkable(key, value, settings)) continue;
    std::string name = key;
    std::replace(name.begin(), name.end(), '_', ' ');
    const std::string shown = value.is_string() ? value.get<std::string>() : value.dump();
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name, shown);
  }
  return text;
}

std::string format_table(const Request& request, const Ranking& ranking, std::size_t most,
                         std::size_t width) {
  const auto passages = by_docid(request);
  const std::size_t shown = std::min(most, ranking.docs.size());
  std::size_t docid_width = 5;
  for (std::size_t i = 0; i < shown; ++i) {
    docid_width =
        std::max(docid_width, std::min<std::size_t>(24, ranking.docs[i].docid.str().size()));
  }
  const std::size_t used = 4 + 2 + 9 + 2 + docid_width + 2;
  const std::size_t text_width = width > used + 20 ? width - used - 1 : 20;
  std::string table =
      fmt::format("{:>4}  {:>9}  {:<{}}  passage\n", "rank", "score", "docid", docid_width);
  for (std::size_t i = 0; i < shown; ++i) {
    const ScoredDocid& doc = ranking.docs[i];
    table +=
        fmt::format("{:>4}  {:>9.4f}  {:<{}}  {}\n", i + 1, doc.score, doc.docid.str(), docid_width,
                    first_columns(one_line(*passages.at(doc.docid.str())), text_width));
  }
  if (shown < ranking.docs.size()) {
    table += fmt::format("      and {} more\n", ranking.docs.size() - shown);
  }
  return table;
}

std::string format_tsv(const Request& request, const Ranking& ranking) {
  const auto passages = by_docid(request);
  std::string text;
  for (std::size_t i = 0; i < ranking.docs.size(); ++i) {
    const ScoredDocid& doc = ranking.docs[i];
    text += fmt::format("{}\t{}\t{}\t{}\n", i + 1, static_cast<float>(doc.score), doc.docid.str(),
                        one_line(*passages.at(doc.docid.str())));
  }
  return text;
}

}  // namespace rr
