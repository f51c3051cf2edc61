#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "rr/base/folder_lock.h"
#include "rr/base/json.h"
#include "rr/base/result.h"
#include "rr/nn/learner.h"
#include "rr/train/adamw.h"

namespace rr {

// What a run of training keeps to go on from (docs/formats/training-run.md).
struct CheckpointState {
  std::size_t step = 0;
  std::optional<double> best_validation_loss;
  std::size_t best_step = 0;
  std::size_t next_task = 0;  // of the order of tasks, where steps do not take a fixed number
};

// A run's folder: run.json (settings, model and data by their hashes, program version, seed),
// metrics.jsonl, samples.jsonl where there are samples, and checkpoints/step-<n>.safetensors.
class RunFolder {
 public:
  // A new run: the folder is made, run.json written. Refused where a run is there already. No other
  // process can train it while this RunFolder lives.
  static Result<RunFolder> create(const std::filesystem::path& path, const Json& run);

  // A run that is there, to read it. A folder without run.json is refused.
  static Result<RunFolder> open(const std::filesystem::path& path);

  // The same, to go on with it: refused where another process trains it.
  static Result<RunFolder> open_to_train(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return path_; }
  const Json& run() const { return run_; }

  // Writes the weights and the optimiser's state, whole or not at all, then removes the oldest but
  // `keep_last` (at least 1) and the best one. A failure leaves what was there before.
  Status save(std::span<const Parameter> parameters, AdamW& optimiser, const CheckpointState& state,
              std::size_t keep_last) const;

  // Restores the newest checkpoint that is whole; a damaged one is passed over and named in
  // `damaged`. None: state.step is 0. Refused: one of other tensors than the parameters.
  Result<CheckpointState> restore(std::span<const Parameter> parameters, AdamW& optimiser,
                                  std::vector<std::string>& damaged) const;

  // The newest whole checkpoint's file, or the best one's; fails where there is none.
  Result<std::filesystem::path> newest_checkpoint() const;
  Result<std::filesystem::path> best_checkpoint() const;

  // Appends a line to metrics.jsonl or samples.jsonl, and cuts both back to the lines of steps
  // before `step`.
  Status append_metrics(const Json& line) const;
  Status append_sample(const Json& line) const;
  Status keep_metrics_before(std::size_t step) const;

 private:
  RunFolder(std::filesystem::path path, Json run) : path_(std::move(path)), run_(std::move(run)) {}

  std::filesystem::path path_;
  Json run_;
  std::optional<FolderLock> lock_;
};

// Checks a checkpoint's SHA-256, over all its tensors' data.
Status check_checkpoint(const std::filesystem::path& file);

}  // namespace rr
