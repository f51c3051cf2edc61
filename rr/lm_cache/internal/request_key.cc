#include <cstddef>
#include <string>
#include <variant>

#include "rr/base/json.h"
#include "rr/base/sha256.h"
#include "rr/lm_cache/cached_generator.h"

namespace rr {
namespace {

struct StageWriter {
  Json operator()(const FreeStage& stage) const {
    return {{"free", stage.max_tokens}, {"stop", stage.stop}};
  }
  Json operator()(const ForcedStage& stage) const { return {{"forced", stage.text}}; }
  Json operator()(const PermutationStage& stage) const { return {{"permutation", stage.size}}; }
  Json operator()(const TokenChoiceStage& stage) const { return {{"choice", stage.tokens}}; }
};

struct PromptWriter {
  Json operator()(const Messages& messages) const {
    Json list = Json::array();
    for (const Message& message : messages) {
      list.push_back({role_name(message.role), message.content});
    }
    return list;
  }
  Json operator()(const TokenIds& ids) const { return ids; }
};

Json sampling_of(const GenerationRequest& request) {
  const Sampling& sampling = request.sampling;
  if (sampling.temperature == 0) return "greedy";
  return {{"temperature", sampling.temperature},
          {"top_p", sampling.top_p},
          {"top_k", sampling.top_k},
          {"min_p", sampling.min_p},
          {"seed", sampling.seed},
          {"label", request.label}};
}

}  // namespace

// docs/formats/answers.md describes the text that is hashed: changing it orphans every answer that
// was paid for.
std::string request_key(const std::string& model, const GenerationRequest& request) {
  Json stages = Json::array();
  for (const Stage& stage : request.stages) stages.push_back(std::visit(StageWriter{}, stage));
  const Json asked = {{"model", model},
                      {"prompt", std::visit(PromptWriter{}, request.prompt)},
                      {"stages", std::move(stages)},
                      {"sampling", sampling_of(request)}};
  return sha256_hex(to_json_line(asked));
}

}  // namespace rr
