#include <fmt/core.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "apps/reasonrank/commands.h"
#include "apps/reasonrank/model_command.h"
#include "apps/reasonrank/model_options.h"
#include "rr/base/machine.h"
#include "rr/lm/chat_template.h"
#include "rr/lm_local/local_model.h"
#include "rr/nn/decoder.h"
#include "rr/weights/model_files.h"

namespace rr {
namespace {

struct Options {
  ModelOptions model;
  std::string format = "text";
};

Json describe_shape(const DecoderConfig& config) {
  return {{"architecture", config.architecture},
          {"parameters", config.num_parameters()},
          {"layers", config.num_layers},
          {"hidden_size", config.hidden_size},
          {"heads", config.num_heads},
          {"kv_heads", config.num_kv_heads},
          {"head_dim", config.head_dim},
          {"ffn_size", config.ffn_size},
          {"vocabulary_size", config.vocabulary_size},
          {"tied_embedding", config.has_tied_embedding},
          {"rope_scaling", config.rope.scaling},
          {"context_length", config.context_length}};
}

Json describe_tensors(const ModelFiles& files) {
  std::map<std::string, std::size_t> counts;
  for (const TensorView& tensor : files.tensors()) ++counts[tensor_type_name(tensor.type)];
  return {{"count", files.tensors().size()}, {"bytes", files.total_bytes()}, {"types", counts}};
}

Json describe_tokenizer(const ModelFiles& files) {
  const Result<std::unique_ptr<Tokenizer>> loaded = Tokenizer::load(files);
  if (!loaded.ok()) return {{"missing", loaded.error().message}};
  const Tokenizer& tokenizer = *loaded.value();
  std::vector<std::string> ends;
  for (const TokenId id : tokenizer.end_tokens()) ends.emplace_back(tokenizer.token_bytes(id));
  Json json = {{"kind", "byte-level BPE"},
               {"pretokenizer", tokenizer.pretokenizer_name()},
               {"tokens", tokenizer.vocabulary_size()},
               {"end_tokens", ends}};
  if (const auto begin = tokenizer.begin_token()) {
    json["begin_token"] = tokenizer.token_bytes(*begin);
  }
  return json;
}

Result<Json> describe_chat(const ModelFiles& files, const std::string& name) {
  if (!name.empty()) {
    RR_TRY(const ChatTemplate chat, ChatTemplate::named(name));
    return Json{{"name", chat.name()}};
  }
  const Result<ChatTemplate> chat = ChatTemplate::detect(files);
  if (!chat.ok()) return Json{{"missing", chat.error().message}};
  return Json{{"name", chat.value().name()}};
}

Json describe_memory(const DecoderConfig& config, const LocalModelOptions& options) {
  const MemoryPlan plan = plan_memory(config, options.decoder, options.max_rows);
  const std::size_t kv = plan.kv_bytes_per_token * config.context_length;
  return {{"compute", precision_name(options.decoder.precision)},
          {"weights", plan.weight_bytes},
          {"kv_per_token", plan.kv_bytes_per_token},
          {"kv_at_full_context", kv},
          {"scratch", plan.scratch_bytes},
          {"total_at_full_context", plan.weight_bytes + plan.scratch_bytes + kv}};
}

// The first of these metadata fields that is a text.
std::optional<std::string> metadata_text(const Json& metadata,
                                         std::initializer_list<const char*> keys) {
  for (const char* key : keys) {
    const auto it = metadata.find(key);
    if (it != metadata.end() && it->is_string()) return it->get<std::string>();
  }
  return std::nullopt;
}

Result<Json> describe(const Options& options) {
  RR_TRY(const std::filesystem::path path, find_model(options.model));
  RR_TRY(const std::unique_ptr<ModelFiles> files, ModelFiles::open(path));
  RR_TRY(const DecoderConfig config, read_decoder_config(*files));
  Json info = {{"path", path.string()},
               {"format", files->format() == ModelFiles::Format::kGguf ? "GGUF" : "Hugging Face"}};
  if (const auto name = metadata_text(files->metadata(), {"general.name", "_name_or_path"})) {
    info["name"] = *name;
  }
  info.update(describe_shape(config));
  info["tensors"] = describe_tensors(*files);
  info["tokenizer"] = describe_tokenizer(*files);
  RR_TRY(info["chat_template"], describe_chat(*files, options.model.chat_template));
  info["memory"] = describe_memory(config, local_model_options(options.model));
  if (const auto licence = metadata_text(files->metadata(), {"general.license", "license"})) {
    info["licence"] = *licence;
  }
  return info;
}

// 134515008 as "134,515,008".
std::string grouped(std::size_t number) {
  std::string digits = std::to_string(number);
  for (std::size_t end = digits.size(); end > 3; end -= 3) digits.insert(end - 3, 1, ',');
  return digits;
}

void row(const std::string& name, const std::string& value) {
  fmt::print("{:<15}{}\n", name, value);
}

std::string types_text(const Json& tensors) {
  std::vector<std::string> types;
  for (const auto& [type, count] : tensors["types"].items()) {
    types.push_back(fmt::format("{} {}", count.get<std::size_t>(), type));
  }
  return fmt::format("{} ({}), {}", tensors["count"].get<std::size_t>(), fmt::join(types, ", "),
                     bytes_for_people(tensors["bytes"].get<std::size_t>()));
}

std::string no(const Json& part) {
  return fmt::format("none: {}", part["missing"].get<std::string>());
}

std::string tokenizer_text(const Json& tokenizer) {
  if (tokenizer.contains("missing")) return no(tokenizer);
  return fmt::format(
      "{}, {}, {} tokens, ends a reply with {}", tokenizer["kind"].get<std::string>(),
      tokenizer["pretokenizer"].get<std::string>(), grouped(tokenizer["tokens"].get<std::size_t>()),
      fmt::join(tokenizer["end_tokens"].get<std::vector<std::string>>(), ", "));
}

std::string memory_text(const Json& memory) {
  const auto size = [&](const char* key) {
    return bytes_for_people(memory[key].get<std::size_t>());
  };
  return fmt::format("{} for weights, {} a token of context ({} for all of it), {} to work in: {}",
                     size("weights"), size("kv_per_token"), size("kv_at_full_context"),
                     size("scratch"), size("total_at_full_context"));
}

void show(const Json& info) {
  const auto text = [&](const char* key) { return info[key].get<std::string>(); };
  const auto number = [&](const char* key) { return grouped(info[key].get<std::size_t>()); };
  row("model", text("path"));
  if (info.contains("name")) row("name", text("name"));
  row("architecture", fmt::format("{}, {} parameters, {}", text("architecture"),
                                  number("parameters"), text("format")));
  row("layers", number("layers"));
  row("sizes", fmt::format("hidden {}, feed-forward {}, {} heads of {}, {} for keys and values",
                           number("hidden_size"), number("ffn_size"), number("heads"),
                           number("head_dim"), number("kv_heads")));
  row("vocabulary",
      fmt::format("{}, {}", number("vocabulary_size"),
                  info["tied_embedding"].get<bool>() ? "tied to the output" : "own output layer"));
  row("tensors", types_text(info["tensors"]));
  row("tokenizer", tokenizer_text(info["tokenizer"]));
  const Json& chat = info["chat_template"];
  row("chat template", chat.contains("name") ? chat["name"].get<std::string>() : no(chat));
  row("context", fmt::format("{} tokens, rope {}", number("context_length"), text("rope_scaling")));
  row(fmt::format("memory, {}", info["memory"]["compute"].get<std::string>()),
      memory_text(info["memory"]));
  if (info.contains("licence")) row("licence", text("licence"));
}

int inform(const Options& options) {
  const Result<Json> info = describe(options);
  if (!info.ok()) return report_failure(info.error());
  if (options.format == "json") {
    fmt::print("{}\n", to_json_line(info.value()));
  } else {
    show(info.value());
  }
  return kExitOk;
}

}  // namespace

void add_model_info_command(CLI::App& model, int& exit_code) {
  const auto options = std::make_shared<Options>();
  CLI::App* command =
      model.add_subcommand("info", "What a model is, and the memory that it takes to run");
  add_model_options(*command, options->model);
  command->add_option("--format", options->format, "text or json")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  command->callback([options, &exit_code] { exit_code = inform(*options); });
}

}  // namespace rr
