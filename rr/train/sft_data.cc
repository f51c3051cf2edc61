#include "rr/train/sft_data.h"

#include <fmt/core.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include "rr/base/file.h"
#include "rr/base/json.h"
#include "rr/base/sha256.h"

namespace rr {
namespace {

Error malformed(std::string message, const std::string& where) {
  return {Errc::kMalformed, std::move(message), where};
}

// Fields that say where an example is from; nothing depends on them.
bool is_origin(std::string_view key) {
  return key == "dataset" || key == "domain" || key == "qid" || key == "template";
}

enum class Kind { kMessages, kTexts, kIds };

Result<Kind> kind_of(const Json& record, const std::string& where) {
  if (!record.is_object()) return malformed("expected a JSON object", where);
  const bool has_messages = record.contains("messages");
  const bool has_texts = record.contains("prompt") || record.contains("completion");
  const bool has_ids = record.contains("prompt_ids") || record.contains("completion_ids");
  if (has_messages + has_texts + has_ids != 1) {
    return malformed(
        "expected one of {\"messages\"}, {\"prompt\", \"completion\"} and {\"prompt_ids\", "
        "\"completion_ids\"}",
        where);
  }
  for (const auto& [key, value] : record.items()) {
    const bool is_known = is_origin(key) || (has_messages && key == "messages") ||
                          (has_texts && (key == "prompt" || key == "completion")) ||
                          (has_ids && (key == "prompt_ids" || key == "completion_ids"));
    if (!is_known) {
      return malformed(fmt::format("field \"{}\" is unknown here; expected messages, or prompt "
                                   "and completion, or their ids, and dataset, domain, qid, "
                                   "template",
                                   key),
                       where);
    }
  }
  return has_messages ? Kind::kMessages : has_texts ? Kind::kTexts : Kind::kIds;
}

Result<Role> read_role(const Json& message, const std::string& where) {
  RR_TRY(const std::string name, json_string(message, "role", where));
  for (const Role role : {Role::kSystem, Role::kUser, Role::kAssistant}) {
    if (name == role_name(role)) return role;
  }
  return malformed(fmt::format("expected a role system, user or assistant, found \"{}\"", name),
                   where);
}

Result<Messages> read_messages(const Json& record, const std::string& where) {
  const Json& list = record.at("messages");
  if (!list.is_array() || list.empty()) {
    return malformed("expected \"messages\" to be a list with a message", where);
  }
  Messages messages;
  for (const Json& entry : list) {
    if (!entry.is_object()) return malformed("expected a message to be an object", where);
    RR_TRY(const Role role, read_role(entry, where));
    RR_TRY(std::string content, json_string(entry, "content", where));
    messages.push_back({role, std::move(content)});
  }
  if (messages.back().role != Role::kAssistant) {
    return malformed("expected the last message to be the assistant's: it is what is learnt",
                     where);
  }
  if (messages.size() == 1) {
    return malformed("expected a message before the assistant's: the prompt is empty", where);
  }
  return messages;
}

class ExampleReader {
 public:
  ExampleReader(const SftTokens& tokens) : tokens_(tokens) {}

  Result<TokenizedExample> read(const Json& record, const std::string& where) const {
    RR_TRY(const Kind kind, kind_of(record, where));
    if (kind == Kind::kIds) return read_ids(record, where);
    if (tokens_.chat == nullptr) {
      return Error{Errc::kNotFound,
                   "the model's files name no known chat template, so a text cannot become its "
                   "prompt; set one with --chat-template, or give prompt_ids and completion_ids",
                   where};
    }
    if (kind == Kind::kMessages) {
      RR_TRY(Messages messages, read_messages(record, where));
      return encode(std::move(messages), where);
    }
    RR_TRY(std::string prompt, json_string(record, "prompt", where));
    RR_TRY(std::string completion, json_string(record, "completion", where));
    return encode({{Role::kUser, std::move(prompt)}, {Role::kAssistant, std::move(completion)}},
                  where);
  }

 private:
  Result<TokenizedExample> encode(Messages messages, const std::string& where) const {
    const std::string answer = std::move(messages.back().content);
    messages.pop_back();
    if (answer.empty()) return malformed("the completion is empty: nothing to learn", where);
    const RenderedPrompt prompt = tokens_.chat->render(messages);
    const RenderedPrompt completion = tokens_.chat->render_answer(answer);
    TokenizedExample example;
    example.ids = tokens_.tokenizer->encode(prompt.text, prompt.control);
    example.prompt_tokens = example.ids.size();
    const TokenIds learnt = tokens_.tokenizer->encode(completion.text, completion.control);
    example.ids.insert(example.ids.end(), learnt.begin(), learnt.end());
    return example;
  }

