#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "apps/reasonrank/commands.h"
#include "apps/reasonrank/interrupt.h"
#include "apps/reasonrank/model_options.h"
#include "apps/reasonrank/reply_writer.h"
#include "apps/reasonrank/train_command.h"
#include "apps/reasonrank/training_loop.h"
#include "apps/reasonrank/training_ranks.h"
#include "apps/reasonrank/training_run.h"
#include "rr/base/progress.h"
#include "rr/lm/chat_template.h"
#include "rr/lm/tokenizer.h"
#include "rr/lm_local/local_generator.h"
#include "rr/lm_local/local_model.h"
#include "rr/train/sft.h"
#include "rr/train/sft_settings.h"
#include "rr/weights/fingerprint.h"

namespace rr {
namespace {

namespace fs = std::filesystem;

struct Options {
  SftSettings settings;
  ModelOptions model;  // --model and --threads; the rest is in the settings
  std::string data;
  std::string validation;
  std::string tasks;
  std::string validation_tasks;
  bool no_shuffle = false;
  TrainingRunOptions run;
};

// The files that a run reads, opened and understood.
struct Inputs {
  std::unique_ptr<ModelFiles> files;
  DecoderConfig config;
  std::unique_ptr<Tokenizer> tokenizer;
  std::unique_ptr<const ChatTemplate> chat;  // null: the model has none that is known
  std::optional<SftData> train;
  std::optional<RankingTasks> tasks;
  std::optional<SftData> validation;
  std::optional<RankingTasks> validation_tasks;
  std::optional<AnsweredTasks> answered_tasks;
  std::unique_ptr<LocalModel> writer;  // of the answers

  SftSources sources() const {
    return {pointer(train), pointer(tasks), pointer(validation), pointer(validation_tasks),
            pointer(answered_tasks)};
  }

