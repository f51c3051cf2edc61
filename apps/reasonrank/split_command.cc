#include <fmt/format.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "apps/reasonrank/commands.h"
#include "apps/reasonrank/sample_inputs.h"
#include "apps/reasonrank/training_prompts.h"
#include "rr/rerank/training_data.h"
#include "rr/synth/split.h"

namespace rr {
namespace {

namespace fs = std::filesystem;

constexpr const char* kExamples =
    R"(Each data set is divided in the same proportions, by the seed. Samples of one query stay together. Lists
that are all positive, or hold a text twice, are no ranking tasks.

Into the folder of -o come sft.jsonl, ranking_tasks.jsonl, validation.jsonl (docs/formats/
training-data.md) and card.md, which says what is in them.

Examples:
  reasonrank split clean.jsonl -o data
  reasonrank split clean.jsonl --model Qwen2.5-7B-Instruct --validation 0.02 --seed 1 -o data)";

struct SplitCommandOptions {
  SampleInputs inputs;
  TrainingPromptOptions prompts;
  SampleSplitOptions split;
  std::string output;
};

struct SplitFiles {
  AtomicFile sft;
  AtomicFile ranking;
  AtomicFile validation;
  AtomicFile card;
};

Result<SplitFiles> create_files(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) {
    return Error{Errc::kRejected, "the folder cannot be made: " + error.message(), folder.string()};
  }
  RR_TRY(AtomicFile sft, AtomicFile::create(folder / "sft.jsonl"));
  RR_TRY(AtomicFile ranking, AtomicFile::create(folder / "ranking_tasks.jsonl"));
  RR_TRY(AtomicFile validation, AtomicFile::create(folder / "validation.jsonl"));
  RR_TRY(AtomicFile card, AtomicFile::create(folder / "card.md"));
  return SplitFiles{std::move(sft), std::move(ranking), std::move(validation), std::move(card)};
}

Status write_part(const Sample& sample, Part part, const TrainingPrompts& prompts,
                  SplitFiles& files) {
  if (part == Part::kLeftOut) return ok_status();
  const RankingTask task = task_of(sample);
  if (part == Part::kSft) {
    const SftExample example = sft_example_of(task, sample.reasoning, prompts.of(sample.domain));
    return files.sft.write(to_json_line(to_json(example)) + "\n");
  }
  AtomicFile& file = part == Part::kRanking ? files.ranking : files.validation;
  return file.write(to_json_line(to_json(task)) + "\n");
}

Status split(const SplitCommandOptions& options) {
  RR_TRY(const std::vector<Sample> samples, read_sample_inputs(options.inputs));
  RR_TRY_STATUS(check_texts(samples));
  RR_TRY(const TrainingPrompts prompts, TrainingPrompts::load(options.prompts));
  RR_TRY(SplitFiles files, create_files(options.output));
  const std::vector<Part> parts = split_samples(samples, options.split);
  std::array<std::size_t, 4> counts = {};
  for (std::size_t i = 0; i < samples.size(); ++i) {
    RR_TRY_STATUS(write_part(samples[i], parts[i], prompts, files));
    ++counts[static_cast<std::size_t>(parts[i])];
  }
  const std::vector<std::string> notes = {
      fmt::format(
          "Split: seed {}, {:g} of each data set for validation, {:g} of the rest as examples",
          options.split.seed, options.split.validation_share, options.split.sft_share),
      fmt::format("Examples: {}", prompts.description())};
  RR_TRY_STATUS(files.card.write(data_card(samples, parts, notes)));
  for (AtomicFile* file : {&files.sft, &files.ranking, &files.validation, &files.card}) {
    RR_TRY_STATUS(file->commit());
  }
  fmt::print(stderr, "{} samples: {} examples, {} ranking tasks, {} for validation, {} left out\n",
             samples.size(), counts[0], counts[1], counts[2], counts[3]);
  return ok_status();
}

}  // namespace

void add_split_command(CLI::App& app, int& exit_code) {
  CLI::App* command =
      app.add_subcommand("split", "Make disjoint training and validation files of samples");
  const auto options = std::make_shared<SplitCommandOptions>();
  add_sample_inputs(*command, options->inputs);
  command
      ->add_option("--sft", options->split.sft_share,
                   "Share that becomes examples; the rest, but for validation, are ranking tasks")
      ->check(CLI::Range(0.0, 1.0))
      ->type_name("X")
      ->capture_default_str();
  command
      ->add_option("--validation", options->split.validation_share,
                   "Share of each data set for validation")
      ->check(CLI::Range(0.0, 1.0))
      ->type_name("X")
      ->capture_default_str();
  command->add_option("--seed", options->split.seed, "Of the split")
      ->type_name("N")
      ->capture_default_str();
  command->add_flag("--keep-noisy", options->split.keep_noisy,
                    "Also make tasks of lists that are all positive or hold a text twice");
  add_training_prompt_options(*command, options->prompts);
  command->add_option("-o,--output", options->output, "Folder of the results")
      ->required()
      ->type_name("FOLDER");
  command->footer(kExamples);
  command->callback([options, &exit_code] {
    const Status status = split(*options);
    exit_code = status.ok() ? kExitOk : report_failure(status.error());
  });
}

}  // namespace rr
