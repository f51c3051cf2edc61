#include "rr/rerank/trace.h"

#include <fmt/core.h>

#include <unordered_set>
#include <utility>

#include "rr/base/file.h"
#include "rr/rerank/permutation.h"

namespace rr {
namespace {

Json repairs_of(const ParsedPermutation& parsed) {
  Json repairs = Json::object();
  const auto add = [&repairs](const char* name, std::size_t count) {
    if (count > 0) repairs[name] = count;
  };
  add("duplicated", parsed.duplicated);
  add("out_of_range", parsed.out_of_range);
  add("missing", parsed.missing);
  add("digit_like", parsed.digit_like);
  add("no_answer", parsed.no_answer ? 1 : 0);
  return repairs;
}

Json messages_to_json(const Messages& messages) {
  Json list = Json::array();
  for (const Message& message : messages) {
    list.push_back({{"role", role_name(message.role)}, {"content", message.content}});
  }
  return list;
}

Json prompt_of(const WindowRecord& record, const RerankSession& session,
               const PromptBuilder& prompts) {
  std::vector<std::string_view> passages;
  for (const std::size_t candidate : record.shown) {
    passages.push_back(session.passage_text(candidate).text);
  }
  return messages_to_json(prompts.build(session.query_text(), passages));
}

Json window_to_json(const WindowRecord& record, const RerankSession& session, AnswerFormat format) {
  Json docids = Json::array();
  for (const std::size_t candidate : record.shown) {
    docids.push_back(session.request().candidates[candidate].docid.str());
  }
  Json order = Json::array();
  for (const std::size_t position : record.parsed.order) order.push_back(position + 1);
  const ReplyParts parts = split_reply(record.reply, format);
  Json json = {{"pass", record.window.pass},
               {"start", record.window.start},
               {"end", record.window.end},
               {"docids", std::move(docids)},
               {"response", record.reply},
               {"thoughts", std::string(parts.thoughts)},
               {"answer", parts.has_answer ? std::string(parts.answer) : std::string()},
               {"order", std::move(order)},
               {"repairs", repairs_of(record.parsed)}};
  if (!record.choice_logprobs.empty()) json["logprobs"] = record.choice_logprobs;
  json["tokens"] = {{"prompt", record.prompt_tokens},
                    {"cached", record.cached_tokens},
                    {"completion", record.completion_tokens},
                    {"forced", record.forced_tokens}};
  if (record.budget_spent) json["budget_spent"] = true;
  json["seconds"] = {
      {"queued", record.queued_s}, {"prefill", record.prefill_s}, {"decode", record.decode_s}};
  return json;
}

Json candidates_to_json(const RerankSession& session) {
  Json list = Json::array();
  const Request& request = session.request();
  for (std::size_t i = 0; i < request.candidates.size(); ++i) {
    Json candidate = {{"docid", request.candidates[i].docid.str()}, {"score", request.scores[i]}};
    const PassageText& text = session.passage_text(i);
    if (!text.text.empty()) candidate["text"] = text.text;
    if (text.was_cut) candidate["cut"] = true;
    list.push_back(std::move(candidate));
  }
  return list;
}

Json ranking_to_json(const std::vector<ScoredDocid>& docs) {
  Json list = Json::array();
  for (const ScoredDocid& doc : docs) {
    list.push_back({{"docid", doc.docid.str()}, {"score", doc.score}});
  }
  return list;
}

// The value of `key`, or what stands for it where it is absent or of another type: only a few
// fields are needed, and a trace of another system has no more.
std::size_t count_or(const Json& object, const char* key, std::size_t otherwise) {
  const auto it = object.find(key);
  return it != object.end() && it->is_number_unsigned() ? it->get<std::size_t>() : otherwise;
}
double number_or(const Json& object, const char* key, double otherwise) {
  const auto it = object.find(key);
  return it != object.end() && it->is_number() ? it->get<double>() : otherwise;
}
std::string text_or(const Json& object, const char* key, const std::string& otherwise) {
  const auto it = object.find(key);
  return it != object.end() && it->is_string() ? it->get<std::string>() : otherwise;
}
Json object_or_empty(const Json& object, const char* key) {
  const auto it = object.find(key);
  return it != object.end() && it->is_object() ? *it : Json::object();
}

Error malformed(const std::string& message, const std::string& where) {
  return {Errc::kMalformed, message, where};
}

Result<const Json*> array_field(const Json& object, const char* key, const std::string& where) {
  const auto it = object.find(key);
  if (it == object.end() || !it->is_array()) {
    return malformed(fmt::format("expected a list \"{}\" in a trace or recording", key), where);
  }
  return &*it;
}

// {"docid": .., ...} or the docid alone.
Result<Docid> docid_of(const Json& entry, const std::string& where) {
  std::string docid;
  if (entry.is_object()) {
    RR_TRY(docid, json_id(entry, "docid", where));
  } else if (entry.is_string()) {
    docid = entry.get<std::string>();
  }
  if (docid.empty()) return malformed("expected a docid", where);
  return Docid(std::move(docid));
}

Result<std::vector<TraceCandidate>> candidates_from_json(const Json& json,
                                                         const std::string& where) {
  RR_TRY(const Json* list,
         array_field(json, json.contains("candidates") ? "candidates" : "initial", where));
  std::vector<TraceCandidate> candidates;
  std::unordered_set<std::string> seen;
  for (const Json& entry : *list) {
    RR_TRY(Docid docid, docid_of(entry, where));
    if (!seen.insert(docid.str()).second) {
      return malformed(fmt::format("document {} stands twice among the candidates", docid.str()),
                       where);
    }
    TraceCandidate candidate{std::move(docid), 0, "", false};
    candidate.score = 1.0 / static_cast<double>(candidates.size() + 1);
    if (entry.is_object()) {
      candidate.score = number_or(entry, "score", candidate.score);
      candidate.text = text_or(entry, "text", "");
      candidate.was_cut = entry.contains("cut");
    }
    candidates.push_back(std::move(candidate));
  }
  return candidates;
}

Result<std::vector<ScoredDocid>> ranking_from_json(const Json& json, const std::string& where) {
  const char* key = json.contains("ranking") ? "ranking" : "final";
  std::vector<ScoredDocid> docs;
  if (!json.contains(key)) return docs;
  RR_TRY(const Json* list, array_field(json, key, where));
  for (const Json& entry : *list) {
    RR_TRY(Docid docid, docid_of(entry, where));
    const double by_rank = 1.0 / static_cast<double>(docs.size() + 1);
    const double score = entry.is_object() ? number_or(entry, "score", by_rank) : by_rank;
    docs.push_back({std::move(docid), score});
  }
  return docs;
}

// What a window's lists say, where they are there and are lists of the right kind.
void read_window_lists(const Json& json, TraceWindow& window) {
  if (const auto it = json.find("docids"); it != json.end() && it->is_array()) {
    for (const Json& docid : *it) window.docids.emplace_back(docid.is_string() ? docid : Json(""));
  }
  if (const auto it = json.find("order"); it != json.end() && it->is_array()) {
    for (const Json& rank : *it) {
      window.order.push_back(rank.is_number_unsigned() ? rank.get<std::size_t>() : 0);
    }
  }
  if (const auto it = json.find("logprobs"); it != json.end() && it->is_array()) {
    for (const Json& value : *it) {
      window.logprobs.push_back(value.is_number() ? value.get<double>() : 0);
    }
  }
}

Result<TraceWindow> window_from_json(const Json& json, std::size_t num_candidates,
                                     const std::string& where) {
  if (!json.is_object()) return malformed("expected a window to be a JSON object", where);
  TraceWindow window;
  constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  window.window = {count_or(json, "start", kNone), count_or(json, "end", kNone),
                   count_or(json, "pass", 0)};
  if (window.window.start >= window.window.end || window.window.end > num_candidates) {
    return malformed(
        fmt::format("expected a window with 0 <= start < end <= {} candidates", num_candidates),
        where);
  }
  RR_TRY(window.response, json_string(json, "response", where));
  window.thoughts = text_or(json, "thoughts", "");
  window.answer = text_or(json, "answer", window.response);
  window.repairs = object_or_empty(json, "repairs");
  read_window_lists(json, window);
  const Json tokens = object_or_empty(json, "tokens");
  window.prompt_tokens = count_or(tokens, "prompt", 0);
  window.cached_tokens = count_or(tokens, "cached", 0);
  window.completion_tokens = count_or(tokens, "completion", 0);
  window.forced_tokens = count_or(tokens, "forced", 0);
  window.budget_spent = json.contains("budget_spent");
  const Json seconds = object_or_empty(json, "seconds");
  window.queued_s = number_or(seconds, "queued", 0);
  window.prefill_s = number_or(seconds, "prefill", 0);
  window.decode_s = number_or(seconds, "decode", 0);
  return window;
}

}  // namespace

Json topic_to_json(const RerankSession& session, const TopicResult& result, const Json& settings,
                   const PromptBuilder* keep_prompts) {
  const auto mode = find_prompt_mode(text_or(settings, "mode", ""));
  const AnswerFormat format = mode ? answer_format(*mode) : AnswerFormat::kTagged;
  Json windows = Json::array();
  for (const WindowRecord& record : session.records()) {
    Json window = window_to_json(record, session, format);
    if (keep_prompts != nullptr) window["messages"] = prompt_of(record, session, *keep_prompts);
    windows.push_back(std::move(window));
  }
  return {{"qid", session.request().topic.qid.str()},
          {"query", session.query_text()},
          {"settings", settings},
          {"candidates", candidates_to_json(session)},
          {"windows", std::move(windows)},
          {"ranking", ranking_to_json(result.ranking.docs)},
          {"seconds", result.seconds},
          {"thinking_cut", result.thinking_cut},
          {"windows_left", result.windows_left}};
}

Result<TopicTrace> topic_from_json(const Json& json, const std::string& where) {
  TopicTrace trace;
  RR_TRY(std::string qid, json_id(json, "qid", where));
  if (qid.empty()) return malformed("expected a qid with text, found an empty one", where);
  trace.qid = Qid(std::move(qid));
  RR_TRY(trace.query, json_string(json, "query", where));
  trace.settings = object_or_empty(json, "settings");
  RR_TRY(trace.candidates, candidates_from_json(json, where));
  RR_TRY(const Json* windows, array_field(json, "windows", where));
  for (const Json& entry : *windows) {
    RR_TRY(TraceWindow window, window_from_json(entry, trace.candidates.size(), where));
    trace.windows.push_back(std::move(window));
  }
  RR_TRY(trace.ranking, ranking_from_json(json, where));
  trace.seconds = number_or(json, "seconds", 0);
  trace.thinking_cut = count_or(json, "thinking_cut", 0);
  trace.windows_left = count_or(json, "windows_left", 0);
  return trace;
}

Result<std::vector<TopicTrace>> read_trace(const std::filesystem::path& path) {
  RR_TRY(LineReader reader, LineReader::open(path));
  std::vector<TopicTrace> topics;
  std::unordered_set<std::string> qids;
  std::string line;
  while (true) {
    RR_TRY(const bool more, reader.next(line));
    if (!more) break;
    if (line.find_first_not_of(" \t\r") == line.npos) continue;
    RR_TRY(const Json json, parse_json(line, reader.where()));
    RR_TRY(TopicTrace topic, topic_from_json(json, reader.where()));
    if (!qids.insert(topic.qid.str()).second) {
      return malformed(fmt::format("topic {} stands in the file twice", topic.qid.str()),
                       reader.where());
    }
    topics.push_back(std::move(topic));
  }
  if (topics.empty()) {
    return malformed("expected one topic a line (JSON), found none", display_name(path));
  }
  return topics;
}

RerankReport report_of(const TopicTrace& trace) {
  RerankReport report;
  report.topics = 1;
  report.windows = trace.windows.size();
  report.windows_left = trace.windows_left;
  report.topics_cut_short = trace.windows_left > 0 ? 1 : 0;
  for (const TraceWindow& window : trace.windows) {
    report.incomplete_answers += window.repairs.empty() ? 0 : 1;
    report.no_answers += count_or(window.repairs, "no_answer", 0);
    report.duplicated += count_or(window.repairs, "duplicated", 0);
    report.out_of_range += count_or(window.repairs, "out_of_range", 0);
    report.missing += count_or(window.repairs, "missing", 0);
    report.digit_like += count_or(window.repairs, "digit_like", 0);
    report.budgets_spent += window.budget_spent ? 1 : 0;
    report.prompt_tokens += window.prompt_tokens;
    report.cached_tokens += window.cached_tokens;
    report.completion_tokens += window.completion_tokens;
    report.forced_tokens += window.forced_tokens;
    report.model_s += window.prefill_s + window.decode_s;
    if (window.logprobs.empty()) report.ranks_as_scores = 1;
  }
  for (const TraceCandidate& candidate : trace.candidates) {
    report.passages += candidate.text.empty() ? 0 : 1;
    report.cut_passages += candidate.was_cut ? 1 : 0;
  }
  return report;
}

}  // namespace rr
