#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "apps/reasonrank/choice_option.h"
#include "apps/reasonrank/commands.h"
#include "apps/reasonrank/export_data.h"
#include "apps/reasonrank/export_run.h"

namespace rr {
namespace {

namespace fs = std::filesystem;

constexpr const char* kExamples =
    R"(Of a run of training: --format peft is an adapter (LoRA runs), safetensors a Hugging Face folder where
the run's model is one, gguf a file where it is one. The checkpoint with the least held-out loss is
taken; without held-out examples, the newest.
Of training data: for LLaMA-Factory reasonrank_sft.jsonl in OpenAI's form and the dataset_info.json that
describes it; give the folder as dataset_dir and reasonrank_sft as dataset. For verl train.json and
val.json, one JSON object a line, with the fields of the published training set. Its versions of 2026
read them as they are; those that read Parquet only (0.4) need one line of Python first:
docs/formats/exports.md.

Examples:
  reasonrank export runs/a --format gguf --type q8_0 -o a.gguf
  reasonrank export runs/b --format peft -o adapter
  reasonrank export data --for llama-factory -o llama-factory
  reasonrank export data --for verl --model Qwen2.5-7B-Instruct -o verl)";

struct ExportOptions {
  std::string folder;
  RunExport run;
  DataExport data;
  std::string output;
};

bool is_there(const fs::path& file) {
  std::error_code error;
  return fs::exists(file, error);
}

// What the folder and the options say does not fit; empty: it does.
std::string misuse(const ExportOptions& options, bool is_run) {
  if (is_run && options.data.trainer) {
    return options.folder + " is the folder of a run: take --format, --for is for training data";
  }
  if (is_run && !options.run.format) {
    return options.folder + " is the folder of a run: say what to write with --format";
  }
  if (!is_run && options.run.format) {
    return options.folder + " is training data: take --for, --format is for the folder of a run";
  }
  if (!is_run && !options.data.trainer) {
    return options.folder + " is training data: say which trainer with --for";
  }
  return is_run ? misuse(options.run) : "";
}

int export_folder(ExportOptions& options) {
  const fs::path folder = options.folder;
  const bool is_run = is_there(folder / "run.json");
  if (!is_run && !is_there(folder / "sft.jsonl") && !is_there(folder / "ranking_tasks.jsonl")) {
    return report_failure({Errc::kNotFound,
                           "expected the folder of a run (with run.json) or training data (with "
                           "sft.jsonl or ranking_tasks.jsonl), found neither",
                           options.folder});
  }
  options.run.run = options.data.data = options.folder;
  options.run.output = options.data.output = options.output;
  if (const std::string wrong = misuse(options, is_run); !wrong.empty()) {
    std::fprintf(stderr, "reasonrank export: %s\n", wrong.c_str());
    return kExitUsage;
  }
  const Status status = is_run ? export_run(options.run) : export_data(options.data);
  return status.ok() ? kExitOk : report_failure(status.error());
}

}  // namespace

void add_export_command(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand(
      "export", "Write what a run learnt as a model, or training files for other trainers");
  const auto options = std::make_shared<ExportOptions>();
  command->add_option("folder", options->folder, "Of a run (`train`), or of data (`split`)")
      ->required()
      ->type_name("FOLDER");
  add_choice<std::optional<ModelFormat>>(*command, "--format", options->run.format,
                                         {{"peft", ModelFormat::kPeft},
                                          {"safetensors", ModelFormat::kSafetensors},
                                          {"gguf", ModelFormat::kGguf}},
                                         "Of a run: what to write")
      ->default_str("");
  add_choice<TensorType>(*command, "--type", options->run.type,
                         {{"bf16", TensorType::kBF16},
                          {"f16", TensorType::kF16},
                          {"f32", TensorType::kF32},
                          {"q8_0", TensorType::kQ8_0},
                          {"q4_0", TensorType::kQ4_0}},
                         "Of a run: the type of matrices; q8_0 and q4_0 in GGUF only");
  add_choice<std::optional<Trainer>>(
      *command, "--for", options->data.trainer,
      {{"llama-factory", Trainer::kLlamaFactory}, {"verl", Trainer::kVerl}}, "Of data: the trainer")
      ->default_str("");
  command->add_option("-o,--output", options->output, "Folder of the results, or the GGUF file")
      ->required()
      ->type_name("PATH");
  add_training_prompt_options(*command, options->data.prompts);
  command->footer(kExamples);
  command->callback([options, &exit_code] { exit_code = export_folder(*options); });
}

}  // namespace rr
