#pragma once

#include <cstddef>
#include <string>

#include "rr/base/json.h"
#include "rr/rerank/prompt.h"
#include "rr/rerank/training_data.h"

// Training data in the forms of other trainers.

namespace rr {

// LLaMA-Factory: a row of a "sharegpt" data set in OpenAI's form, and the dataset_info.json that
// describes the file of such rows under `name` (its data/README.md, "OpenAI Format").
Json llama_factory_row(const SftExample& example);
Json llama_factory_info(const std::string& name, const std::string& file_name);

// verl: a row for RLHFDataset, with the fields of the published training set (docs/formats/
// exports.md). prompt: system and user turn of `prompts`; label: the teacher's order, "[3] > [1] >
// [2]"; `index` is the row's number, `split` "train" or "val". Requires the task's final_list.
Json verl_row(const RankingTask& task, const PromptBuilder& prompts, std::size_t index,
              const std::string& split);

}  // namespace rr