 private:
  template <typename T>
  static const T* pointer(const std::optional<T>& part) {
    return part ? &*part : nullptr;
  }
};

Status read_examples(const SftSettings& settings, Inputs& inputs) {
  const SftTokens tokens = {inputs.tokenizer.get(), inputs.chat.get(),
                            inputs.config.vocabulary_size};
  const SftDataOptions options = data_options(settings, inputs.config.context_length);
  if (!settings.data.empty()) {
    RR_TRY(inputs.train, read_sft_data(settings.data, tokens, options));
  }
  if (settings.validation.empty()) return ok_status();
  RR_TRY(inputs.validation, read_sft_data(settings.validation, tokens, options));
  return ok_status();
}

Status read_tasks(const SftSettings& settings, Inputs& inputs) {
  const TextModel model = {inputs.tokenizer.get(), inputs.chat.get(), inputs.config.context_length};
  const RankingTaskOptions options = task_options(settings, inputs.config.context_length);
  if (!settings.tasks.empty()) {
    RR_TRY(inputs.tasks, RankingTasks::read(settings.tasks, model, options));
  }
  if (settings.validation_tasks.empty() || settings.validates_answers()) return ok_status();
  RR_TRY(inputs.validation_tasks,
         RankingTasks::read(settings.validation_tasks, model,
                            validation_task_options(settings, inputs.config.context_length)));
  return ok_status();
}

// The lists that are answered in words, and the model that does.
Status read_answered_tasks(const SftSettings& settings, std::size_t num_threads, Inputs& inputs) {
  if (!settings.validates_answers()) return ok_status();
  RR_TRY(inputs.writer,
         LocalModel::load(*inputs.files, reply_writer_options(learner_options(settings).precision,
                                                              settings.chat_template, num_threads,
                                                              learner_options(settings).lora)));
  AnsweredTasks answered;
  RR_TRY(answered.tasks, read_lists(settings.validation_tasks, settings.mode,
                                    settings.passage_tokens, inputs.writer->text_model(),
                                    inputs.config.context_length - settings.max_tokens));
  answered.reward.format = answer_format(*find_prompt_mode(settings.mode));
  answered.max_tokens = settings.max_tokens;
  answered.num_samples = settings.samples;
  answered.decoder = &inputs.writer->decoder();
  inputs.answered_tasks = std::move(answered);
  return ok_status();
}

Result<Inputs> read_inputs(const SftSettings& settings, std::size_t num_threads) {
  Inputs inputs;
  RR_TRY(inputs.files, ModelFiles::open(settings.model));
  RR_TRY(inputs.config, read_decoder_config(*inputs.files));
  RR_TRY_STATUS(check_settings(settings, inputs.config.context_length));
  RR_TRY(inputs.tokenizer, Tokenizer::load(*inputs.files));
  if (!settings.chat_template.empty()) {
    RR_TRY(ChatTemplate chat, ChatTemplate::named(settings.chat_template));
    inputs.chat = std::make_unique<const ChatTemplate>(std::move(chat));
  } else if (auto detected = ChatTemplate::detect(*inputs.files); detected.ok()) {
    inputs.chat = std::make_unique<const ChatTemplate>(std::move(detected).value());
  }
  RR_TRY_STATUS(read_examples(settings, inputs));
  RR_TRY_STATUS(read_tasks(settings, inputs));
  RR_TRY_STATUS(read_answered_tasks(settings, num_threads, inputs));
  return inputs;
}

// What a run is, for run.json, and for --resume to know whether it still is.
Json identity_of(const Inputs& inputs) {
  Json identity = {{"model_sha256", fingerprint(*inputs.files)}};
  if (inputs.train) identity["data_sha256"] = inputs.train->sha256;
  if (inputs.validation) identity["validation_sha256"] = inputs.validation->sha256;
  if (inputs.tasks) identity["tasks_sha256"] = inputs.tasks->sha256();
  if (inputs.validation_tasks) {
    identity["validation_tasks_sha256"] = inputs.validation_tasks->sha256();
  }
  if (inputs.answered_tasks) {
    identity["validation_tasks_sha256"] = inputs.answered_tasks->tasks.sha256;
  }
  return identity;
}

std::string data_line(const char* name, const fs::path& path, const SftData& data,
                      std::size_t max_length) {
  std::string line =
      fmt::format("  {:<11}{}: {} examples, {} tokens, {} of them learnt", name, path.string(),
                  data.examples.size(), data.num_tokens(), data.num_completion_tokens());
  if (data.num_dropped > 0) {
    line += fmt::format("; {} longer than {} dropped", data.num_dropped, max_length);
  }
  if (data.num_cut > 0) line += fmt::format("; {} cut to {}", data.num_cut, max_length);
  if (data.num_repaired > 0) line += fmt::format("; {} bytes repaired", data.num_repaired);
  return line;
}

std::string tasks_line(const char* name, const fs::path& path, const RankingTasks& tasks) {
  std::string line = fmt::format("  {:<11}{}: {} ranking tasks", name, path.string(), tasks.size());
  if (tasks.num_equal() > 0) {
    line += fmt::format("; {} left out in which no passage should stand before another",
                        tasks.num_equal());
  }
  if (tasks.num_long() > 0) line += fmt::format("; {} too long left out", tasks.num_long());
  return line;
}

std::string step_of(const SftSettings& settings, const Inputs& inputs, const SftOptions& options) {
  std::string text;
  if (inputs.train) text = fmt::format("{} examples", options.order.examples_per_step);
  if (!inputs.tasks) return text;
  return fmt::format("{}{}{} tasks ({}, {} of {}, weight {:g})", text, text.empty() ? "" : " and ",
                     settings.tasks_per_step, settings.method, settings.ranking_loss,
                     settings.ranking_target, settings.ranking_weight);
}

void say_plan(const SftSettings& settings, const Inputs& inputs, const SftOptions& options,
              const WritingMemory& memory, const TrainingRanks& ranks) {
  const std::size_t max_length = data_options(settings, inputs.config.context_length).max_length;
  say(fmt::format("training {}", settings.model));
  say(fmt::format("  {:<11}{:.1f} million, {}", "weights",
                  static_cast<double>(inputs.config.num_parameters()) / 1e6,
                  settings.lora > 0 ? fmt::format("kept; adapters of rank {} learn", settings.lora)
                                    : std::string("all learn")));
  if (inputs.train) say(data_line("data", settings.data, *inputs.train, max_length));
  if (inputs.tasks) say(tasks_line("tasks", settings.tasks, *inputs.tasks));
  if (inputs.validation) {
    say(data_line("validation", settings.validation, *inputs.validation, max_length));
  }
  if (inputs.validation_tasks) {
    say(tasks_line("validation", settings.validation_tasks, *inputs.validation_tasks));
  }
  if (inputs.answered_tasks) {
    say(fmt::format("  {:<11}{}, answers of up to {}", "validation",
                    describe(inputs.answered_tasks->tasks, settings.validation_tasks),
                    settings.max_tokens));
  }
  say(
      fmt::format("  {:<11}{} of {}, rate {:g}, {} after {} of warm-up, clip {:g}, weight "
                  "decay {:g}, seed {}",
                  "steps", options.schedule.num_steps, step_of(settings, inputs, options),
                  options.schedule.peak, settings.schedule, options.schedule.warmup_steps,
                  settings.clip, settings.weight_decay, settings.seed));
  say(fmt::format("  {:<11}{}", "memory",
                  describe(memory, ranks.memory_bytes, inputs.config.num_layers)));
  say(fmt::format("  {:<11}{} on {} threads", "precision", settings.precision, ranks.num_threads));
  if (ranks.ranks->size() > 1) say(ranks.plan_line());
}

class TerminalListener : public SftListener {
 public:
  TerminalListener(std::size_t num_done, std::size_t num_steps)
      : progress_("training", num_steps - num_done, "steps"), first_(num_done) {}

