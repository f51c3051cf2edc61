// Any bytes as training data: an error, or records that read back as themselves.

#include "fuzz/input_file.h"
#include "rr/base/utf8.h"
#include "rr/rerank/training_data.h"

namespace {

template <typename Record>
void check_comes_back(const Record& record,
                      rr::Result<Record> (*from_json)(const rr::Json&, const std::string&)) {
  const std::string line = rr::to_json_line(rr::to_json(record));
  const auto again = from_json(rr::parse_json(line, "").value(), "");
  RR_CHECK(again.ok(), "what was read can be written and read");
  RR_CHECK(rr::to_json_line(rr::to_json(again.value())) == line, "the same record");
}

void check(const rr::SftExample& example) {
  if (example.is_in_tokens()) {
    RR_CHECK(!example.prompt_ids.empty() && !example.completion_ids.empty(), "tokens");
    return;
  }
  RR_CHECK(example.messages.size() >= 2, "a prompt and a completion");
  RR_CHECK(example.messages.back().role == rr::Role::kAssistant, "the assistant's comes last");
  check_comes_back(example, rr::sft_example_from_json);
}

void check(const rr::RankingTask& task) {
  RR_CHECK(!task.passages.empty(), "passages");
  RR_CHECK(task.final_list.empty() || task.final_list.size() == task.passages.size(), "an order");
  check_comes_back(task, rr::ranking_task_from_json);
}

template <typename Record>
void check_all(const rr::Result<std::vector<Record>>& records) {
  if (!records.ok()) {
    RR_CHECK(rr::is_valid_utf8(records.error().message), "messages are text");
    return;
  }
  for (const Record& record : records.value()) check(record);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const rr::InputFile file(data, size);
  check_all(rr::read_sft_examples(file.path()));
  const rr::InputFile again(data, size);
  check_all(rr::read_ranking_tasks(again.path()));
  return 0;
}
