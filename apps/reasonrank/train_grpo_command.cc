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
#include "apps/reasonrank/reward_options.h"
#include "apps/reasonrank/train_command.h"
#include "apps/reasonrank/training_loop.h"
#include "apps/reasonrank/training_ranks.h"
#include "apps/reasonrank/training_run.h"
#include "rr/base/progress.h"
#include "rr/lm_local/local_generator.h"
#include "rr/lm_local/local_model.h"
#include "rr/train/grpo/grpo.h"
#include "rr/train/grpo/grpo_settings.h"
#include "rr/weights/fingerprint.h"

namespace rr {
namespace {

namespace fs = std::filesystem;

constexpr const char* kExamples =
    R"(Each step writes a group of replies to some tasks, rewards them, and makes more likely what was better than
its group. The model is the one given, with the adapters given folded in; KL is measured from it. The folder
gets run.json, metrics.jsonl, samples.jsonl and checkpoints; Ctrl-C writes one more before it stops.

Examples:
  reasonrank train grpo --adapter runs/sft --tasks ranking_tasks.jsonl --validation validation.jsonl -o runs/rl
  reasonrank train grpo --model M --tasks ranking_tasks.jsonl --lora 0 --steps 50 --max-tokens 500 -o runs/rl
  reasonrank train grpo --config grpo.toml --reward published -o runs/rl
  reasonrank train grpo --resume runs/rl
  mpirun -n 4 reasonrank train grpo --tasks ranking_tasks.jsonl -o runs/rl)";

struct Options {
  GrpoSettings settings;
  ModelOptions model;  // --model, --adapter, --threads; the rest is in the settings
  std::string tasks;
  std::string validation;
  std::string reference;
  std::string reward = "strict";
  bool no_deviation = false;
  TrainingRunOptions run;
};

// From the command line, or of the run to go on with.
Result<GrpoSettings> settings_of(const Options& options) {
  if (!options.run.resume.empty()) {
    RR_TRY(const RunFolder folder, RunFolder::open(options.run.resume));
    return grpo_settings_from_json(folder.run().value("settings", Json()),
                                   (folder.path() / "run.json").string());
  }
  GrpoSettings settings = options.settings;
  RR_TRY(const fs::path model, find_model(options.model));
  settings.model = fs::absolute(model).string();
  for (const std::string& adapter : options.model.adapters) {
    settings.adapters.push_back(fs::absolute(adapter).string());
  }
  settings.tasks = fs::absolute(options.tasks).string();
  if (!options.validation.empty()) settings.validation = fs::absolute(options.validation).string();
  if (!options.reference.empty()) settings.reference = fs::absolute(options.reference).string();
  settings.chat_template = options.model.chat_template;
  settings.deviation = !options.no_deviation;
  RR_TRY(RewardOptions reward, find_reward(options.reward));
  reward.format = answer_format(*find_prompt_mode(settings.mode));
  settings.reward = to_json(reward);
  return settings;
}

// Everything that a run is made of.
struct Parts {
  GrpoSettings settings;
  GrpoOptions grpo;
  std::unique_ptr<LocalModel> served;
  std::unique_ptr<LocalModel> reference;  // may be null: GrpoModel::reference
  std::unique_ptr<ThreadPool> pool;
  std::unique_ptr<Learner> learner;
  PromptedTasks train;
  std::optional<PromptedTasks> validation;
  std::string model_sha256;
  std::string reference_sha256;  // of another model than the one that learns
  WritingMemory memory;

