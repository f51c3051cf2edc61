#include "apps/reasonrank/model_options.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <utility>
#include <vector>

#include "apps/reasonrank/choice_option.h"
#include "rr/base/machine.h"
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
  command
      .add_option("--kv-memory", options.kv_memory,
                  "memory for keys and values, such as 2GiB or 500MB; 0: three quarters of what is "
                  "free")
      ->transform(CLI::AsSizeValue(false))
      ->capture_default_str();
  command.add_flag("--speculation,!--no-speculation", options.speculation,
                   "guess ahead what repeats the text before it, where few texts are written at "
                   "once; what is written does not depend on it (on)");
  command.add_flag("--stats", options.stats,
                   "tell at the end where time and memory went, on standard error");
}

std::string format_stats(const LocalGenerator::Counters& counters, const LocalModel& model) {
  const auto rate = [](std::size_t tokens, double seconds) {
    return seconds > 0 ? static_cast<double>(tokens) / seconds : 0.0;
  };
  const auto share = [](std::size_t part, std::size_t whole) {
    return whole > 0 ? 100 * static_cast<double>(part) / static_cast<double>(whole) : 0.0;
  };
  std::string text =
      fmt::format("model: {}, {} threads\n", model.kernel_name(), model.num_threads());
  const auto add_steps = [&](const char* name, const GenerationCounters::Steps& steps) {
    if (steps.count == 0) return;
    text += fmt::format("{}: {} steps in {:.2f} s", name, steps.count, steps.seconds);
    if (steps.read_tokens > 0) {
      text += fmt::format("; {} tokens read, {:.0f} a second", steps.read_tokens,
                          rate(steps.read_tokens, steps.seconds));
    }
    if (steps.written_tokens > 0) {
      text +=
          fmt::format("; {} written, {:.0f} a second, {:.1f} a step", steps.written_tokens,
                      rate(steps.written_tokens, steps.seconds),
                      static_cast<double>(steps.written_tokens) / static_cast<double>(steps.count));
    }
    text += "\n";
  };
  add_steps("steps that read prompts", counters.reading);
  add_steps("steps that write", counters.writing);
  add_steps("steps that do both", counters.mixed);
  text +=
      fmt::format("prompts: {} tokens, {} ({:.0f} %) known and not read again, {} read ahead\n",
                  counters.prompt_tokens, counters.cached_tokens,
                  share(counters.cached_tokens, counters.prompt_tokens), counters.expected_tokens);
  text +=
      fmt::format("completions: {} tokens, {} ({:.0f} %) forced; most at once {}\n",
                  counters.completion_tokens, counters.forced_tokens,
                  share(counters.forced_tokens, counters.completion_tokens), counters.max_running);
  if (counters.drafted_tokens > 0) {
    text += fmt::format("drafts: {} tokens guessed and read, {} ({:.0f} %) right\n",
                        counters.drafted_tokens, counters.right_drafts,
                        share(counters.right_drafts, counters.drafted_tokens));
  }
  const std::size_t block_bytes = model.memory().kv_bytes_per_token * kKvBlockTokens;
  text += fmt::format(
      "keys and values: at most {}; {} blocks dropped, {} requests stopped for want of memory\n",
      bytes_for_people(counters.max_kv_blocks * block_bytes), counters.evicted_blocks,
      counters.stopped);
  return text;
}

void add_adapter_option(CLI::App& command, ModelOptions& options) {
  command
      .add_option(
          "--adapter", options.adapters,
          "what training made of the model: a folder with a LoRA adapter as PEFT has it, or "
          "the folder of a run of `train`; may be given again")
      ->type_name("FOLDER");
}

LocalModelOptions local_model_options(const ModelOptions& options) {
  LocalModelOptions local;
  local.decoder.precision = options.compute;
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