  Result<TokenizedExample> read_ids(const Json& record, const std::string& where) const {
    TokenizedExample example;
    RR_TRY_STATUS(append_ids(record, "prompt_ids", where, example.ids));
    example.prompt_tokens = example.ids.size();
    RR_TRY_STATUS(append_ids(record, "completion_ids", where, example.ids));
    return example;
  }

  Status append_ids(const Json& record, const char* key, const std::string& where,
                    TokenIds& ids) const {
    const auto it = record.find(key);
    if (it == record.end() || !it->is_array() || it->empty()) {
      return malformed(fmt::format("expected \"{}\" to be a list with a token id", key), where);
    }
    for (const Json& id : *it) {
      const bool fits = id.is_number_integer() && id.get<std::int64_t>() >= 0 &&
                        id.get<std::uint64_t>() < tokens_.vocabulary_size;
      if (!fits) {
        return malformed(fmt::format("expected \"{}\" to hold ids from 0 to {}, found {}", key,
                                     tokens_.vocabulary_size - 1, to_json_line(id)),
                         where);
      }
      ids.push_back(id.get<TokenId>());
    }
    return ok_status();
  }

  SftTokens tokens_;
};

void cut(TokenizedExample& example, std::size_t max_length) {
  const std::size_t prompt = example.prompt_tokens;
  const std::size_t completion = example.completion_tokens();
  std::size_t kept_completion = completion;
  std::size_t kept_prompt = prompt;
  if (2 * completion < max_length) {
    kept_prompt = max_length - completion;
  } else if (2 * prompt < max_length) {
    kept_completion = max_length - prompt;
  } else {
    kept_completion = std::max<std::size_t>(1, max_length * completion / (prompt + completion));
    kept_prompt = max_length - kept_completion;
  }
  TokenIds ids(example.ids.begin(), example.ids.begin() + static_cast<std::ptrdiff_t>(kept_prompt));
  const auto first = example.ids.begin() + static_cast<std::ptrdiff_t>(prompt);
  ids.insert(ids.end(), first, first + static_cast<std::ptrdiff_t>(kept_completion));
  example.ids = std::move(ids);
  example.prompt_tokens = kept_prompt;
}

void keep(TokenizedExample example, const SftDataOptions& options, SftData& data) {
  if (example.ids.size() > options.max_length) {
    if (options.long_examples == LongExamples::kDrop) {
      ++data.num_dropped;
      return;
    }
    cut(example, options.max_length);
    ++data.num_cut;
  }
  data.examples.push_back(std::move(example));
}

}  // namespace

std::size_t SftData::num_tokens() const {
  std::size_t count = 0;
  for (const TokenizedExample& example : examples) count += example.ids.size();
  return count;
}

std::size_t SftData::num_completion_tokens() const {
  std::size_t count = 0;
  for (const TokenizedExample& example : examples) count += example.completion_tokens();
  return count;
}

Result<SftData> read_sft_data(const std::filesystem::path& path, const SftTokens& tokens,
                              const SftDataOptions& options) {
  SftData data;
  const ExampleReader reader(tokens);
  RR_TRY(const std::string bytes, read_file(path));
  data.sha256 = sha256_hex(bytes);
  std::string_view rest = bytes;
  for (std::size_t line_number = 1; !rest.empty(); ++line_number) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line_number == 1 && line.starts_with("\xEF\xBB\xBF")) line.remove_prefix(3);
    if (line.empty()) continue;
    const std::string where = fmt::format("{}:{}", display_name(path), line_number);
    RR_TRY(const Json record, parse_json(line, where, &data.num_repaired));
    RR_TRY(TokenizedExample example, reader.read(record, where));
    example.line = line_number;
    ++data.num_read;
    keep(std::move(example), options, data);
  }
  if (!data.examples.empty()) return data;
  return Error{Errc::kMalformed,
               data.num_read == 0
                   ? std::string("expected examples, one a line, found none")
                   : fmt::format("all {} examples are longer than {} tokens; raise --max-length, "
                                 "or cut them with --long cut",
                                 data.num_read, options.max_length),
               display_name(path)};
}

}  // namespace rr
