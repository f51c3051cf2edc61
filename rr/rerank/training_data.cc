#include "rr/rerank/training_data.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "rr/base/check.h"
#include "rr/base/file.h"
#include "rr/ir/id_spelling.h"

namespace rr {
namespace {

Error malformed(std::string message, const std::string& where) {
  return Error{Errc::kMalformed, std::move(message), where};
}

std::optional<Role> find_role(std::string_view name) {
  for (const Role role : {Role::kSystem, Role::kUser, Role::kAssistant}) {
    if (name == role_name(role)) return role;
  }
  return std::nullopt;
}

// Fields that say where an example is from; nothing depends on them.
bool is_origin(std::string_view key) {
  return key == "dataset" || key == "domain" || key == "qid" || key == "template";
}

enum class SftForm { kMessages, kTexts, kIds };

Result<SftForm> form_of(const Json& record, const std::string& where) {
  const bool has_messages = record.contains("messages");
  const bool has_texts = record.contains("prompt") || record.contains("completion");
  const bool has_ids = record.contains("prompt_ids") || record.contains("completion_ids");
  if (has_messages + has_texts + has_ids != 1) {
    return malformed(
        "expected one of {\"messages\"}, {\"prompt\", \"completion\"} and {\"prompt_ids\", "
        "\"completion_ids\"}",
        where);
  }
  if (has_messages) return SftForm::kMessages;
  return has_texts ? SftForm::kTexts : SftForm::kIds;
}

bool belongs_to(SftForm form, std::string_view key) {
  switch (form) {
    case SftForm::kMessages:
      return key == "messages";
    case SftForm::kTexts:
      return key == "prompt" || key == "completion";
    case SftForm::kIds:
      return key == "prompt_ids" || key == "completion_ids";
  }
  return false;
}

// A field that is not known might be one that is misspelt.
Status check_fields(const Json& record, SftForm form, const std::string& where) {
  for (const auto& [key, value] : record.items()) {
    if (is_origin(key) || belongs_to(form, key)) continue;
    return malformed(fmt::format("field \"{}\" is unknown here; expected messages, or prompt and "
                                 "completion, or their ids, and dataset, domain, qid, template",
                                 key),
                     where);
  }
  return ok_status();
}

Result<Messages> list_of_messages(const Json& list, const std::string& where) {
  if (!list.is_array() || list.empty()) {
    return malformed("expected \"messages\" to be a list with at least one message", where);
  }
  Messages messages;
  for (const Json& message : list) {
    if (!message.is_object()) return malformed("expected a message to be an object", where);
    RR_TRY(const std::string name, json_string(message, "role", where));
    const std::optional<Role> role = find_role(name);
    if (!role) {
      return malformed(
          fmt::format("expected a \"role\" system, user or assistant, found \"{}\"", name), where);
    }
    RR_TRY(std::string content, json_string(message, "content", where));
    messages.push_back({*role, std::move(content)});
  }
  return messages;
}

// A prompt and what is to be learnt.
Status check_messages(const Messages& messages, const std::string& where) {
  if (messages.back().role != Role::kAssistant) {
    return malformed(fmt::format("expected the last message to be the assistant's, which is what "
                                 "is learnt, found the {}'s",
                                 role_name(messages.back().role)),
                     where);
  }
  if (messages.size() == 1) {
    return malformed("expected a message before the assistant's: the prompt is empty", where);
  }
  if (messages.back().content.empty()) {
    return malformed("the completion is empty: nothing to learn", where);
  }
  return ok_status();
}

Result<Messages> prompt_and_completion(const Json& object, const std::string& where) {
  RR_TRY(std::string prompt, json_string(object, "prompt", where));
  RR_TRY(std::string completion, json_string(object, "completion", where));
  return Messages{{Role::kUser, std::move(prompt)}, {Role::kAssistant, std::move(completion)}};
}

Result<TokenIds> token_ids_from_json(const Json& object, const char* key,
                                     const std::string& where) {
  const auto list = object.find(key);
  if (list == object.end() || !list->is_array() || list->empty()) {
    return malformed(fmt::format("expected \"{}\" to be a list with a token id", key), where);
  }
  TokenIds ids;
  for (const Json& id : *list) {
    const bool fits = id.is_number_unsigned() &&
                      id.get<std::uint64_t>() <= std::uint64_t{std::numeric_limits<TokenId>::max()};
    if (!fits) {
      return malformed(fmt::format("expected token ids in \"{}\", found {}", key, to_json_line(id)),
                       where);
    }
    ids.push_back(id.get<TokenId>());
  }
  return ids;
}

Result<TopicQrels> grades_from_json(const Json& object, const std::string& where) {
  const auto field = object.find("grades");
  if (field == object.end() || !field->is_object()) {
    return malformed("expected a field \"grades\", an object from docid to a whole number", where);
  }
  TopicQrels grades;
  for (const auto& [docid, grade] : field->items()) {
    if (!grade.is_number_integer()) {
      return malformed(fmt::format("expected the grade of \"{}\" to be a whole number, found {}",
                                   docid, grade.dump()),
                       where);
    }
    grades.emplace(Docid(read_spelling(docid)), grade.get<int>());
  }
  return grades;
}

// In the order of the passages, so that the same task gives the same bytes; then what the list
// lacks.
Json grades_to_json(const RankingTask& task) {
  Json grades = Json::object();
  for (const Passage& passage : task.passages) {
    const auto grade = task.grades.find(passage.docid);
    if (grade != task.grades.end()) grades[passage.docid.str()] = grade->second;
  }
  std::vector<std::pair<Docid, int>> others;
  for (const auto& [docid, grade] : task.grades) {
    if (!grades.contains(docid.str())) others.emplace_back(docid, grade);
  }
  std::sort(others.begin(), others.end());
  for (const auto& [docid, grade] : others) grades[docid.str()] = grade;
  return grades;
}

std::vector<Docid> docids_of(std::span<const Passage> passages) {
  std::vector<Docid> docids;
  for (const Passage& passage : passages) docids.push_back(passage.docid);
  return docids;
}

// A list of ids; empty where the field is absent or null.
Result<std::vector<std::string>> ids_from_json(const Json& object, std::string_view key,
                                               const std::string& where) {
  std::vector<std::string> ids;
  const auto list = object.find(key);
  if (list == object.end() || list->is_null()) return ids;
  if (!list->is_array()) {
    return malformed(
        fmt::format("expected \"{}\" to be a list of ids, found {}", key, list->type_name()),
        where);
  }
  for (const Json& value : *list) {
    if (!value.is_string() && !value.is_number_integer()) {
      return malformed(fmt::format("expected ids (strings or whole numbers) in \"{}\", found {}",
                                   key, value.dump()),
                       where);
    }
    ids.push_back(value.is_string() ? value.get<std::string>() : value.dump());
  }
  return ids;
}

template <typename Record>
Result<std::vector<Record>> read_lines(const std::filesystem::path& path,
                                       Result<Record> (*from_json)(const Json&,
                                                                   const std::string&)) {
  RR_TRY(LineReader reader, LineReader::open(path));
  std::vector<Record> records;
  for (std::string line;;) {
    RR_TRY(const bool more, reader.next(line));
    if (!more) return records;
    if (line.find_first_not_of(" \t") == std::string::npos) continue;
    const std::string where = reader.where();
    RR_TRY(const Json json, parse_json(line, where));
    RR_TRY(Record record, from_json(json, where));
    records.push_back(std::move(record));
  }
}

}  // namespace

std::string target_reply(PromptMode mode, std::string_view reasoning,
                         std::span<const std::size_t> order) {
  std::string list;
  for (const std::size_t position : order) {
    list += fmt::format("{}[{}]", list.empty() ? "" : " > ", position + 1);
  }
  RR_CHECK(mode != PromptMode::kPointwise, "a passage by itself is answered by no list");
  if (mode == PromptMode::kDirect || mode == PromptMode::kRankK) return list;
  return fmt::format("<think>\n{}\n</think>\n<answer>{}</answer>", reasoning, list);
}

Messages prompt_of(const RankingTask& task, const PromptBuilder& prompts) {
  std::vector<std::string> texts;
  for (const Passage& passage : task.passages) {
    texts.push_back(prompts.prepare_passage(passage).text);
  }
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  return prompts.build(prompts.prepare_query(task.query), views);
}

SftExample sft_example_of(const RankingTask& task, std::string_view reasoning,
                          const PromptBuilder& prompts) {
  RR_CHECK(task.final_list.size() == task.passages.size(), "an example needs the teacher's order");
  std::unordered_map<Docid, std::size_t> positions;
  for (const Passage& passage : task.passages) positions.emplace(passage.docid, positions.size());
  std::vector<std::size_t> order;
  for (const Docid& docid : task.final_list) order.push_back(positions.at(docid));
  SftExample example{task.dataset, task.domain, task.qid, prompt_template_name(prompts.mode()), {}};
  example.messages = prompt_of(task, prompts);
  example.messages.push_back({Role::kAssistant, target_reply(prompts.mode(), reasoning, order)});
  return example;
}

Json to_json(const SftExample& example) {
  RR_CHECK(!example.is_in_tokens(), "an example in words");
  Json messages = Json::array();
  for (const Message& message : example.messages) {
    messages.push_back({{"role", role_name(message.role)}, {"content", message.content}});
  }
  return {{"dataset", example.dataset},
          {"domain", example.domain},
          {"qid", example.qid.str()},
          {"template", example.template_name},
          {"messages", std::move(messages)}};
}

Json to_json(const RankingTask& task) {
  return {{"dataset", task.dataset},
          {"domain", task.domain},
          {"qid", task.qid.str()},
          {"query", task.query},
          {"passages", passages_to_json(task.passages)},
          {"grades", grades_to_json(task)},
          {"final_list", task.final_list.empty() ? Json() : docids_to_json(task.final_list)}};
}

Result<SftExample> sft_example_from_json(const Json& json, const std::string& where) {
  if (!json.is_object()) return malformed("expected one JSON object a line", where);
  RR_TRY(const SftForm form, form_of(json, where));
  RR_TRY_STATUS(check_fields(json, form, where));
  SftExample example;
  RR_TRY(example.dataset, optional_string(json, "dataset", where));
  RR_TRY(example.domain, optional_string(json, "domain", where));
  RR_TRY(example.template_name, optional_string(json, "template", where));
  if (json.contains("qid")) {
    RR_TRY(const std::string qid, json_id(json, "qid", where));
    example.qid = Qid(read_spelling(qid));
  }
  if (form == SftForm::kIds) {
    RR_TRY(example.prompt_ids, token_ids_from_json(json, "prompt_ids", where));
    RR_TRY(example.completion_ids, token_ids_from_json(json, "completion_ids", where));
    return example;
  }
  if (form == SftForm::kMessages) {
    RR_TRY(example.messages, list_of_messages(json.at("messages"), where));
  } else {
    RR_TRY(example.messages, prompt_and_completion(json, where));
  }
  RR_TRY_STATUS(check_messages(example.messages, where));
  return example;
}

Result<RankingTask> ranking_task_from_json(const Json& json, const std::string& where) {
  if (!json.is_object()) return malformed("expected one JSON object a line", where);
  RankingTask task;
  RR_TRY(task.dataset, optional_string(json, "dataset", where));
  RR_TRY(task.domain, optional_string(json, "domain", where));
  RR_TRY(const std::string qid, json_id(json, "qid", where));
  task.qid = Qid(read_spelling(qid));
  RR_TRY(task.query, json_string(json, "query", where));
  RR_TRY(task.passages, passages_from_json(json, where));
  if (task.passages.empty()) {
    return malformed("expected a field \"passages\" with at least one passage, found none", where);
  }
  RR_TRY(task.grades, grades_from_json(json, where));
  RR_TRY(task.final_list, docids_from_json(json, "final_list", where));
  RR_TRY_STATUS(check_order(docids_of(task.passages), task.final_list, "final_list", where));
  return task;
}

Result<std::vector<SftExample>> read_sft_examples(const std::filesystem::path& path) {
  return read_lines<SftExample>(path, sft_example_from_json);
}

Result<std::vector<RankingTask>> read_ranking_tasks(const std::filesystem::path& path) {
  return read_lines<RankingTask>(path, ranking_task_from_json);
}

Json passages_to_json(std::span<const Passage> passages) {
  Json list = Json::array();
  for (const Passage& passage : passages) {
    Json json = {{"docid", passage.docid.str()}};
    if (!passage.title.empty()) json["title"] = passage.title;
    json["text"] = passage.text;
    list.push_back(std::move(json));
  }
  return list;
}

Result<std::string> optional_string(const Json& object, std::string_view key,
                                    const std::string& where) {
  const auto value = object.find(key);
  if (value == object.end() || value->is_null()) return std::string();
  return json_string(object, key, where);
}

Result<std::vector<Passage>> passages_from_json(const Json& object, const std::string& where) {
  std::vector<Passage> passages;
  const auto list = object.find("passages");
  if (list == object.end() || list->is_null()) return passages;
  if (!list->is_array()) return malformed("expected \"passages\" to be a list of objects", where);
  std::unordered_set<std::string> known;
  for (const Json& json : *list) {
    RR_TRY(const std::string id, json_id(json, "docid", where));
    if (id.empty()) return malformed("expected a docid in \"passages\", found nothing", where);
    if (!known.insert(id).second) {
      return malformed(fmt::format("expected each passage once, found \"{}\" again", id), where);
    }
    RR_TRY(std::string title, optional_string(json, "title", where));
    RR_TRY(std::string text, json_string(json, "text", where));
    passages.push_back({Docid(read_spelling(id)), std::move(title), std::move(text)});
  }
  return passages;
}

Result<std::vector<Docid>> docids_from_json(const Json& object, std::string_view key,
                                            const std::string& where) {
  RR_TRY(const std::vector<std::string> ids, ids_from_json(object, key, where));
  std::vector<Docid> docids;
  std::unordered_set<std::string_view> known;
  for (const std::string& id : ids) {
    if (id.empty()) {
      return malformed(fmt::format("expected docids in \"{}\", found an empty one", key), where);
    }
    if (!known.insert(id).second) {
      return malformed(
          fmt::format("expected each docid once in \"{}\", found \"{}\" again", key, id), where);
    }
    docids.emplace_back(read_spelling(id));
  }
  return docids;
}

Json docids_to_json(std::span<const Docid> docids) {
  Json list = Json::array();
  for (const Docid& docid : docids) list.push_back(docid.str());
  return list;
}

Status check_order(std::span<const Docid> docids, std::span<const Docid> order, const char* key,
                   const std::string& where) {
  if (order.empty()) return ok_status();
  const std::unordered_set<Docid> known(docids.begin(), docids.end());
  for (const Docid& docid : order) {
    if (known.contains(docid)) continue;
    return malformed(fmt::format("expected \"{}\" to order the passages of the list, found \"{}\", "
                                 "which is not among them",
                                 key, docid.str()),
                     where);
  }
  if (order.size() == docids.size()) return ok_status();
  return malformed(fmt::format("expected \"{}\" to order all {} passages of the list, found {}",
                               key, docids.size(), order.size()),
                   where);
}

Status check_relevant_listed(const RankingTask& task, const std::string& file) {
  std::unordered_set<Docid> listed;
  for (const Passage& passage : task.passages) listed.insert(passage.docid);
  for (const auto& [docid, grade] : task.grades) {
    if (grade <= 0 || listed.contains(docid)) continue;
    return Error{Errc::kMalformed,
                 fmt::format("expected every relevant passage in the list, found {} in the grades "
                             "alone",
                             docid.str()),
                 fmt::format("{}, topic {}", file, task.qid.str())};
  }
  return ok_status();
}

}  // namespace rr