  const PromptedTasks* held_out() const { return validation ? &*validation : nullptr; }
};

Status read_tasks(const GrpoSettings& settings, Parts& parts) {
  const TextModel& text = parts.served->text_model();
  const std::size_t limit = prompt_limit(settings, text.context_length);
  RR_TRY(parts.train,
         read_lists(settings.tasks, settings.mode, settings.passage_tokens, text, limit));
  if (settings.validation.empty()) return ok_status();
  RR_TRY(parts.validation,
         read_lists(settings.validation, settings.mode, settings.passage_tokens, text, limit));
  return ok_status();
}

std::size_t weight_bytes(const Parts& parts) {
  const std::size_t served = parts.served->memory().weight_bytes;
  return served + (parts.reference == nullptr ? 0 : parts.reference->memory().weight_bytes);
}

// Of a step's, that one rank writes replies to.
std::size_t tasks_of_a_rank(const GrpoSettings& settings, const Ranks& ranks) {
  return (settings.tasks_per_step + ranks.size() - 1) / ranks.size();
}

// What keys and values of all rollouts of a step take at most.
std::size_t wanted_kv_bytes(const GrpoSettings& settings, const Ranks& ranks, const Parts& parts) {
  const std::size_t a_task = parts.train.longest_prompt() + settings.group * settings.max_tokens;
  return tasks_of_a_rank(settings, ranks) * a_task * parts.served->memory().kv_bytes_per_token;
}

Status check_same_vocabulary(const Tokenizer& one, const Tokenizer& other,
                             const std::string& path) {
  bool is_same = one.vocabulary_size() == other.vocabulary_size();
  const auto size = static_cast<TokenId>(one.vocabulary_size());
  for (TokenId id = 0; is_same && id < size; ++id) {
    is_same = one.token_bytes(id) == other.token_bytes(id);
  }
  if (is_same) return ok_status();
  return Error{Errc::kRejected,
               "expected a reference with the vocabulary of the model that learns, found another",
               path};
}

Status check_reference(const GrpoSettings& settings, const Parts& parts) {
  const LocalModel& reference = *parts.reference;
  RR_TRY_STATUS(
      check_same_vocabulary(parts.served->tokenizer(), reference.tokenizer(), settings.reference));
  const std::size_t needed = parts.train.longest_prompt() + settings.max_tokens;
  if (needed <= reference.context_length()) return ok_status();
  return Error{Errc::kRejected,
               fmt::format("expected a reference that reads prompt and reply, {} tokens, found a "
                           "context of {}; try fewer --max-tokens or a lower --max-prompt",
                           needed, reference.context_length()),
               settings.reference};
}

Status load_reference(const GrpoSettings& settings, const ModelFiles& files,
                      std::size_t num_threads, Parts& parts) {
  if (settings.kl == 0 && !settings.reference.empty()) {
    return Error{Errc::kRejected, "a reference is for KL, and --kl is 0", settings.reference};
  }
  if (settings.kl == 0) return ok_status();
  LocalModelOptions options = reply_writer_options(learner_options(settings).precision,
                                                   settings.chat_template, num_threads, {});
  if (!settings.reference.empty()) {
    options.decoder.as_learner = false;
    RR_TRY(const std::unique_ptr<ModelFiles> reference, ModelFiles::open(settings.reference));
    parts.reference_sha256 = fingerprint(*reference);
    RR_TRY(parts.reference, LocalModel::load(*reference, options));
    return check_reference(settings, parts);
  }
  if (settings.lora > 0) return ok_status();
  RR_TRY(parts.reference, LocalModel::load(files, options));
  return ok_status();
}

Result<Parts> make_parts(const Options& options, const TrainingRanks& ranks) {
  Parts parts;
  RR_TRY(parts.settings, settings_of(options));
  const GrpoSettings& settings = parts.settings;
  RR_TRY(parts.grpo, grpo_options(settings));
  const std::size_t num_threads = ranks.num_threads;
  LearnerOptions learner = learner_options(settings);
  RR_TRY(const std::unique_ptr<ModelFiles> files,
         open_model_files(settings.model, settings.adapters));
  RR_TRY(const DecoderConfig config, read_decoder_config(*files));
  RR_TRY_STATUS(check_settings(settings, config.context_length));
  parts.model_sha256 = fingerprint(*files);
  RR_TRY(parts.served,
         LocalModel::load(*files,
                          reply_writer_options(learner_options(settings).precision,
                                               settings.chat_template, num_threads, learner.lora)));
  RR_TRY_STATUS(read_tasks(settings, parts));
  RR_TRY_STATUS(load_reference(settings, *files, num_threads, parts));
  RR_TRY(parts.memory,
         plan_writing_memory(config, longest_row(settings, parts.train.longest_prompt()),
                             ranks.memory_bytes, weight_bytes(parts),
                             wanted_kv_bytes(settings, *ranks.ranks, parts), learner));
  parts.pool = std::make_unique<ThreadPool>(num_threads);
  RR_TRY(parts.learner, Learner::load(*files, learner, *parts.pool));
  return parts;
}

Json identity_of(const Parts& parts) {
  Json identity = {{"model_sha256", parts.model_sha256}, {"tasks_sha256", parts.train.sha256}};
  if (!parts.reference_sha256.empty()) identity["reference_sha256"] = parts.reference_sha256;
  if (parts.validation) identity["validation_sha256"] = parts.validation->sha256;
  return identity;
}

std::string tasks_line(const char* name, const std::string& path, const PromptedTasks& tasks) {
  std::string line = fmt::format("  {:<11}{}", name, describe(tasks, path));
  if (tasks.num_without_order > 0) {
    line += fmt::format("; {} without a teacher's order, rewarded without that term",
                        tasks.num_without_order);
  }
  return line;
}

void say_plan(const GrpoSettings& settings, const GrpoOptions& grpo, const Parts& parts,
              const TrainingRanks& ranks) {
  std::string model = settings.model;
  for (const std::string& adapter : settings.adapters) model += " + " + adapter;
  say("training " + model);
  say(fmt::format("  {:<11}{:.1f} million, {}", "weights",
                  static_cast<double>(parts.served->config().num_parameters()) / 1e6,
                  settings.lora > 0 ? fmt::format("kept; adapters of rank {} learn", settings.lora)
                                    : std::string("all learn")));
  say(tasks_line("tasks", settings.tasks, parts.train));
  if (parts.validation) say(tasks_line("validation", settings.validation, *parts.validation));
  say(
      fmt::format("  {:<11}{} of {} tasks x {} replies of up to {} tokens, {} update(s) each, rate "
                  "{:g}, {}, clip {:g}, seed {}",
                  "steps", settings.steps, settings.tasks_per_step, settings.group,
                  settings.max_tokens, settings.mini_batches * settings.epochs, grpo.schedule.peak,
                  settings.schedule, settings.clip, settings.seed));
  std::string reward = explain(grpo.reward);
  say(fmt::format("  {:<11}{}", "reward", reward.substr(0, reward.find('\n'))));
  say(fmt::format("  {:<11}{}", "memory",
                  describe(parts.memory, ranks.memory_bytes, parts.served->config().num_layers)));
  say(fmt::format("  {:<11}{} on {} threads, {}", "precision", settings.precision,
                  parts.served->num_threads(), parts.served->kernel_name()));
  if (ranks.ranks->size() > 1) say(ranks.plan_line());
}

class TerminalListener : public GrpoListener {
 public:
  TerminalListener(std::size_t num_done, std::size_t num_steps)
      : progress_("training", num_steps - num_done, "steps"), first_(num_done) {}

