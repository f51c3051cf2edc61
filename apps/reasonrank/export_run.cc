#include <fmt/core.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include "apps/reasonrank/choice_option.h"
#include "apps/reasonrank/commands.h"
#include "apps/reasonrank/train_command.h"
#include "rr/train/export_model.h"

namespace rr {
namespace {

enum class ModelFormat { kPeft, kSafetensors, kGguf };

struct Options {
  std::string run;
  std::string output;
  ModelFormat format = ModelFormat::kPeft;
  TensorType type = TensorType::kBF16;
};

Status write_model(const Options& options) {
  RR_TRY(const RunFolder folder, RunFolder::open(options.run));
  RR_TRY(const TrainedWeights weights, TrainedWeights::open(folder));
  if (options.format == ModelFormat::kPeft) {
    RR_TRY_STATUS(export_peft(weights, options.output));
  } else {
    RR_TRY(std::unique_ptr<ModelFiles> base, ModelFiles::open(weights.base().model));
    RR_TRY(const std::unique_ptr<OverlaidModel> model, OverlaidModel::create(std::move(base)));
    RR_TRY_STATUS(weights.lay_over(*model));
    RR_TRY_STATUS(options.format == ModelFormat::kGguf
                      ? export_gguf(*model, options.type, options.output)
                      : export_safetensors(*model, options.type, options.output));
  }
  std::fputs(fmt::format("{}: the weights after step {}\n", options.output, weights.step()).c_str(),
             stderr);
  return ok_status();
}

}  // namespace

void add_train_export_command(CLI::App& train, int& exit_code) {
  const auto options = std::make_shared<Options>();
  CLI::App* const command =
      train.add_subcommand("export", "Write what a run learnt as a model or an adapter");
  command->add_option("run", options->run, "the run's folder")->required()->type_name("FOLDER");
  add_choice<ModelFormat>(
      *command, "--format", options->format,
      {{"peft", ModelFormat::kPeft},
       {"safetensors", ModelFormat::kSafetensors},
       {"gguf", ModelFormat::kGguf}},
      "an adapter as PEFT has it; the whole model as a Hugging Face folder, where the run's model "
      "is one; the whole model as a GGUF file, where it is one");
  add_choice<TensorType>(*command, "--type", options->type,
                         {{"bf16", TensorType::kBF16},
                          {"f16", TensorType::kF16},
                          {"f32", TensorType::kF32},
                          {"q8_0", TensorType::kQ8_0}},
                         "of the model's matrices; q8_0 in GGUF only");
  command->add_option("-o,--output", options->output, "the folder, or the GGUF file")->required();
  command->footer(
      "Takes the checkpoint with the least held-out loss; without held-out examples, the newest.\n"
      "Examples:\n"
      "  reasonrank train export runs/a --format gguf --type q8_0 -o a.gguf\n"
      "  reasonrank train export runs/b --format peft -o adapter");
  command->callback([options, &exit_code] {
    if (options->type == TensorType::kQ8_0 && options->format != ModelFormat::kGguf) {
      std::fputs("reasonrank train export: q8_0 is a type of GGUF files: take --format gguf\n",
                 stderr);
      exit_code = kExitUsage;
      return;
    }
    const Status status = write_model(*options);
    exit_code = status.ok() ? kExitOk : report_failure(status.error());
  });
}

}  // namespace rr
