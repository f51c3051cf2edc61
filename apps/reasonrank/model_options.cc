#include "apps/reasonrank/model_options.h"

#include <fmt/core.h>

#include <cstdlib>
#include <optional>

#include "rr/weights/model_store.h"

namespace rr {
namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

void add_model_path_option(CLI::App& command, ModelOptions& options) {
  command.add_option("--model", options.model,
                     "a GGUF file or a Hugging Face folder; without it, the model that "
                     "`reasonrank model pull` fetched");
}

void add_model_options(CLI::App& command, ModelOptions& options) {
  add_model_path_option(command, options);
  command
      .add_option("--precision", options.precision,
                  "of weights and activations: bf16, or f32 for reference")
      ->check(CLI::IsMember({"bf16", "f32"}))
      ->capture_default_str();
  command.add_option("--threads", options.num_threads, "0: as many as there are usable cores")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  command.add_option("--chat-template", options.chat_template,
                     "how the model wants a conversation written, where its files do not say: "
                     "qwen2.5, qwen3, smollm2, chatml, llama-3, ...");
}

LocalModelOptions local_model_options(const ModelOptions& options) {
  LocalModelOptions local;
  local.decoder.precision = options.precision == "f32" ? Precision::kF32 : Precision::kBf16;
  local.num_threads = options.num_threads;
  local.chat_template = options.chat_template;
  return local;
}

std::filesystem::path models_folder() {
  return model_directory(environment("XDG_DATA_HOME"), environment("HOME"));
}

Result<std::filesystem::path> find_model(const ModelOptions& options) {
  if (!options.model.empty()) return std::filesystem::path(options.model);
  const std::filesystem::path folder = models_folder();
  if (const std::optional<std::filesystem::path> found = find_default_model(folder)) return *found;
  return Error{Errc::kNotFound,
               fmt::format("expected the default model in {}, found none; run `reasonrank model "
                           "pull` to fetch it, or name a model with --model",
                           folder.string()),
               ""};
}

Result<std::unique_ptr<LocalModel>> load_model(const ModelOptions& options) {
  RR_TRY(const std::filesystem::path path, find_model(options));
  return LocalModel::load(path, local_model_options(options));
}

}  // namespace rr
