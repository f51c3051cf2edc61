#include "rr/synth/import.h"

#include <fmt/format.h>

#include <algorithm>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "rr/base/file.h"
#include "rr/base/json.h"
#include "rr/base/wording.h"
#include "rr/rerank/training_data.h"

namespace rr {
namespace {

Error malformed(std::string message, const std::string& where) {
  return {Errc::kMalformed, std::move(message), where};
}

enum class Layout { kAlpaca, kShareGpt, kMessages };

Result<Layout> layout_of(const Json& record, const std::string& where) {
  if (!record.is_object()) return malformed("expected a JSON object for each example", where);
  if (record.contains("conversations")) return Layout::kShareGpt;
  if (record.contains("messages")) return Layout::kMessages;
  if (record.contains("instruction")) return Layout::kAlpaca;
  return malformed(
      "expected \"instruction\" (alpaca), \"conversations\" (sharegpt) or \"messages\", found none",
      where);
}

bool is_one_of(std::string_view key, std::initializer_list<std::string_view> keys) {
  return std::find(keys.begin(), keys.end(), key) != keys.end();
}

bool is_kept(Layout layout, std::string_view key) {
  if (is_one_of(key, {"dataset", "domain", "qid", "template"})) return true;
  switch (layout) {
    case Layout::kAlpaca:
      return is_one_of(key, {"instruction", "input", "output", "system", "history"});
    case Layout::kShareGpt:
      return is_one_of(key, {"conversations", "system"});
    case Layout::kMessages:
      return key == "messages";
  }
  return false;
}

// Without them the example would teach something else.
bool changes_the_meaning(std::string_view key) {
  return is_one_of(key, {"chosen", "rejected", "kto_tag", "tools", "images", "videos", "audios"});
}

bool is_blank(const Json& value) {
  return value == "" || (!value.is_string() && value.empty());  // null, [] and {} are empty
}

// Reads the records of one file and counts what is lost.
class ExampleImporter {
 public:
  explicit ExampleImporter(const ConvertOptions& options) : options_(options) {}

  // The example as a record of sft.jsonl.
  Result<Json> import(const Json& record, const std::string& where) {
    RR_TRY(const Layout layout, layout_of(record, where));
    RR_TRY(const bool lost, check_fields(record, layout, where));
    RR_TRY(Json messages, messages_of(record, layout, where));
    Json example = Json::object();
    for (const char* const key : {"dataset", "domain", "qid", "template"}) {
      if (record.contains(key)) example[key] = record.at(key);
    }
    example["messages"] = std::move(messages);
    RR_TRY(const SftExample checked, sft_example_from_json(example, where));
    ++num_records_;
    num_with_lost_fields_ += lost ? 1 : 0;
    num_with_earlier_replies_ += has_earlier_reply(checked.messages) ? 1 : 0;
    return to_json(checked);
  }

  Conversion conversion() const {
    Conversion result;
    result.records = num_records_;
    if (num_with_lost_fields_ > 0) {
      result.notes.push_back(counted(num_with_lost_fields_, "example") +
                             " with fields that are left out");
    }
    if (num_with_earlier_replies_ > 0) {
      result.notes.push_back(counted(num_with_earlier_replies_, "example") +
                             " with earlier replies, which are not learnt: the last one is");
    }
    return result;
  }

 private:
  // Whether fields are lost.
  Result<bool> check_fields(const Json& record, Layout layout, const std::string& where) const {
    bool lost = false;
    for (const auto& [key, value] : record.items()) {
      if (is_kept(layout, key) || is_blank(value)) continue;
      if (changes_the_meaning(key)) {
        return Error{
            Errc::kRejected,
            fmt::format("an example with \"{}\" is none of supervised fine-tuning on text", key),
            where};
      }
      if (!options_.lossy) {
        return Error{Errc::kRejected,
                     fmt::format("sft.jsonl has no field \"{}\"; --lossy goes on without it", key),
                     where};
      }
      lost = true;
    }
    return lost;
  }

  static Result<Json> messages_of(const Json& record, Layout layout, const std::string& where) {
    if (layout == Layout::kMessages) return record.at("messages");
    Json messages = Json::array();
    RR_TRY(const std::string system, optional_string(record, "system", where));
    if (layout == Layout::kAlpaca) {
      RR_TRY_STATUS(add_alpaca(record, where, messages));
    } else {
      RR_TRY_STATUS(add_conversation(record.at("conversations"), where, messages));
    }
    const bool has_system = !messages.empty() && messages.front()["role"] == "system";
    if (!system.empty() && !has_system) messages.insert(messages.begin(), turn("system", system));
    return messages;
  }

