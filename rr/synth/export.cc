#include "rr/synth/export.h"

#include <utility>
#include <vector>

namespace rr {
namespace {

Json messages_to_json(const Messages& messages) {
  Json list = Json::array();
  for (const Message& message : messages) {
    list.push_back({{"role", role_name(message.role)}, {"content", message.content}});
  }
  return list;
}

// The gold order as identifiers: what kDirect would have the model write.
std::string label_of(const RankingTask& task) {
  std::vector<std::size_t> order;
  for (const Docid& docid : task.final_list) {
    for (std::size_t i = 0; i < task.passages.size(); ++i) {
      if (task.passages[i].docid == docid) order.push_back(i);
    }
  }
  return target_reply(PromptMode::kDirect, "", order);
}

}  // namespace

Json llama_factory_row(const SftExample& example) {
  return {{"messages", messages_to_json(example.messages)}};
}

Json llama_factory_info(const std::string& name, const std::string& file_name) {
  return {{name,
           {{"file_name", file_name},
            {"formatting", "sharegpt"},
            {"columns", {{"messages", "messages"}}},
            {"tags",
             {{"role_tag", "role"},
              {"content_tag", "content"},
              {"user_tag", "user"},
              {"assistant_tag", "assistant"},
              {"system_tag", "system"}}}}}};
}

Json verl_row(const RankingTask& task, const PromptBuilder& prompts, std::size_t index,
              const std::string& split) {
  SftExample example = sft_example_of(task, "", prompts);
  example.messages.pop_back();  // the reply
  const std::string label = label_of(task);
  std::vector<Docid> initial;
  std::vector<Docid> relevant;
  for (const Passage& passage : task.passages) {
    initial.push_back(passage.docid);
    const auto grade = task.grades.find(passage.docid);
    if (grade != task.grades.end() && grade->second > 0) relevant.push_back(passage.docid);
  }
  const Json lists = {{"initial_list", docids_to_json(initial)},
                      {"final_list", docids_to_json(task.final_list)},
                      {"relevant_docids", docids_to_json(relevant)}};
  Json row = {{"data_source", "ranking"},
              {"dataset", task.dataset},
              {"prompt", messages_to_json(example.messages)},
              {"ability", "ranking"},
              {"reward_model", {{"style", "rule"}, {"ground_truth", label}}},
              {"label", label}};
  for (const auto& [key, value] : lists.items()) row[key] = value;
  Json extra = {{"index", index}, {"split", split}, {"qid", task.qid.str()}};
  for (const auto& [key, value] : lists.items()) extra[key] = value;
  row["extra_info"] = std::move(extra);
  return row;
}

}  // namespace rr