  void on_step(const SftStep& step, std::size_t) override {
    last_ = step;
    tokens_ += step.tokens;
    seconds_ += step.seconds;
    progress_.update(step.step - first_,
                     fmt::format("loss {:.4f}, {:.0f} tokens/s", step.loss, rate()));
  }
  void on_validation(std::size_t step, const SftValidation& found) override {
    progress_.clear();
    std::string line = fmt::format("after step {}: held out:", step);
    if (found.loss) line += fmt::format(" loss {:.4f}", *found.loss);
    if (found.ndcg) line += fmt::format(" nDCG@10 {:.4f}", *found.ndcg);
    if (found.answers) {
      line += fmt::format(" nDCG@10 {:.4f}, valid answers {:.1f} %, thinking {:.0f} tokens",
                          found.answers->ndcg, 100 * found.answers->valid,
                          found.answers->thinking_tokens);
    }
    say(line);
  }
  void on_saved(std::size_t) override {}

  void finish() {
    progress_.clear();
    if (!last_) return;
    say(fmt::format("step {}: loss {:.4f}; {} tokens, {:.0f} tokens/s", last_->step, last_->loss,
                    tokens_, rate()));
  }

 private:
  double rate() const { return static_cast<double>(tokens_) / std::max(seconds_, 1e-9); }

