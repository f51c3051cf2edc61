#pragma once

#include <optional>
#include <string>

#include "apps/reasonrank/training_prompts.h"
#include "rr/base/result.h"

namespace rr {

enum class Trainer { kLlamaFactory, kVerl };

// What `export` writes of training data.
struct DataExport {
  std::string data;  // the folder that `split` wrote
  std::optional<Trainer> trainer;
  TrainingPromptOptions prompts;
  std::string output;
};

// Requires a trainer.
Status export_data(const DataExport& options);

}  // namespace rr