  void on_rollouts(std::size_t step, std::size_t done, std::size_t total) override {
    progress_.update(step - 1 - first_, fmt::format("replies {}/{}{}", done, total, last_));
  }
  void on_step(const GrpoStep& step, std::size_t) override {
    last_ = fmt::format(", reward {:.3f}, valid {:.0f} %, KL {:.2g}", step.reward.mean,
                        100 * step.right_answer, step.kl);
    tokens_ += step.rollout_tokens + step.learn_tokens;
    seconds_ += step.seconds;
    progress_.update(
        step.step - first_,
        fmt::format("{:.0f} tokens/s{}", static_cast<double>(tokens_) / seconds_, last_));
    for (const std::string& warning : step.warnings) {
      progress_.clear();
      say(fmt::format("step {}: {}", step.step, warning));
    }
  }
  void on_validation(std::size_t step, const RankingQuality& quality) override {
    progress_.clear();
    say(
        fmt::format("after step {}: nDCG@10 {:.4f}, valid answers {:.1f} %, thinking {:.0f} "
                    "tokens",
                    step, quality.ndcg, 100 * quality.valid, quality.thinking_tokens));
  }
  void on_saved(std::size_t) override {}

  void finish() { progress_.clear(); }

 private:
  Progress progress_;
  std::size_t first_;
  std::string last_;
  std::size_t tokens_ = 0;
  double seconds_ = 0;
};

Result<int> train(const Options& options) {
  watch_for_interrupts();
  RR_TRY(const TrainingRanks joined, join_training_ranks(options.run, options.model.num_threads));
  Ranks& ranks = *joined.ranks;
  const Result<Parts> made = make_parts(options, joined);
  RR_TRY_STATUS(agree(ranks, made));
  const Parts& parts = made.value();
  const GrpoSettings& settings = parts.settings;
  RR_TRY(const RunFolder folder,
         open_training_run(options.run, "grpo", identity_of(parts), to_json(settings), ranks));
  say_plan(settings, parts.grpo, parts, joined);

  LocalGeneratorOptions generator;
  generator.max_sequences =
      std::max<std::size_t>(32, tasks_of_a_rank(settings, ranks) * settings.group);
  generator.kv_memory_bytes = parts.memory.kv_bytes;
  GrpoModel model = {*parts.learner, parts.served->decoder(),
                     [&]() -> std::unique_ptr<Generator> {
                       return std::make_unique<LocalGenerator>(*parts.served, generator);
                     },
                     parts.reference == nullptr ? nullptr : &parts.reference->decoder()};
  GrpoTrainer trainer(std::move(model), parts.train, parts.held_out(), parts.grpo, *parts.pool,
                      ranks);
  return train_to_the_end<TerminalListener>(trainer, folder, settings.steps, "grpo", options.run,
                                            joined);
}

void add_task_options(CLI::App& command, Options& options) {
  const char* const group = "Tasks";
  GrpoSettings& settings = options.settings;
  command
      .add_option("--tasks", options.tasks,
                  "lists to rank: ranking_tasks.jsonl (docs/formats/training-data.md)")
      ->group(group);
  command
      .add_option("--validation", options.validation,
                  "held-out tasks in the same format: their nDCG@10 chooses the best checkpoint")
      ->group(group);
  command.add_option("--mode", settings.mode, "what prompts ask for, as in `rerank`")
      ->check(CLI::IsMember({"reasoning", "direct", "qwen3"}))
      ->capture_default_str()
      ->group(group);
  command.add_option("--passage-tokens", settings.passage_tokens, "of a passage in a prompt")
      ->capture_default_str()
      ->group(group);
  command
      .add_option("--max-prompt", settings.max_prompt,
                  "tokens; tasks with longer prompts are left out")
      ->capture_default_str()
      ->group(group);
}

void add_rollout_options(CLI::App& command, Options& options) {
  const char* const group = "Rollouts";
  GrpoSettings& settings = options.settings;
  command.add_option("--steps", settings.steps)->capture_default_str()->group(group);
  command.add_option("--tasks-per-step", settings.tasks_per_step)
      ->capture_default_str()
      ->group(group);
  command.add_option("--group", settings.group, "replies to each task")
      ->capture_default_str()
      ->group(group);
  command.add_option("--max-tokens", settings.max_tokens, "of a reply, its thoughts included")
      ->capture_default_str()
      ->group(group);
  command
      .add_option("--refills", settings.refills,
                  "replace groups whose rewards are all equal, trying at most so many times a "
                  "step's tasks; 1: take what comes")
      ->capture_default_str()
      ->group(group);
  command
      .add_option("--reward", options.reward,
                  "strict, published, or a TOML file (`reasonrank reward --explain`)")
      ->type_name("NAME|FILE")
      ->capture_default_str()
      ->group(group);
}

void add_objective_options(CLI::App& command, Options& options) {
  const char* const group = "Objective";
  GrpoSettings& settings = options.settings;
  command.add_option("--mini-batches", settings.mini_batches, "updates in one pass over a step")
      ->capture_default_str()
      ->group(group);
  command.add_option("--epochs", settings.epochs, "passes over a step's rollouts")
      ->capture_default_str()
      ->group(group);
  command.add_option("--clip-low", settings.clip_low, "how far a ratio may fall below 1")
      ->capture_default_str()
      ->group(group);
  command.add_option("--clip-high", settings.clip_high, "how far it may rise above 1")
      ->capture_default_str()
      ->group(group);
  command.add_option("--dual-clip", settings.dual_clip, "bound for what was bad; 0: none")
      ->capture_default_str()
      ->group(group);
  command.add_option("--kl", settings.kl, "weight of KL from the model that the run began with")
      ->capture_default_str()
      ->group(group);
  command
      .add_option("--reference", options.reference,
                  "another model that KL is measured from: a GGUF file or a Hugging Face folder")
      ->group(group);
  command.add_option("--loss-mean", settings.loss_mean, "what counts alike: replies or tokens")
      ->check(CLI::IsMember({"sequence", "token"}))
      ->capture_default_str()
      ->group(group);
  command
      .add_flag("--no-deviation", options.no_deviation,
                "do not divide advantages by their group's deviation")
      ->group(group);
  command
      .add_option("--agreement", settings.agreement,
                  "largest mean difference of log-probabilities, written against learnt; 0: 1e-3, "
                  "in f32 1e-5")
      ->capture_default_str()
      ->group(group);
}

void add_learning_options(CLI::App& command, GrpoSettings& settings) {
  add_precision_option(command, settings.precision);
  add_learning_rate_option(command, settings.lr,
                           "peak learning rate; without it 1e-5, with --lora 0 1e-6");
  add_optimiser_options(command, settings);
  command.add_option("--row-tokens", settings.row_tokens, "that go through the learner at once")
      ->capture_default_str();
  command.add_option("--seed", settings.seed, "of tasks, replies and adapters")
      ->capture_default_str();
  add_checkpoint_options(command, settings);
  command
      .add_option("--validate-every", settings.validate_every,
                  "steps between looks at the held-out tasks, one before the first; 0: at the end")
      ->capture_default_str();
  command
      .add_option("--samples", settings.samples,
                  "replies to held-out tasks that samples.jsonl gets each time")
      ->capture_default_str();
}

}  // namespace

void add_train_grpo_command(CLI::App& train_app, int& exit_code) {
  const auto options = std::make_shared<Options>();
  CLI::App* const command =
      train_app.add_subcommand("grpo", "Teach a model by rewards for its own replies");
  add_model_options_without_compute(*command, options->model);
  add_adapter_option(*command, options->model);
  add_training_run_options(*command, options->run);
  add_learning_options(*command, options->settings);
  add_task_options(*command, *options);
  add_rollout_options(*command, *options);
  add_objective_options(*command, *options);
  command->footer(kExamples);
  command->callback([options, command, &exit_code] {
    exit_code =
        call_training(*command, options->run, {"--tasks"}, [&options] { return train(*options); });
  });
}

}  // namespace rr
