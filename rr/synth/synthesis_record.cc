#include "rr/synth/synthesis_record.h"

#include <fmt/core.h>

#include <utility>

#include "rr/base/file.h"
#include "rr/ir/id_spelling.h"
#include "rr/rerank/training_data.h"

namespace rr {
namespace {

Json step_to_json(const StepRecord& step, const Qid& qid) {
  const bool ranks = step.step == SynthesisStep::kRanking || step.step == SynthesisStep::kJudgement;
  return {{"qid", qid.str()},
          {"step", step_name(step.step)},
          {"batch", step.index},
          {"docids", docids_to_json(step.shown)},
          {"reply", step.reply},
          {ranks ? "order" : "picked", docids_to_json(step.read)},
          {"trouble", step.trouble},
          {"tokens", {{"prompt", step.prompt_tokens}, {"completion", step.completion_tokens}}},
          {"seconds", step.seconds}};
}

}  // namespace

Json topic_record(const TopicSynthesis& topic, const TopicOutcome& outcome) {
  const SourceTopic& source = topic.topic();
  const std::string& qid = source.topic.qid.str();
  Json record = {{"qid", qid}};
  if (outcome.sample) {
    record["sample"] = to_json(*outcome.sample);
  } else {
    record["dropped"] = {{"qid", qid},
                         {"dataset", source.dataset},
                         {"reason", drop_reason_name(*outcome.dropped)},
                         {"candidates", outcome.candidates},
                         {"positives", outcome.positives},
                         {"negatives", outcome.negatives}};
  }
  Json steps = Json::array();
  for (const StepRecord& step : topic.steps()) {
    steps.push_back(step_to_json(step, source.topic.qid));
  }
  record["steps"] = std::move(steps);
  return record;
}

RecordLines lines_of(const Json& record) {
  RecordLines lines;
  if (record.contains("sample")) lines.sample = to_json_line(record["sample"]) + "\n";
  if (record.contains("dropped")) lines.dropped = to_json_line(record["dropped"]) + "\n";
  for (const Json& step : record["steps"]) lines.steps += to_json_line(step) + "\n";
  return lines;
}

void SynthesisReport::add(const Json& record) {
  ++topics;
  if (record.contains("dropped")) {
    ++dropped[record["dropped"]["reason"].get<std::string>()];
  } else {
    const Json& sample = record["sample"];
    ++samples;
    if (sample["reasoning"].get_ref<const std::string&>().empty()) ++without_reasoning;
    passages += sample["initial_list"].size();
    positives += sample["relevant_docids"].size();
  }
  for (const Json& step : record["steps"]) {
    ++requests;
    prompt_tokens += step["tokens"]["prompt"].get<std::size_t>();
    completion_tokens += step["tokens"]["completion"].get<std::size_t>();
    model_s += step["seconds"].get<double>();
    for (const auto& [kind, count] : step["trouble"].items()) {
      trouble[fmt::format("{}: {}", step["step"].get<std::string>(), kind)] +=
          count.get<std::size_t>();
    }
  }
}

Result<std::map<std::string, std::string>> read_replies(const std::filesystem::path& path) {
  RR_TRY(LineReader reader, LineReader::open(path));
  std::map<std::string, std::string> replies;
  for (std::string line;;) {
    RR_TRY(const bool more, reader.next(line));
    if (!more) return replies;
    if (line.find_first_not_of(" \t") == std::string::npos) continue;
    const std::string where = reader.where();
    RR_TRY(const Json step, parse_json(line, where));
    RR_TRY(const std::string qid, json_id(step, "qid", where));
    RR_TRY(const std::string name, json_string(step, "step", where));
    RR_TRY(const std::string batch, json_id(step, "batch", where));
    RR_TRY(std::string reply, json_string(step, "reply", where));
    const std::string label = fmt::format("{}/{}/{}", read_spelling(qid), name, batch);
    if (replies.emplace(label, std::move(reply)).second) continue;
    return Error{Errc::kMalformed, fmt::format("expected each step once, found {} again", label),
                 where};
  }
}

}  // namespace rr
