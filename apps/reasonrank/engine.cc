#include "apps/reasonrank/engine.h"

#include <fmt/core.h>

#include <filesystem>
#include <utility>

#include "apps/reasonrank/step_log.h"
#include "rr/base/machine.h"
#include "rr/lm/generation_counters.h"
#include "rr/lm_llama/llama_generator.h"
#include "rr/lm_local/local_generator.h"

namespace rr {
namespace {

double rate(std::size_t tokens, double seconds) {
  return seconds > 0 ? static_cast<double>(tokens) / seconds : 0.0;
}

double share(std::size_t part, std::size_t whole) {
  return whole > 0 ? 100 * static_cast<double>(part) / static_cast<double>(whole) : 0.0;
}

std::string format_steps(const char* name, const GenerationCounters::Steps& steps) {
  if (steps.count == 0) return "";
  std::string text = fmt::format("{}: {} steps in {:.2f} s", name, steps.count, steps.seconds);
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
  return text + "\n";
}

std::string format_counters(const GenerationCounters& counters) {
  std::string text = format_steps("steps that read prompts", counters.reading) +
                     format_steps("steps that write", counters.writing) +
                     format_steps("steps that do both", counters.mixed);
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
  return text;
}

std::string format_stats(const LocalGenerator& generator, const LocalModel& model) {
  const GenerationCounters counters = generator.counters();
  const std::size_t block_bytes = model.memory().kv_bytes_per_token * kKvBlockTokens;
  return fmt::format("model: {}, {} threads\n", model.kernel_name(), model.num_threads()) +
         format_counters(counters) +
         fmt::format(
             "keys and values: at most {}; {} blocks dropped, {} requests stopped for want "
             "of memory\n",
             bytes_for_people(counters.max_kv_blocks * block_bytes), counters.evicted_blocks,
             counters.stopped);
}

std::string format_stats(const LlamaGenerator& generator) {
  return fmt::format("model: {}\n", generator.description()) +
         format_counters(generator.counters()) +
         fmt::format("keys and values: room for {} tokens, {}\n", generator.kv_tokens(),
                     bytes_for_people(generator.kv_bytes()));
}

Result<Engine> start_own(const ModelOptions& options, const GeneratorCommandOptions& how,
                         std::size_t max_sequences) {
  if (how.gpu_layers || how.context) {
    return Error{Errc::kRejected,
                 "--gpu-layers and --context need --engine llama.cpp: our own engine runs on the "
                 "CPU, and takes memory as it comes",
                 ""};
  }
  Engine engine;
  RR_TRY(engine.model, load_model(options));
  LocalGeneratorOptions local;
  local.max_sequences = max_sequences;
  local.kv_memory_bytes = how.kv_memory;
  local.speculation = how.speculation;
  std::shared_ptr<StepLog> log;
  if (!how.step_log.empty()) {
    RR_TRY(log, StepLog::create(how.step_log));
    local.on_step = [log](const GenerationStep& step) { log->add(step); };
  }
  auto generator = std::make_unique<LocalGenerator>(*engine.model, local);
  engine.tell = [log, generator = generator.get(), model = engine.model.get(),
                 stats = how.stats]() -> Result<std::string> {
    if (log) RR_TRY_STATUS(log->commit());
    return stats ? format_stats(*generator, *model) : "";
  };
  engine.generator = std::move(generator);
  return engine;
}

Status check_llama(const ModelOptions& options, const GeneratorCommandOptions& how) {
  if (!options.adapters.empty()) {
    return Error{Errc::kRejected,
                 "--adapter needs --engine own; or `reasonrank export` the run or adapter as GGUF, "
                 "and name that with --model",
                 ""};
  }
  if (!how.step_log.empty()) {
    return Error{Errc::kRejected, "--step-log needs --engine own: llama.cpp plans its own steps",
                 ""};
  }
  if (options.kv == KvPrecision::kInt8) {
    return Error{Errc::kRejected,
                 "--kv-type int8 needs --engine own: llama.cpp keeps keys and values in F16", ""};
  }
  if (options.compute == Precision::kBf16) return ok_status();
  return Error{
      Errc::kRejected,
      fmt::format("--compute {} needs --engine own: llama.cpp computes in the types of the "
                  "model's file",
                  precision_name(options.compute)),
      ""};
}

Result<Engine> start_llama(const ModelOptions& options, const GeneratorCommandOptions& how,
                           std::size_t max_sequences) {
  RR_TRY_STATUS(check_llama(options, how));
  RR_TRY(const std::filesystem::path path, find_model(options));
  LlamaOptions llama;
  llama.num_threads = options.num_threads;
  llama.gpu_layers = how.gpu_layers;
  llama.chat_template = options.chat_template;
  llama.max_sequences = max_sequences;
  llama.context_tokens = how.context.value_or(0);
  llama.kv_memory_bytes = how.kv_memory;
  RR_TRY(std::unique_ptr<LlamaGenerator> generator, LlamaGenerator::load(path, llama));
  Engine engine;
  engine.tell = [generator = generator.get(), stats = how.stats]() -> Result<std::string> {
    return stats ? format_stats(*generator) : "";
  };
  engine.generator = std::move(generator);
  return engine;
}

}  // namespace

std::string arithmetic_name(const ModelOptions& model, const GeneratorCommandOptions& generator) {
  if (generator.engine == EngineKind::kOwn) {
    const char* const kv = model.kv == KvPrecision::kInt8 ? ", kv int8" : "";
    return precision_name(model.compute) + kv;
  }
  return "llama.cpp " + LlamaGenerator::library_version();
}

Result<Engine> start_engine(const ModelOptions& model, const GeneratorCommandOptions& generator,
                            std::size_t max_sequences) {
  return generator.engine == EngineKind::kOwn ? start_own(model, generator, max_sequences)
                                              : start_llama(model, generator, max_sequences);
}

}  // namespace rr