  Progress progress_;
  std::size_t first_;
  std::size_t tokens_ = 0;
  double seconds_ = 0;
  std::optional<SftStep> last_;
};

// From the command line, or of the run to go on with.
Result<SftSettings> settings_of(const Options& options) {
  if (!options.run.resume.empty()) {
    RR_TRY(const RunFolder folder, RunFolder::open(options.run.resume));
    return sft_settings_from_json(folder.run().value("settings", Json()),
                                  (folder.path() / "run.json").string());
  }
  SftSettings settings = options.settings;
  RR_TRY(const fs::path model, find_model(options.model));
  settings.model = fs::absolute(model).string();
  const auto name = [](const std::string& file, std::string& setting) {
    if (!file.empty()) setting = fs::absolute(file).string();
  };
  name(options.data, settings.data);
  name(options.validation, settings.validation);
  name(options.tasks, settings.tasks);
  name(options.validation_tasks, settings.validation_tasks);
  settings.chat_template = options.model.chat_template;
  settings.shuffle = !options.no_shuffle;
  return settings;
}

// What keys and values of the answers take that are written at once.
std::size_t wanted_kv_bytes(const Inputs& inputs, std::size_t max_sequences) {
  if (!inputs.answered_tasks) return 0;
  const AnsweredTasks& answered = *inputs.answered_tasks;
  const std::size_t count = std::min(max_sequences, answered.tasks.tasks.size());
  const std::size_t an_answer = answered.tasks.longest_prompt() + answered.max_tokens;
  return count * an_answer * inputs.writer->memory().kv_bytes_per_token;
}

Result<WritingMemory> plan_memory(const SftSettings& settings, const Inputs& inputs,
                                  std::size_t limit, LearnerOptions& learner) {
  const std::size_t row = longest_row(settings, inputs.sources());
  if (inputs.answered_tasks) {
    return plan_writing_memory(inputs.config, row, limit, inputs.writer->memory().weight_bytes,
                               wanted_kv_bytes(inputs, LocalGeneratorOptions().max_sequences),
                               learner);
  }
  WritingMemory memory;
  RR_TRY(memory.training, plan_training_memory(inputs.config, row, limit, learner));
  return memory;
}

// What a run is made of, on this rank.
struct Setup {
  SftSettings settings;
  Inputs inputs;
  LearnerOptions learner;
  WritingMemory memory;
};

Result<Setup> prepare(const Options& options, const TrainingRanks& ranks) {
  Setup setup;
  RR_TRY(setup.settings, settings_of(options));
  RR_TRY(setup.inputs, read_inputs(setup.settings, ranks.num_threads));
  setup.learner = learner_options(setup.settings);
  RR_TRY(setup.memory,
         plan_memory(setup.settings, setup.inputs, ranks.memory_bytes, setup.learner));
  return setup;
}

Result<int> train(const Options& options) {
  watch_for_interrupts();
  RR_TRY(const TrainingRanks joined, join_training_ranks(options.run, options.model.num_threads));
  Ranks& ranks = *joined.ranks;
  Result<Setup> setup = prepare(options, joined);
  RR_TRY_STATUS(agree(ranks, setup));
  auto& [settings, inputs, learner_settings, memory] = setup.value();
  if (inputs.answered_tasks) {
    LocalModel& writer = *inputs.writer;
    const LocalGeneratorOptions generator{.kv_memory_bytes = memory.kv_bytes};
    inputs.answered_tasks->make_generator = [&writer, generator]() -> std::unique_ptr<Generator> {
      return std::make_unique<LocalGenerator>(writer, generator);
    };
  }
  const SftSources sources = inputs.sources();
  const SftOptions sft = sft_options(settings, sources.examples, sources.tasks);
  RR_TRY(const RunFolder folder,
         open_training_run(options.run, "sft", identity_of(inputs), to_json(settings), ranks));
  say_plan(settings, inputs, sft, memory, joined);

  ThreadPool pool(joined.num_threads);
  const auto learner = Learner::load(*inputs.files, learner_settings, pool);
  RR_TRY_STATUS(agree(ranks, learner));
  inputs.files.reset();  // what was read of them counts as memory while they are open
  SftTrainer trainer(*learner.value(), sources, sft, pool, ranks);
  return train_to_the_end<TerminalListener>(trainer, folder, sft.schedule.num_steps, "sft",
                                            options.run, joined);
}

// What learns, and from what.
void add_data_options(CLI::App& command, Options& options) {
  SftSettings& settings = options.settings;
  command.add_option("--data", options.data, "examples: sft.jsonl (docs/formats/training-data.md)");
  command.add_option(
      "--validation", options.validation,
      "held-out examples in the same format: their loss chooses the best checkpoint");
  command.add_option("--tasks", options.tasks,
                     "ranking tasks, learnt by a ranking loss, beside --data or alone: "
                     "ranking_tasks.jsonl (docs/formats/training-data.md)");
  command.add_option(
      "--validation-tasks", options.validation_tasks,
      "held-out tasks: nDCG@10 by --validation-method; without --validation it chooses the best "
      "checkpoint");
  add_training_run_options(command, options.run);
  command
      .add_option("--max-length", settings.max_length,
                  "tokens of an example; 0: the model's context, at most 23552")
      ->capture_default_str();
  command.add_option("--long", settings.long_examples, "what is done with longer ones")
      ->check(CLI::IsMember({"drop", "cut"}))
      ->capture_default_str();
  command
      .add_option("--row-tokens", settings.row_tokens,
                  "tokens that go through the model at once: short examples share a row without "
                  "seeing each other")
      ->capture_default_str();
  command.add_flag("--no-shuffle", options.no_shuffle,
                   "take examples and tasks in the file's order, and passages as they are listed");
  command.add_flag("--group-by-length", settings.group_by_length,
                   "take examples of about one length together");
  command.add_option("--seed", settings.seed, "of order and adapters")->capture_default_str();
}

void add_ranking_options(CLI::App& command, SftSettings& settings) {
  const char* group = "Ranking tasks";
  command
      .add_option(
          "--method", settings.method,
          "what learns to rank: pointwise (the odds of Yes for a passage by itself) or first "
          "(each identifier as the first of the answer), as `rerank --method` asks")
      ->check(CLI::IsMember({"pointwise", "first"}))
      ->capture_default_str()
      ->group(group);
  command
      .add_option("--ranking-loss", settings.ranking_loss,
                  "softmax: cross-entropy with the gains' shares; ranknet: pairs")
      ->check(CLI::IsMember({"softmax", "ranknet"}))
      ->capture_default_str()
      ->group(group);
  command
      .add_option("--ranking-target", settings.ranking_target,
                  "gains from the passages' grades, or 1/rank of the teacher's order")
      ->check(CLI::IsMember({"grades", "order"}))
      ->capture_default_str()
      ->group(group);
  command
      .add_option("--ranking-weight", settings.ranking_weight,
                  "of the ranking loss, against that of the examples")
      ->capture_default_str()
      ->group(group);
  command.add_option("--tasks-per-step", settings.tasks_per_step)
      ->capture_default_str()
      ->group(group);
  command
      .add_option("--passage-tokens", settings.passage_tokens,
                  "tokens of a passage that a prompt holds; give `rerank` the same")
      ->capture_default_str()
      ->group(group);
}

void add_learning_options(CLI::App& command, SftSettings& settings) {
  add_precision_option(command, settings.precision);
  command.add_option("--epochs", settings.epochs)->capture_default_str();
  command.add_option("--steps", settings.steps, "instead of epochs; 0: as epochs say")
      ->capture_default_str();
  command.add_option("--batch-size", settings.batch_size, "examples")->capture_default_str();
  command.add_option("--accumulate", settings.accumulate, "batches a step")->capture_default_str();
  add_learning_rate_option(command, settings.lr,
                           "peak learning rate; without it 5e-6, with --lora 1e-4");
  add_optimiser_options(command, settings);
}

void add_keeping_options(CLI::App& command, Options& options) {
  SftSettings& settings = options.settings;
  add_checkpoint_options(command, settings);
  command
      .add_option("--validate-every", settings.validate_every,
                  "steps between looks at the held-out sets, one before the first; 0: at the end")
      ->capture_default_str();
}

void add_answer_options(CLI::App& command, SftSettings& settings) {
  const char* const group = "Held-out tasks";
  command
      .add_option(
          "--validation-method", settings.validation_method,
          "how they are ranked, as `rerank --method` does it: listwise (answered in words), "
          "pointwise or first; without it as --tasks are learnt, else listwise")
      ->check(CLI::IsMember({"listwise", "pointwise", "first"}))
      ->group(group);
  command.add_option("--mode", settings.mode, "what listwise prompts ask for, as in `rerank`")
      ->check(CLI::IsMember({"reasoning", "direct", "qwen3"}))
      ->capture_default_str()
      ->group(group);
  command.add_option("--max-tokens", settings.max_tokens, "of an answer, its thoughts included")
      ->capture_default_str()
      ->group(group);
  command.add_option("--samples", settings.samples, "answers that samples.jsonl gets each time")
      ->capture_default_str()
      ->group(group);
}

}  // namespace

void add_train_sft_command(CLI::App& train_app, int& exit_code) {
  const auto options = std::make_shared<Options>();
  CLI::App* const command =
      train_app.add_subcommand("sft", "Teach a model to answer as examples do");
  add_model_options_without_compute(*command, options->model);
  add_data_options(*command, *options);
  add_ranking_options(*command, options->settings);
  add_learning_options(*command, options->settings);
  add_keeping_options(*command, *options);
  add_answer_options(*command, options->settings);
  command->footer(
      "Loss is on the last message of an example alone, its end token included. Ranking tasks "
      "teach\n"
      "the model's own probabilities to rank: `rerank --method` uses them. The folder gets "
      "run.json,\n"
      "metrics.jsonl and checkpoints; Ctrl-C writes one more before it stops.\n"
      "Examples:\n"
      "  reasonrank train sft --data sft.jsonl --validation validation.jsonl -o runs/a\n"
      "  reasonrank train sft --data sft.jsonl --validation-tasks lists.jsonl --validate-every 20 "
      "-o runs/a\n"
      "  reasonrank train sft --data sft.jsonl --lora 32 --epochs 3 -o runs/b\n"
      "  reasonrank train sft --data sft.jsonl --lora 32 --compute int4 -o runs/q\n"
      "  reasonrank train sft --tasks ranking_tasks.jsonl --method pointwise --lr 3e-5 -o runs/p\n"
      "  reasonrank train sft --config sft.toml --lr 1e-5 -o runs/c\n"
      "  reasonrank train sft --resume runs/a\n"
      "  mpirun -n 4 reasonrank train sft --data sft.jsonl -o runs/d");
  command->callback([options, command, &exit_code] {
    exit_code = call_training(*command, options->run, {"--data", "--tasks"},
                              [&options] { return train(*options); });
  });
}

}  // namespace rr
