#include "rr/lm/completion_writer.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <utility>
#include <variant>

#include "rr/base/check.h"
#include "rr/base/utf8.h"
#include "rr/lm/sampler.h"

namespace rr {
namespace {

// Where the first of the stop strings ends in `text`; those that end before `from` were looked for
// already.
std::optional<std::size_t> first_stop_end(std::string_view text, std::span<const std::string> stops,
                                          std::size_t from) {
  std::optional<std::size_t> end;
  for (const std::string& stop : stops) {
    const std::size_t begin = from >= stop.size() ? from - stop.size() + 1 : 0;
    const std::size_t found = text.find(stop, begin);
    if (found == std::string_view::npos) continue;
    end = std::min(end.value_or(found + stop.size()), found + stop.size());
  }
  return end;
}

// Bytes at the end of `text` that are a stop string with which `upcoming` begins; 0: none.
std::size_t repeated_stop(std::string_view text, std::string_view upcoming,
                          std::span<const std::string> stops) {
  std::size_t longest = 0;
  for (const std::string& stop : stops) {
    if (upcoming.starts_with(stop) && text.ends_with(stop))
      longest = std::max(longest, stop.size());
  }
  return longest;
}

std::string permutation_in_order(std::size_t size) {
  std::string text;
  for (std::size_t identifier = 1; identifier <= size; ++identifier) {
    text += (identifier == 1 ? "[" : " > [") + std::to_string(identifier) + "]";
  }
  return text;
}

}  // namespace

CompletionWriter::CompletionWriter(const Tokenizer& tokenizer, std::vector<Stage> stages,
                                   const Sampling& sampling, std::string_view label)
    : tokenizer_(&tokenizer),
      stages_(std::move(stages)),
      sampling_(sampling),
      random_(sampling.seed, stream_of(label)) {
  run_stages();
}

void CompletionWriter::run_stages() {
  while (!is_complete()) {
    if (!is_begun_) begin_stage();
    const std::optional<StopReason> stop =
        std::visit([this](const auto& stage) { return run(stage); }, stages_[stage_]);
    if (!stop) return;
    stops_.push_back(*stop);
    ++stage_;
    is_begun_ = false;
  }
  write_waiting();
}

void CompletionWriter::begin_stage() {
  is_begun_ = true;
  choices_.emplace_back();
  if (std::holds_alternative<FreeStage>(stages_[stage_])) {
    write_waiting();
    free_text_.clear();
    num_free_tokens_ = 0;
    free_stop_.reset();
    end_token_.reset();
  } else if (const auto* permutation = std::get_if<PermutationStage>(&stages_[stage_])) {
    permutation_.emplace(*tokenizer_, permutation->size);
    wait_to_write("[");
  } else if (std::holds_alternative<TokenChoiceStage>(stages_[stage_])) {
    write_waiting();
  }
}

std::optional<StopReason> CompletionWriter::run(const FreeStage& stage) {
  if (free_stop_) return free_stop_;
  if (num_free_tokens_ >= stage.max_tokens) return StopReason::kLength;
  return std::nullopt;
}

std::optional<StopReason> CompletionWriter::run(const ForcedStage& stage) {
  wait_to_write(stage.text);
  return StopReason::kEnd;
}

std::optional<StopReason> CompletionWriter::run(const PermutationStage&) {
  while (!permutation_->only_one_left() || permutation_->has_begun()) {
    if (!permutation_->has_begun()) permutation_->begin(std::exchange(waiting_, {}));
    for (const TokenId id : permutation_->take_certain()) add(id, true);
    std::optional<internal::PermutationWriter::Decided> decided = permutation_->take_decided();
    if (!decided) return std::nullopt;
    choices_.back().push_back(decided->choice);
    waiting_parts_.clear();
    wait_to_write(decided->rest);
  }
  const std::size_t last = permutation_->take_last();
  choices_.back().push_back({last, 0});
  wait_to_write(std::to_string(last) + "]");
  return StopReason::kEnd;
}

std::optional<StopReason> CompletionWriter::run(const TokenChoiceStage&) {
  if (choices_.back().empty()) return std::nullopt;
  return StopReason::kEnd;
}

std::size_t CompletionWriter::num_free_left() const {
  const auto* free = is_complete() ? nullptr : std::get_if<FreeStage>(&stages_[stage_]);
  return free == nullptr ? 0 : free->max_tokens - num_free_tokens_;
}

void CompletionWriter::choose(std::span<const float> logits) {
  RR_CHECK(!is_complete(), "the completion is complete");
  RR_CHECK(logits.size() >= tokenizer_->vocabulary_size(), "a score for every token is needed");
  const std::size_t num_before = ids_.size();
  // A stage may end with nothing written, by an end token that is dropped: the scores are then
  // those of the next stage's first token.
  for (num_choices_here_ = 0; !is_complete() && ids_.size() == num_before; ++num_choices_here_) {
    if (const auto* free = std::get_if<FreeStage>(&stages_[stage_])) {
      choose_free(logits.first(tokenizer_->vocabulary_size()), *free);
    } else if (const auto* choice = std::get_if<TokenChoiceStage>(&stages_[stage_])) {
      choose_token(logits.first(tokenizer_->vocabulary_size()), *choice);
    } else {
      choose_branch(logits);
    }
    run_stages();
  }
}

// The first choice at a place depends on the place alone.
double CompletionWriter::draw() const {
  return random_.uniform_at(ids_.size() + (std::uint64_t{num_choices_here_} << 32));
}

void CompletionWriter::choose_free(std::span<const float> logits, const FreeStage& stage) {
  const auto id = static_cast<TokenId>(rr::choose(logits, sampling_, draw()));
  const std::span<const TokenId> ends = tokenizer_->end_tokens();
  if (std::find(ends.begin(), ends.end(), id) != ends.end()) {
    free_stop_ = StopReason::kEnd;
    end_token_ = id;
    return;
  }
  add(id, false);
  ++num_free_tokens_;
  const std::size_t searched = free_text_.size();
  free_text_ += tokenizer_->token_bytes(id);
  if (const auto stop_end = first_stop_end(free_text_, stage.stop, searched)) {
    free_stop_ = StopReason::kStop;
    meet_stop_string(*stop_end, stage.stop);
  }
}

// What the last token holds past the stop string is either how the next text begins, or is taken
// back with it. The model has not read that token yet, so nothing else has to be undone. A stop
// string with which the next text begins is not written twice.
void CompletionWriter::meet_stop_string(std::size_t stop_end, std::span<const std::string> stops) {
  const std::string upcoming = upcoming_text();
  const std::string_view written = std::string_view(free_text_).substr(0, stop_end);
  const std::string_view overrun = std::string_view(free_text_).substr(stop_end);
  const std::size_t repeated = repeated_stop(written, upcoming, stops);
  num_skipped_ = repeated;
  if (overrun.empty() || upcoming.empty()) return;
  if (std::string_view(upcoming).substr(repeated).starts_with(overrun)) {
    num_skipped_ = repeated + overrun.size();
    return;
  }
  std::string_view kept = tokenizer_->token_bytes(ids_.back());
  kept.remove_suffix(overrun.size());
  if (!is_valid_utf8(kept)) return;  // a character begun in the token before: cannot be rewritten
  ids_.pop_back();
  origins_.pop_back();
  num_skipped_ = 0;
  wait_to_write(kept);
  num_skipped_ = repeated;
}

// The forced text right behind the stage being written; empty where the model writes next.
std::string CompletionWriter::upcoming_text() const {
  std::string text;
  for (std::size_t next = stage_ + 1; next < stages_.size(); ++next) {
    if (const auto* forced = std::get_if<ForcedStage>(&stages_[next])) {
      text += forced->text;
      continue;
    }
    if (std::holds_alternative<PermutationStage>(stages_[next])) text += "[";
    break;
  }
  return text;
}

void CompletionWriter::choose_branch(std::span<const float> logits) {
  const std::vector<TokenId>& branches = permutation_->branches();
  std::vector<float> scores;
  for (const TokenId id : branches) scores.push_back(logits[static_cast<std::size_t>(id)]);
  double total = log_sum_exp(scores);
  if (!std::isfinite(total)) {  // the model rules all of them out: they are equal to it
    std::fill(scores.begin(), scores.end(), 0.0f);
    total = log_sum_exp(scores);
  }
  const std::size_t chosen = rr::choose(scores, sampling_, draw());
  const TokenId id = branches[chosen];
  add(id, false);
  permutation_->choose(id, static_cast<double>(scores[chosen]) - total);
}

void CompletionWriter::choose_token(std::span<const float> logits, const TokenChoiceStage& stage) {
  const double total = log_sum_exp(logits);
  TokenId best = stage.tokens.front();
  for (std::size_t i = 0; i < stage.tokens.size(); ++i) {
    const TokenId id = stage.tokens[i];
    const float score = logits[static_cast<std::size_t>(id)];
    choices_.back().push_back({i + 1, static_cast<double>(score) - total});
    if (score > logits[static_cast<std::size_t>(best)]) best = id;
  }
  add(best, false);
}

void CompletionWriter::add(TokenId id, bool is_forced) {
  std::size_t stage = std::min(stage_, stages_.size() - 1);
  if (!waiting_parts_.empty()) stage = waiting_parts_.front().stage;
  std::size_t num_bytes = tokenizer_->token_bytes(id).size();
  while (num_bytes > 0 && !waiting_parts_.empty()) {
    Part& part = waiting_parts_.front();
    const std::size_t taken = std::min(num_bytes, part.num_bytes);
    num_bytes -= taken;
    part.num_bytes -= taken;
    if (part.num_bytes == 0) waiting_parts_.pop_front();
  }
  ids_.push_back(id);
  origins_.push_back({stage, is_forced});
  if (is_forced) ++num_forced_;
}

void CompletionWriter::wait_to_write(std::string_view text) {
  const std::size_t skipped = std::min(num_skipped_, text.size());
  num_skipped_ -= skipped;
  text.remove_prefix(skipped);
  if (text.empty()) return;
  waiting_ += text;
  waiting_parts_.push_back({stage_, text.size()});
}

void CompletionWriter::write_waiting() {
  for (const TokenId id : tokenizer_->encode_with_special(std::exchange(waiting_, {}))) {
    add(id, true);
  }
  waiting_parts_.clear();
}

std::vector<StageReport> CompletionWriter::reports() const {
  std::vector<StageReport> reports(choices_.size());
  for (std::size_t stage = 0; stage < reports.size(); ++stage) {
    reports[stage].stop = stage < stops_.size() ? stops_[stage] : StopReason::kCancelled;
    reports[stage].choices = choices_[stage];
  }
  for (const Origin& origin : origins_) {
    ++reports[origin.stage].num_tokens;
    if (origin.is_forced) ++reports[origin.stage].num_forced;
  }
  return reports;
}

StopReason CompletionWriter::stop() const {
  return is_complete() ? stops_.back() : StopReason::kCancelled;
}

Status check_stages(const Tokenizer& tokenizer, std::span<const Stage> stages) {
  if (stages.empty()) {
    return Error{Errc::kRejected, "expected at least one stage to write, found none", ""};
  }
  for (const Stage& stage : stages) {
    if (const auto* free = std::get_if<FreeStage>(&stage)) {
      if (std::find(free->stop.begin(), free->stop.end(), "") != free->stop.end()) {
        return Error{Errc::kRejected, "expected stop strings with text, found an empty one", ""};
      }
    }
    const auto* permutation = std::get_if<PermutationStage>(&stage);
    if (permutation != nullptr && permutation->size == 0) {
      return Error{Errc::kRejected, "expected at least one identifier to order, found none", ""};
    }
    if (const auto* choice = std::get_if<TokenChoiceStage>(&stage)) {
      if (choice->tokens.empty()) {
        return Error{Errc::kRejected, "expected at least one token to choose, found none", ""};
      }
      RR_TRY_STATUS(check_ids(tokenizer, choice->tokens));
    }
  }
  return ok_status();
}

std::size_t most_tokens(const Tokenizer& tokenizer, std::span<const Stage> stages,
                        std::size_t limit) {
  std::size_t total = 0;
  for (const Stage& stage : stages) {
    std::size_t here = 0;
    if (const auto* free = std::get_if<FreeStage>(&stage)) {
      here = free->max_tokens;
    } else if (const auto* text = std::get_if<ForcedStage>(&stage)) {
      here = tokenizer.encode_with_special(text->text).size();
    } else if (const auto* permutation = std::get_if<PermutationStage>(&stage)) {
      // An identifier takes one token and more, so the text of a larger one need not be made.
      here = permutation->size > limit
                 ? limit
                 : tokenizer.encode_with_special(permutation_in_order(permutation->size)).size();
    } else {
      here = 1;  // of a TokenChoiceStage
    }
    total = here > limit - total ? limit : total + here;
  }
  return total;
}

}  // namespace rr
