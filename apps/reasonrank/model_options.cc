#include "apps/reasonrank/model_options.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <utility>
#include <vector>

#include "apps/reasonrank/choice_option.h"
#include "rr/nn/adapter_stack.h"
#include "rr/nn/overlaid_model.h"
#include "rr/train/trained_model.h"
#include "rr/weights/model_store.h"

namespace rr {
namespace {

const std::vector<std::pair<std::string, Precision>> kPrecisions = {{"bf16", Precision::kBf16},
                                                                    {"f32", Precision::kF32},
                                                                    {"int8", Precision::kInt8},
                                                                    {"int4", Precision::kInt4}};

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
  add_model_options_without_compute(command, options);
  add_choice<Precision>(command, "--compute", options.compute, kPrecisions,
                        "what products are computed in: bf16; f32 for reference; int8 or int4, "
                        "faster and less exact");
  add_choice<KvPrecision>(command, "--kv-type", options.kv,
                          {{"same", KvPrecision::kAsComputed}, {"int8", KvPrecision::kInt8}},
                          "what keys and values are kept in: same, as products take them in; int8, "
                          "half of that, less exact");
}

std::string precision_name(Precision precision) {
  const auto named = std::find_if(kPrecisions.begin(), kPrecisions.end(),
                                  [&](const auto& choice) { return choice.second == precision; });
  return named->first;
}

void add_model_options_without_compute(CLI::App& command, ModelOptions& options) {
  add_model_path_option(command, options);
  command.add_option("--threads", options.num_threads, "0: as many as there are usable cores")
      ->check(CLI::Range(0, 1024))
      ->capture_default_str();
  command.add_option("--chat-template", options.chat_template,
                     "how the model wants a conversation written, where its files do not say: "
                     "qwen2.5, qwen3, smollm2, chatml, llama-3, ...");
}

void add_generator_options(CLI::App& command, GeneratorCommandOptions& options) {
  add_choice<EngineKind>(command, "--engine", options.engine,
                         {{"own", EngineKind::kOwn}, {"llama.cpp", EngineKind::kLlamaCpp}},
                         "what runs the model: own; or llama.cpp, where the program was built with "
                         "it, for other architectures, file types and accelerators");
  command
      .add_option("--gpu-layers", options.gpu_layers,
                  "layers that llama.cpp puts on an accelerator (default: all, where there is one)")
      ->check(CLI::Range(std::size_t{0}, std::size_t{100000}));
  command
      .add_option("--context", options.context,
                  "tokens of a prompt with its reply that llama.cpp has room for (default: the "
                  "model's own context, at most 16384)")
      ->check(CLI::Range(std::size_t{512}, std::size_t{1} << 30));
  command
      .add_option("--kv-memory", options.kv_memory,
                  "memory for keys and values, such as 2GiB or 500MB; 0: three quarters of what is "
                  "free (llama.cpp: half of it)")
      ->transform(CLI::AsSizeValue(false))
      ->capture_default_str();
  command.add_flag("--speculation,!--no-speculation", options.speculation,
                   "guess ahead what repeats the text before it, where few texts are written at "
                   "once; what is written does not depend on it (on)");
  command.add_flag("--stats", options.stats,
                   "tell at the end where time and memory went, on standard error");
  command
      .add_option("--step-log", options.step_log,
                  "write what each step of the model was made of, as JSONL (--engine own)")
      ->type_name("FILE");
}

void add_adapter_option(CLI::App& command, ModelOptions& options) {
  command
      .add_option(
          "--adapter", options.adapters,
          "what training made of the model: a folder with a LoRA adapter as PEFT has it, or "
          "the folder of a run of `train`; may be given again")
      ->type_name("FOLDER");
}

Status check_no_step_log(const GeneratorCommandOptions& options) {
  if (options.step_log.empty()) return ok_status();
  return Error{Errc::kMalformed, "--step-log needs a model here, whose steps it can tell", ""};
}

LocalModelOptions local_model_options(const ModelOptions& options) {
  LocalModelOptions local;
  local.decoder.precision = options.compute;
  local.decoder.kv = options.kv;
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

Result<std::unique_ptr<ModelFiles>> open_model_files(const std::filesystem::path& path,
                                                     const std::vector<std::string>& adapters) {
  RR_TRY(std::unique_ptr<ModelFiles> base, ModelFiles::open(path));
  if (adapters.empty()) return base;
  RR_TRY(std::unique_ptr<OverlaidModel> model, OverlaidModel::create(std::move(base)));
  for (const std::string& adapter : adapters) RR_TRY_STATUS(lay_adapter_over(*model, adapter));
  return std::unique_ptr<ModelFiles>(std::move(model));
}

namespace {

// For weights in few bits, into which adapters cannot be worked.
Result<std::unique_ptr<LocalModel>> load_with_adapters_beside(const std::filesystem::path& path,
                                                              const ModelOptions& options) {
  RR_TRY(std::unique_ptr<ModelFiles> base, ModelFiles::open(path));
  RR_TRY(const DecoderConfig config, read_decoder_config(*base));
  RR_TRY(const std::unique_ptr<OverlaidModel> files, OverlaidModel::create(std::move(base)));
  AdapterStack adapters(config);
  for (const std::string& adapter : options.adapters) {
    RR_TRY_STATUS(lay_adapter_beside(*files, adapters, adapter));
  }
  LocalModelOptions local = local_model_options(options);
  if (!adapters.empty()) local.decoder.lora = adapters.shape();
  RR_TRY(std::unique_ptr<LocalModel> model, LocalModel::load(*files, local));
  if (!adapters.empty()) model->decoder().adopt(adapters.parameters());
  return model;
}

}  // namespace

Result<std::unique_ptr<LocalModel>> load_model(const ModelOptions& options) {
  RR_TRY(const std::filesystem::path path, find_model(options));
  if (options.adapters.empty()) return LocalModel::load(path, local_model_options(options));
  if (options.compute == Precision::kInt8 || options.compute == Precision::kInt4) {
    return load_with_adapters_beside(path, options);
  }
  RR_TRY(const std::unique_ptr<ModelFiles> files, open_model_files(path, options.adapters));
  return LocalModel::load(*files, local_model_options(options));
}

}  // namespace rr
