#pragma once

#include <CLI/CLI.hpp>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "rr/base/result.h"
#include "rr/lm_local/local_model.h"
#include "rr/weights/model_files.h"

namespace rr {

// Which model a command runs, and how.
struct ModelOptions {
  std::string model;  // a GGUF file or a Hugging Face folder; empty: the default model
  Precision compute = Precision::kBf16;
  KvPrecision kv = KvPrecision::kAsComputed;
  std::size_t num_threads = 0;        // 0: all usable cores
  std::string chat_template;          // empty: as the model's files say
  std::vector<std::string> adapters;  // laid over the model in this order
};

// --model. `options` must outlive `command`.
void add_model_path_option(CLI::App& command, ModelOptions& options);

// --model, --compute, --kv-type, --threads and --chat-template.
void add_model_options(CLI::App& command, ModelOptions& options);

// The same without --compute and --kv-type, for commands that have their own say in it.
void add_model_options_without_compute(CLI::App& command, ModelOptions& options);

// "bf16", "f32", "int8", "int4".
std::string precision_name(Precision precision);

// What runs a model in this process: nn, or llama.cpp.
enum class EngineKind { kOwn, kLlamaCpp };

// How a command's generator uses the machine, and whether it tells.
struct GeneratorCommandOptions {
  EngineKind engine = EngineKind::kOwn;
  std::optional<std::size_t> gpu_layers;  // of llama.cpp, on an accelerator; none: all
  std::optional<std::size_t> context;     // of llama.cpp, in tokens; none: as the model has it
  std::size_t kv_memory = 0;  // bytes for keys and values; 0: three quarters of what is free
  bool speculation = true;
  bool stats = false;
  std::string step_log;  // file; empty: none
};

// --engine, --gpu-layers, --context, --kv-memory, --no-speculation, --stats and --step-log.
void add_generator_options(CLI::App& command, GeneratorCommandOptions& options);

// Fails where --step-log is given; for answers that come from elsewhere or from a recording.
Status check_no_step_log(const GeneratorCommandOptions& options);

// What they mean to the room lm_local. Requires options that the command line has checked.
LocalModelOptions local_model_options(const ModelOptions& options);

// Where `model pull` puts models, as XDG_DATA_HOME and HOME say.
std::filesystem::path models_folder();

// The model's path: --model, else the default model where `model pull` put it. Fails with the
// command to run where it was not pulled.
Result<std::filesystem::path> find_model(const ModelOptions& options);

// --adapter, for commands that run a model.
void add_adapter_option(CLI::App& command, ModelOptions& options);

// A model's files with adapters laid over them, in this order.
Result<std::unique_ptr<ModelFiles>> open_model_files(const std::filesystem::path& path,
                                                     const std::vector<std::string>& adapters);

// find_model() and LocalModel::load(), with the adapters laid over the weights, or beside those of
// 8 and 4 bits.
Result<std::unique_ptr<LocalModel>> load_model(const ModelOptions& options);

}  // namespace rr
