#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rr/base/json.h"
#include "rr/base/result.h"
#include "rr/ir/ids.h"
#include "rr/ir/passage.h"
#include "rr/ir/qrels.h"
#include "rr/ir/topic.h"
#include "rr/lm/message.h"
#include "rr/lm/tokenizer.h"
#include "rr/rerank/prompt.h"

// The files in which examples reach a trainer (docs/formats/training-data.md).

namespace rr {

// An example to imitate, in words or in tokens. In words: the model is taught the last message,
// which is the assistant's and not empty, given those before it, at least one. In tokens: it is
// taught completion_ids given prompt_ids, neither of them empty and none negative.
struct SftExample {
  std::string dataset;  // may be empty, like domain, qid and template_name
  std::string domain;
  Qid qid;
  std::string template_name;  // "reasonrank-reasoning-v1"
  Messages messages;          // empty: in tokens
  TokenIds prompt_ids = {};
  TokenIds completion_ids = {};

  bool is_in_tokens() const { return messages.empty(); }
};

// A list to rank, with what a reply is rewarded by.
struct RankingTask {
  std::string dataset;  // may be empty, like domain
  std::string domain;
  Qid qid;
  std::string query;
  std::vector<Passage> passages;  // in the order of the prompt, no docid twice, at least one
  TopicQrels grades;              // above 0: relevant
  std::vector<Docid> final_list;  // the teacher's order of the passages; empty: there is none
};

// What a model should write for a list: "<think>\n{reasoning}\n</think>\n<answer>[3] > [1] >
// [2]</answer>"; for kDirect and kRankK the list alone. order: positions in the list, from 0, best
// first.
std::string target_reply(PromptMode mode, std::string_view reasoning,
                         std::span<const std::size_t> order);

// The conversation that asks for an order of a task's passages.
Messages prompt_of(const RankingTask& task, const PromptBuilder& prompts);

// The example that teaches `order` and `reasoning` for a task: the prompt that `prompts` builds of
// it, and target_reply(). Requires the task's final_list.
SftExample sft_example_of(const RankingTask& task, std::string_view reasoning,
                          const PromptBuilder& prompts);

// Requires an example in words.
Json to_json(const SftExample& example);
Json to_json(const RankingTask& task);
Result<SftExample> sft_example_from_json(const Json& json, const std::string& where);
Result<RankingTask> ranking_task_from_json(const Json& json, const std::string& where);

// All lines of a file, plain or gzip; "-" is standard input. Empty lines are left out. Refused,
// with the line, what the format refuses.
Result<std::vector<SftExample>> read_sft_examples(const std::filesystem::path& path);
Result<std::vector<RankingTask>> read_ranking_tasks(const std::filesystem::path& path);

// Refuses a task with a passage of a grade above 0 that is not in its list.
Status check_relevant_listed(const RankingTask& task, const std::string& file);

// A string field that may be absent or null: then empty.
Result<std::string> optional_string(const Json& object, std::string_view key,
                                    const std::string& where);

// A list of passages as JSON, as samples and tasks hold it: docid, title where there is one, text.
// Reading refuses a passage without docid or text, and one that comes twice.
Json passages_to_json(std::span<const Passage> passages);
Result<std::vector<Passage>> passages_from_json(const Json& object, const std::string& where);

// A list of docids of a field that may be absent; refused: an empty id, one that comes twice.
Result<std::vector<Docid>> docids_from_json(const Json& object, std::string_view key,
                                            const std::string& where);
Json docids_to_json(std::span<const Docid> docids);

// Refuses an order that is not a permutation of `docids`; an empty order is none, and fine. `key`
// names it in the message.
Status check_order(std::span<const Docid> docids, std::span<const Docid> order, const char* key,
                   const std::string& where);

}  // namespace rr
