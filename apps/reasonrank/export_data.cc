#include "apps/reasonrank/export_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <vector>

#include "rr/base/atomic_file.h"
#include "rr/rerank/training_data.h"
#include "rr/synth/export.h"

namespace rr {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSftName = "reasonrank_sft";

Status make_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (!error) return ok_status();
  return Error{Errc::kRejected, "the folder cannot be made: " + error.message(), folder.string()};
}

Status export_llama_factory(const DataExport& options) {
  RR_TRY(const std::vector<SftExample> examples,
         read_sft_examples(fs::path(options.data) / "sft.jsonl"));
  if (std::any_of(examples.begin(), examples.end(),
                  [](const SftExample& example) { return example.is_in_tokens(); })) {
    return Error{Errc::kRejected, "expected examples in words, found one in tokens",
                 (fs::path(options.data) / "sft.jsonl").string()};
  }
  RR_TRY_STATUS(make_folder(options.output));
  const std::string file_name = fmt::format("{}.jsonl", kSftName);
  RR_TRY(AtomicFile rows, AtomicFile::create(fs::path(options.output) / file_name));
  for (const SftExample& example : examples) {
    RR_TRY_STATUS(rows.write(to_json_line(llama_factory_row(example)) + "\n"));
  }
  RR_TRY_STATUS(rows.commit());
  RR_TRY_STATUS(write_file(fs::path(options.output) / "dataset_info.json",
                           llama_factory_info(kSftName, file_name).dump(2) + "\n"));
  fmt::print(stderr, "{} examples\n", examples.size());
  return ok_status();
}

// Rows of one file of tasks; those without the teacher's order have no label and are left out.
Status export_verl_rows(const fs::path& from, const fs::path& to, const std::string& split,
                        const TrainingPrompts& prompts) {
  RR_TRY(const std::vector<RankingTask> tasks, read_ranking_tasks(from));
  RR_TRY_STATUS(make_folder(to.parent_path()));
  RR_TRY(AtomicFile rows, AtomicFile::create(to));
  std::size_t written = 0;
  for (const RankingTask& task : tasks) {
    if (task.final_list.empty()) continue;
    const Json row = verl_row(task, prompts.of(task.domain), written++, split);
    RR_TRY_STATUS(rows.write(to_json_line(row) + "\n"));
  }
  fmt::print(stderr, "{}: {} tasks", to.filename().string(), written);
  if (written < tasks.size()) {
    fmt::print(stderr, ", {} without the teacher's order left out", tasks.size() - written);
  }
  fmt::print(stderr, "\n");
  return rows.commit();
}

Status export_verl(const DataExport& options) {
  RR_TRY(const TrainingPrompts prompts, TrainingPrompts::load(options.prompts));
  const fs::path data = options.data;
  const fs::path output = options.output;
  RR_TRY_STATUS(
      export_verl_rows(data / "ranking_tasks.jsonl", output / "train.json", "train", prompts));
  return export_verl_rows(data / "validation.jsonl", output / "val.json", "val", prompts);
}

}  // namespace

Status export_data(const DataExport& options) {
  return options.trainer == Trainer::kVerl ? export_verl(options) : export_llama_factory(options);
}

}  // namespace rr