  static Json turn(const char* role, const std::string& content) {
    return {{"role", role}, {"content", content}};
  }

  static Status add_alpaca(const Json& record, const std::string& where, Json& messages) {
    const auto history = record.find("history");
    const Json past_turns =
        history == record.end() || history->is_null() ? Json::array() : *history;
    if (!past_turns.is_array()) return malformed("expected \"history\" to be a list", where);
    for (const Json& past : past_turns) {
      const bool is_pair =
          past.is_array() && past.size() == 2 && past[0].is_string() && past[1].is_string();
      if (!is_pair) {
        return malformed("expected \"history\" to be pairs of a prompt and a reply", where);
      }
      messages.push_back(turn("user", past[0].get<std::string>()));
      messages.push_back(turn("assistant", past[1].get<std::string>()));
    }
    RR_TRY(std::string prompt, optional_string(record, "instruction", where));
    RR_TRY(const std::string input, optional_string(record, "input", where));
    if (!prompt.empty() && !input.empty()) prompt += "\n";
    messages.push_back(turn("user", prompt + input));
    RR_TRY(const std::string output, json_string(record, "output", where));
    messages.push_back(turn("assistant", output));
    return ok_status();
  }

  static Status add_conversation(const Json& list, const std::string& where, Json& messages) {
    if (!list.is_array()) return malformed("expected \"conversations\" to be a list", where);
    const char* expected = "human";
    for (const Json& message : list) {
      if (!message.is_object()) return malformed("expected a turn to be an object", where);
      RR_TRY(const std::string from, json_string(message, "from", where));
      RR_TRY(const std::string value, json_string(message, "value", where));
      if (from == "system" && messages.empty()) {
        messages.push_back(turn("system", value));
        continue;
      }
      if (from != expected) {
        return malformed(fmt::format("expected turns of human and gpt one after the other, found "
                                     "\"{}\" in the place of \"{}\"",
                                     from, expected),
                         where);
      }
      const bool is_human = from == "human";
      messages.push_back(turn(is_human ? "user" : "assistant", value));
      expected = is_human ? "gpt" : "human";
    }
    return ok_status();
  }

  static bool has_earlier_reply(const Messages& messages) {
    return std::any_of(messages.begin(), messages.end() - 1,
                       [](const Message& message) { return message.role == Role::kAssistant; });
  }

  ConvertOptions options_;
  std::size_t num_records_ = 0;
  std::size_t num_with_lost_fields_ = 0;
  std::size_t num_with_earlier_replies_ = 0;
};

// A JSON array is read whole, JSON lines one after the other; `look` gets each record.
template <typename Look>
Status for_each_record(const std::filesystem::path& input, const Look& look) {
  RR_TRY(const std::string text, read_file(input));
  const std::string name = display_name(input);
  const std::size_t first = text.find_first_not_of(" \t\r\n\xEF\xBB\xBF");
  if (first != std::string::npos && text[first] == '[') {
    RR_TRY(const Json list, parse_json(std::string_view(text).substr(first), name));
    for (std::size_t i = 0; i < list.size(); ++i) {
      RR_TRY_STATUS(look(list[i], fmt::format("{}: example {}", name, i + 1)));
    }
    return ok_status();
  }
  std::string_view rest = text;
  for (std::size_t number = 1; !rest.empty(); ++number) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    const std::string where = fmt::format("{}:{}", name, number);
    RR_TRY(const Json record, parse_json(line, where));
    RR_TRY_STATUS(look(record, where));
  }
  return ok_status();
}

}  // namespace

Result<Conversion> convert_examples(const std::filesystem::path& input,
                                    const ConvertOptions& options, AtomicFile& output) {
  ExampleImporter importer(options);
  RR_TRY_STATUS(for_each_record(input, [&](const Json& record, const std::string& where) -> Status {
    RR_TRY(const Json example, importer.import(record, where));
    return output.write(to_json_line(example) + "\n");
  }));
  Conversion conversion = importer.conversion();
  if (conversion.records > 0) return conversion;
  return malformed("expected examples, found none", display_name(input));
}

}  // namespace rr
