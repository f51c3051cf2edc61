#include "rr/rerank/replay.h"

#include <fmt/core.h>

#include <unordered_map>
#include <utility>

namespace rr {
namespace {

Completion completion_of(const TraceWindow& window) {
  Completion completion;
  completion.text = window.response;
  completion.prompt_tokens = window.prompt_tokens;
  completion.queued_s = window.queued_s;
  completion.prefill_s = window.prefill_s;
  completion.decode_s = window.decode_s;
  StageReport stage;
  stage.num_tokens = window.completion_tokens;
  stage.num_forced = window.forced_tokens;
  stage.stop = window.budget_spent ? StopReason::kLength : StopReason::kEnd;
  if (window.logprobs.size() == window.order.size()) {
    for (std::size_t i = 0; i < window.order.size(); ++i) {
      stage.choices.push_back({window.order[i], window.logprobs[i]});
    }
  }
  completion.stages.push_back(std::move(stage));
  return completion;
}

Status check_candidates(const TopicTrace& recorded, const Request& request) {
  bool same = recorded.candidates.size() == request.candidates.size();
  for (std::size_t i = 0; same && i < request.candidates.size(); ++i) {
    same = recorded.candidates[i].docid == request.candidates[i].docid;
  }
  if (same) return ok_status();
  return Error{Errc::kRejected, "the recording was made over other candidates, or in another order",
               fmt::format("topic {}", request.topic.qid.str())};
}

Status check_windows(const TopicTrace& recorded, const std::vector<Window>& plan) {
  const std::string where = fmt::format("topic {}", recorded.qid.str());
  if (recorded.windows.size() != plan.size()) {
    return Error{
        Errc::kRejected,
        fmt::format("the recording has {} windows, these settings make {}; use the window, "
                    "stride and depth that it was made with",
                    recorded.windows.size(), plan.size()),
        where};
  }
  for (std::size_t i = 0; i < plan.size(); ++i) {
    const Window& then = recorded.windows[i].window;
    if (then.start == plan[i].start && then.end == plan[i].end) continue;
    return Error{Errc::kRejected,
                 fmt::format("the recording's window {} is of ranks {}-{}, with these settings it "
                             "is {}-{}; use the window, stride and depth that it was made with",
                             i + 1, then.start + 1, then.end, plan[i].start + 1, plan[i].end),
                 where};
  }
  return ok_status();
}

}  // namespace

Request request_of(const TopicTrace& recorded) {
  Request request{{recorded.qid, recorded.query, {}}, {}, {}};
  for (const TraceCandidate& candidate : recorded.candidates) {
    request.candidates.push_back({candidate.docid, "", candidate.text});
    request.scores.push_back(candidate.score);
  }
  return request;
}

Status check_recording(std::span<const TopicTrace> recorded, std::span<const Request> requests,
                       const WindowPlanner& planner) {
  std::unordered_map<Qid, const TopicTrace*> by_qid;
  for (const TopicTrace& topic : recorded) by_qid.emplace(topic.qid, &topic);
  for (const Request& request : requests) {
    const auto it = by_qid.find(request.topic.qid);
    if (it == by_qid.end()) {
      return Error{Errc::kNotFound, "the recording does not have this topic",
                   fmt::format("topic {}", request.topic.qid.str())};
    }
    RR_TRY_STATUS(check_candidates(*it->second, request));
    RR_TRY_STATUS(check_windows(*it->second, planner.plan(request.candidates.size())));
  }
  return ok_status();
}

RecordedGenerator::RecordedGenerator(std::span<const TopicTrace> recorded) {
  for (const TopicTrace& topic : recorded) {
    for (std::size_t i = 0; i < topic.windows.size(); ++i) {
      completions_.emplace(fmt::format("{}/{}", topic.qid.str(), i),
                           completion_of(topic.windows[i]));
    }
  }
}

Result<GenerationId> RecordedGenerator::submit(GenerationRequest request,
                                               GenerationListener listener) {
  const auto it = completions_.find(request.label);
  if (it == completions_.end()) {
    return Error{Errc::kNotFound, "the recording has no reply for this window", request.label};
  }
  listener({it->second.text, &it->second});
  return next_id_++;
}

}  // namespace rr
