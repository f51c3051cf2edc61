#include "rr/rerank/session.h"

#include <algorithm>
#include <numeric>
#include <string_view>
#include <utility>

#include "rr/base/check.h"
#include "rr/base/random.h"

namespace rr {
namespace {

// Which ranks any window of the plan covers.
std::vector<bool> covered_ranks(const std::vector<Window>& plan, std::size_t num_candidates) {
  std::vector<bool> covered(num_candidates, false);
  for (const Window& window : plan) {
    for (std::size_t rank = window.start; rank < window.end; ++rank) covered[rank] = true;
  }
  return covered;
}

// The choices, where they are of the order that was read from the text.
std::vector<double> choices_of(const Completion& completion, const ParsedPermutation& parsed) {
  for (const StageReport& stage : completion.stages) {
    if (stage.choices.size() != parsed.order.size()) continue;
    std::vector<double> logprobs;
    for (std::size_t i = 0; i < stage.choices.size(); ++i) {
      if (stage.choices[i].identifier != parsed.order[i] + 1) return {};
      logprobs.push_back(stage.choices[i].logprob);
    }
    return logprobs;
  }
  return {};
}

std::size_t count_forced(const Completion& completion) {
  std::size_t forced = 0;
  for (const StageReport& stage : completion.stages) forced += stage.num_forced;
  return forced;
}

std::size_t count_tokens(const Completion& completion) {
  if (!completion.ids.empty()) return completion.ids.size();
  std::size_t tokens = 0;
  for (const StageReport& stage : completion.stages) tokens += stage.num_tokens;
  return tokens;
}

bool ran_into_budget(const Completion& completion) {
  return completion.stop == StopReason::kLength ||
         std::any_of(completion.stages.begin(), completion.stages.end(),
                     [](const StageReport& stage) { return stage.stop == StopReason::kLength; });
}

}  // namespace

RerankReport& RerankReport::operator+=(const RerankReport& other) {
  topics += other.topics;
  windows += other.windows;
  incomplete_answers += other.incomplete_answers;
  no_answers += other.no_answers;
  duplicated += other.duplicated;
  out_of_range += other.out_of_range;
  missing += other.missing;
  digit_like += other.digit_like;
  passages += other.passages;
  cut_passages += other.cut_passages;
  budgets_spent += other.budgets_spent;
  topics_cut_short += other.topics_cut_short;
  windows_left += other.windows_left;
  ranks_as_scores += other.ranks_as_scores;
  prompt_tokens += other.prompt_tokens;
  cached_tokens += other.cached_tokens;
  completion_tokens += other.completion_tokens;
  forced_tokens += other.forced_tokens;
  model_s += other.model_s;
  return *this;
}

RerankSession::RerankSession(const Request& request, const WindowPlanner& planner,
                             const PromptBuilder& prompts, const SessionOptions& options)
    : request_(&request),
      prompts_(&prompts),
      options_(options),
      plan_(planner.plan(request.candidates.size())),
      query_(prompts.prepare_query(request.topic.query)),
      texts_(request.candidates.size()),
      is_in_window_(covered_ranks(plan_, request.candidates.size())),
      order_(request.candidates.size()) {
  RR_CHECK(request.scores.size() == request.candidates.size(), "a score for every candidate");
  std::iota(order_.begin(), order_.end(), std::size_t{0});
  for (std::size_t i = 0; i < texts_.size(); ++i) {
    if (is_in_window_[i]) texts_[i] = prompts.prepare_passage(request.candidates[i]);
  }
}

std::vector<std::size_t> RerankSession::shown_in(const Window& window) const {
  const auto begin = order_.begin();
  return {begin + static_cast<std::ptrdiff_t>(window.start),
          begin + static_cast<std::ptrdiff_t>(window.end)};
}

std::optional<Prompt> RerankSession::next_prompt() const {
  if (records_.size() == plan_.size()) return std::nullopt;
  const Window& window = plan_[records_.size()];
  std::vector<std::string_view> passages;
  for (const std::size_t candidate : shown_in(window)) passages.push_back(texts_[candidate].text);
  return Prompt{prompts_->build(query_, passages), window, records_.size()};
}

std::optional<RerankSession::Foreseen> RerankSession::foresee() const {
  if (records_.size() + 2 > plan_.size()) return std::nullopt;
  const Window& now = plan_[records_.size()];
  const Window& after = plan_[records_.size() + 1];
  const std::size_t certain_end = std::min(after.end, now.start);
  if (after.start >= certain_end) return std::nullopt;
  const auto prompt_with = [&](std::string_view unknown) {
    std::vector<std::string_view> passages;
    for (std::size_t rank = after.start; rank < after.end; ++rank) {
      passages.push_back(rank < certain_end ? texts_[order_[rank]].text : unknown);
    }
    return prompts_->build(query_, passages);
  };
  return Foreseen{prompt_with("A"), prompt_with("1")};
}

void RerankSession::accept(const Completion& completion) {
  RR_CHECK(records_.size() < plan_.size(), "an answer that was not asked for");
  WindowRecord record;
  record.window = plan_[records_.size()];
  record.shown = shown_in(record.window);
  record.reply = completion.text;
  record.parsed = parse_permutation(completion.text, record.window.size(),
                                    {answer_format(prompts_->mode()), options_.parser});
  record.choice_logprobs = choices_of(completion, record.parsed);
  record.prompt_tokens = completion.prompt_tokens;
  record.cached_tokens = completion.cached_tokens;
  record.completion_tokens = count_tokens(completion);
  record.forced_tokens = count_forced(completion);
  const bool is_reasoning = prompts_->mode() != PromptMode::kDirect;
  record.budget_spent = is_reasoning && ran_into_budget(completion);
  record.queued_s = completion.queued_s;
  record.prefill_s = completion.prefill_s;
  record.decode_s = completion.decode_s;
  for (std::size_t i = 0; i < record.shown.size(); ++i) {
    order_[record.window.start + i] = record.shown[record.parsed.order[i]];
  }
  records_.push_back(std::move(record));
}

std::vector<const Passage*> RerankSession::passages() const {
  std::vector<const Passage*> passages;
  for (const std::size_t candidate : order_) passages.push_back(&request_->candidates[candidate]);
  return passages;
}

std::vector<JudgedWindow> RerankSession::last_pass() const {
  std::vector<JudgedWindow> windows;
  for (const WindowRecord& record : records_) {
    if (record.window.pass != records_.back().window.pass) continue;
    JudgedWindow window{{}, record.choice_logprobs};
    for (const std::size_t position : record.parsed.order) {
      window.candidates.push_back(record.shown[position]);
    }
    windows.push_back(std::move(window));
  }
  return windows;
}

Ranking RerankSession::ranking() const {
  const std::vector<double> scores = options_.scores == ScoreRule::kPublished
                                         ? request_->scores
                                         : choice_scores(order_, last_pass());
  Ranking ranking{request_->topic.qid, {}};
  for (std::size_t rank = 0; rank < order_.size(); ++rank) {
    ranking.docs.push_back({request_->candidates[order_[rank]].docid, scores[rank]});
  }
  return ranking;
}

RerankReport RerankSession::report() const {
  RerankReport report;
  report.topics = 1;
  report.windows_left = plan_.size() - records_.size();
  report.topics_cut_short = report.windows_left > 0 ? 1 : 0;
  for (const WindowRecord& record : records_) {
    ++report.windows;
    report.incomplete_answers += record.parsed.is_complete() ? 0 : 1;
    report.no_answers += record.parsed.no_answer ? 1 : 0;
    report.duplicated += record.parsed.duplicated;
    report.out_of_range += record.parsed.out_of_range;
    report.missing += record.parsed.missing;
    report.digit_like += record.parsed.digit_like;
    report.budgets_spent += record.budget_spent ? 1 : 0;
    report.prompt_tokens += record.prompt_tokens;
    report.cached_tokens += record.cached_tokens;
    report.completion_tokens += record.completion_tokens;
    report.forced_tokens += record.forced_tokens;
    report.model_s += record.prefill_s + record.decode_s;
  }
  for (std::size_t i = 0; i < texts_.size(); ++i) {
    report.passages += is_in_window_[i] ? 1 : 0;
    report.cut_passages += texts_[i].was_cut ? 1 : 0;
  }
  const bool unknown =
      std::any_of(records_.begin(), records_.end(),
                  [](const WindowRecord& record) { return record.choice_logprobs.empty(); });
  const bool uses_choices = options_.scores == ScoreRule::kDefault;
  report.ranks_as_scores = uses_choices && (unknown || records_.empty()) ? 1 : 0;
  return report;
}

void shuffle_candidates(Request& request, std::size_t rank_start, std::size_t rank_end,
                        std::uint64_t seed) {
  rank_end = std::min(rank_end, request.candidates.size());
  if (rank_start >= rank_end) return;
  RandomStream random(seed, stream_of(request.topic.qid.str()));
  const std::span range(request.candidates.data() + rank_start, rank_end - rank_start);
  shuffle(range, random);
}

}  // namespace rr
