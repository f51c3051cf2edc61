#include "apps/reasonrank/export_run.h"

#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <utility>

#include "rr/train/export_model.h"

namespace rr {

std::string misuse(const RunExport& options) {
  const bool is_quantised = block_shape(options.type).elements > 1;
  if (!is_quantised || options.format == ModelFormat::kGguf) return "";
  return "types in blocks (q8_0, q4_0) are GGUF's: take --format gguf";
}

Status export_run(const RunExport& options) {
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
  fmt::print(stderr, "{}: the weights after step {}\n", options.output, weights.step());
  return ok_status();
}

}  // namespace rr
