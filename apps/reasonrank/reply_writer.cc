#include "apps/reasonrank/reply_writer.h"

#include <fmt/core.h>

#include <algorithm>

#include "apps/reasonrank/training_run.h"

namespace rr {

LocalModelOptions reply_writer_options(Precision precision, const std::string& chat_template,
                                       std::size_t num_threads,
                                       const std::optional<LoraShape>& lora) {
  LocalModelOptions options;
  options.decoder.precision = precision;
  options.decoder.as_learner = true;
  options.decoder.lora = lora;
  options.num_threads = num_threads;
  options.chat_template = chat_template;
  return options;
}

Result<PromptedTasks> read_lists(const std::filesystem::path& path, const std::string& mode,
                                 std::size_t passage_tokens, const TextModel& model,
                                 std::size_t max_prompt_tokens) {
  const PromptBuilder prompts(
      {*find_prompt_mode(mode), cut_to_tokens(*model.tokenizer, passage_tokens)});
  return read_prompted_tasks(path, prompts, model, max_prompt_tokens);
}

std::string describe(const PromptedTasks& tasks, const std::string& path) {
  std::string text = fmt::format("{}: {} tasks, prompts of up to {} tokens", path,
                                 tasks.tasks.size(), tasks.longest_prompt());
  if (tasks.num_left_out() == 0) return text;
  return text + fmt::format(
                    "; left out: {} with longer prompts, {} with nothing to tell apart, {} with "
                    "one passage",
                    tasks.num_long, tasks.num_hopeless, tasks.num_single);
}

Result<WritingMemory> plan_writing_memory(const DecoderConfig& config, std::size_t row_tokens,
                                          std::size_t limit, std::size_t writer_bytes,
                                          std::size_t wanted_kv_bytes, LearnerOptions& learner) {
  constexpr std::size_t kLeastKv = std::size_t{64} << 20;
  const std::size_t left = limit > writer_bytes ? limit - writer_bytes : 0;
  WritingMemory memory;
  memory.writer_bytes = writer_bytes;
  memory.kv_bytes = std::max(kLeastKv, std::min(wanted_kv_bytes, left / 3));
  const std::size_t for_learning = left > memory.kv_bytes ? left - memory.kv_bytes : 0;
  RR_TRY(memory.training, plan_training_memory(config, row_tokens, for_learning, learner));
  return memory;
}

std::string describe(const WritingMemory& memory, std::size_t limit, std::size_t num_layers) {
  const LearnerMemory& learner = memory.training.learner;
  std::string text = fmt::format(
      "{:.2f} GiB of {:.2f}: {:.2f} weights for products, {:.2f} what learns and its gradients, "
      "{:.2f} optimiser, {:.2f} activations ({} of {} layers kept)",
      in_gib(memory.total()), in_gib(limit), in_gib(learner.weight_bytes + memory.writer_bytes),
      in_gib(learner.parameter_bytes), in_gib(memory.training.optimiser_bytes),
      in_gib(learner.activation_bytes), learner.kept_layers, num_layers);
  if (memory.kv_bytes > 0) text += fmt::format(", {:.2f} keys and values", in_gib(memory.kv_bytes));
  return text;
}

}  // namespace rr
