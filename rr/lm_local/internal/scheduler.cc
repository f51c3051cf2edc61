#include "rr/lm_local/internal/scheduler.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

#include "rr/base/check.h"

namespace rr::internal {
namespace {

// Rows of scores in one step, each of the size of the vocabulary; more only where more requests
// write.
constexpr std::size_t kMaxScoreRows = 256;

// Tokens that a step reads for little more than the reading of the weights, which bounds the speed
// of a few sequences that write.
constexpr std::size_t kFreeTokens = 16;

// Tokens of a step that reads ahead and does nothing else: a request that comes waits so long.
constexpr std::size_t kIdleTokens = 128;

// Tokens of completions that are remembered for drafts.
constexpr std::size_t kMostRecalled = 4096;

std::size_t blocks_to_come(std::size_t length, std::size_t num_tokens) {
  return Scheduler::blocks_for(length + num_tokens) - Scheduler::blocks_for(length);
}

}  // namespace

void Step::add(RunningRequest* request, const DecoderChunk& chunk) {
  requests.push_back(request);
  chunks.push_back(chunk);
  first_rows.push_back(num_rows);
  num_rows += rows_of(chunk);
  (chunk.logits == LogitsWanted::kAll ? num_written : num_read) += chunk.ids.size();
}

std::size_t Step::rows_of(const DecoderChunk& chunk) {
  if (chunk.logits == LogitsWanted::kAll) return chunk.ids.size();
  return chunk.logits == LogitsWanted::kLast ? 1 : 0;
}

Scheduler::Scheduler(Decoder& decoder, const SchedulerLimits& limits)
    : decoder_(decoder), limits_(limits) {
  RR_CHECK(limits.max_sequences >= 1, "at least one request runs");
  RR_CHECK(limits.max_batch_tokens >= 1, "a step reads at least one token");
}

std::size_t Scheduler::blocks_for(std::size_t tokens) {
  return (tokens + kKvBlockTokens - 1) / kKvBlockTokens;
}

void Scheduler::add(std::unique_ptr<RunningRequest> request) {
  request->look_in(completions_);
  waiting_.push_back(std::move(request));
}

std::vector<std::unique_ptr<RunningRequest>> Scheduler::take_out(
    const std::unordered_set<GenerationId>& ids) {
  std::vector<std::unique_ptr<RunningRequest>> taken;
  for (Line* line : {&running_, &waiting_}) {
    std::erase_if(*line, [&](std::unique_ptr<RunningRequest>& request) {
      if (!ids.contains(request->id())) return false;
      request->stop();
      taken.push_back(std::move(request));
      return true;
    });
  }
  return taken;
}

std::vector<std::unique_ptr<RunningRequest>> Scheduler::take_out_all() {
  std::vector<std::unique_ptr<RunningRequest>> taken;
  for (Line* line : {&running_, &waiting_}) {
    std::move(line->begin(), line->end(), std::back_inserter(taken));
    line->clear();
  }
  return taken;
}

void Scheduler::admit() {
  while (!waiting_.empty() && running_.size() < limits_.max_sequences) {
    RunningRequest& request = *waiting_.front();
    request.start(KeptSequence(decoder_.new_sequence(), tree_));
    if (!running_.empty() && !has_room_for(request)) {
      request.stop();
      return;
    }
    running_.splice(running_.end(), waiting_, waiting_.begin());
  }
}

// Room for what it has to read before it writes, and a block for each that runs to write in.
bool Scheduler::has_room_for(const RunningRequest& request) const {
  const std::size_t in_use = decoder_.num_kv_blocks() - tree_.num_evictable();
  const std::size_t missing =
      blocks_to_come(request.length(), request.num_tokens() - request.length());
  return in_use + missing + running_.size() + 1 <= limits_.max_kv_blocks;
}

Step Scheduler::plan() {
  RR_CHECK(!is_idle(), "nothing to plan for");
  admit();
  Step step;
  num_blocks_due_ = 0;
  plan_requests(step);
  RR_CHECK(running_.empty() || !step.requests.empty(), "the first one can always go on");
  plan_expected(step);
  return step;
}

void Scheduler::plan_requests(Step& step) {
  std::size_t tokens_left = limits_.max_batch_tokens;
  const DraftShare share = share_of_drafts();
  std::set<KeptSequence::BlockToRead> being_read;
  for (auto it = running_.begin(); it != running_.end(); ++it) {
    RunningRequest& request = **it;
    request.take_kept();
    const std::optional<KeptSequence::BlockToRead> block = request.block_to_read();
    if (block && being_read.contains(*block)) continue;
    const std::size_t rows_left = kMaxScoreRows - std::min(kMaxScoreRows, step.num_rows);
    const DecoderChunk chunk = request.next_chunk(
        {.tokens = std::max<std::size_t>(1, tokens_left),
         .scores = std::max<std::size_t>(1, rows_left),
         .drafted = request.reads_prompt() ? 0 : room_for_draft(request, share.tokens),
         .draft_cost = share.cost});
    const bool is_written = chunk.logits == LogitsWanted::kAll;
    if (!is_written && tokens_left == 0) continue;
    if (!make_room_for(it, chunk.ids.size())) break;  // it was the last one, and is stopped
    if (!is_written) tokens_left -= chunk.ids.size();
    if (block) being_read.insert(*block);
    num_blocks_due_ += blocks_to_come(request.length(), chunk.ids.size());
    step.add(&request, chunk);
  }
}

// What each of those that write may draft. In units of a step of one, and with the decoder's
// row_cost() r, a step takes 1 + (W - 1) r where W write, a token so the W-th part of that, and a
// drafted one r.
Scheduler::DraftShare Scheduler::share_of_drafts() const {
  if (!limits_.with_drafts) return {};
  const auto writers = static_cast<std::size_t>(
      std::count_if(running_.begin(), running_.end(),
                    [](const auto& request) { return !request->reads_prompt(); }));
  if (writers == 0 || writers > kFreeTokens) return {};
  const double row_cost = decoder_.row_cost();
  const auto num = static_cast<double>(writers);
  return {kFreeTokens / writers - 1, row_cost * num / (1 + row_cost * (num - 1))};
}

// In the context, and in memory: the block that it writes in, and the next one where nobody who
// runs has to give it.
std::size_t Scheduler::room_for_draft(const RunningRequest& request, std::size_t wanted) {
  const std::size_t tokens = request.num_tokens();
  std::size_t end = blocks_for(tokens) * kKvBlockTokens;
  if (tokens + wanted > end &&
      make_room(blocks_to_come(request.length(), tokens - request.length()) + 1)) {
    end += kKvBlockTokens;
  }
  return std::min({wanted, end - tokens, decoder_.config().context_length - tokens});
}

void Scheduler::expect(TokenIds beginning) {
  beginning.resize(beginning.size() / kKvBlockTokens * kKvBlockTokens);
  if (beginning.empty() || blocks_for(beginning.size()) > limits_.max_kv_blocks) return;
  expected_.push_back({std::move(beginning), std::nullopt});
  if (expected_.size() > kMaxExpected) expected_.pop_front();
}

void Scheduler::plan_expected(Step& step) {
  if (!waiting_.empty()) return;
  const std::size_t most = step.chunks.empty() ? kIdleTokens : kFreeTokens;
  const std::size_t planned = step.num_read + step.num_written;
  for (; !expected_.empty() && planned < most; expected_.pop_front()) {
    Expected& next = expected_.front();
    if (!next.sequence) next.sequence.emplace(decoder_.new_sequence(), tree_);
    KeptSequence& sequence = *next.sequence;
    const std::span<const TokenId> ids = next.ids;
    while (sequence.length() < ids.size() && sequence.length() == sequence.block_start() &&
           sequence.take(ids.subspan(sequence.length(), kKvBlockTokens))) {
    }
    const auto rest = ids.subspan(sequence.length());
    const auto chunk = rest.first(std::min(rest.size(), most - planned));
    // Where it is there, or a request reads it now, or there is no room for it, nothing is left to
    // do.
    if (chunk.empty() || !sequence.is_kept()) continue;
    if (!make_room(blocks_to_come(sequence.length(), chunk.size()))) continue;
    step.chunks.push_back({sequence.sequence(), chunk, LogitsWanted::kNone});
    step.num_expected = chunk.size();
    return;
  }
}

// Stops the requests behind this one as far as needed, then itself. Those behind it have not been
// planned for yet.
bool Scheduler::make_room_for(Line::iterator request, std::size_t num_tokens) {
  const std::size_t num_blocks = blocks_to_come((*request)->length(), num_tokens);
  while (!make_room(num_blocks)) {
    const bool is_last = std::next(request) == running_.end();
    RR_CHECK(!is_last || request != running_.begin(), "alone every request has room");
    stop_last();
    if (is_last) return false;
  }
  return true;
}

bool Scheduler::make_room(std::size_t num_blocks) {
  while (decoder_.num_kv_blocks() + num_blocks_due_ + num_blocks > limits_.max_kv_blocks) {
    if (!tree_.evict_one()) return false;
  }
  return true;
}

void Scheduler::stop_last() {
  running_.back()->stop();
  waiting_.splice(waiting_.begin(), running_, std::prev(running_.end()));
  ++num_stopped_;
}

std::vector<std::unique_ptr<RunningRequest>> Scheduler::finish(const Step& step) {
  for (RunningRequest* request : step.requests) request->keep();
  if (step.num_expected > 0) {
    Expected& read = expected_.front();
    for (std::size_t start = 0;
         (start = read.sequence->next_to_keep()) < read.sequence->length();) {
      read.sequence->keep(std::span(read.ids).subspan(start, kKvBlockTokens));
    }
  }
  std::vector<std::unique_ptr<RunningRequest>> finished;
  std::erase_if(running_, [&](std::unique_ptr<RunningRequest>& request) {
    if (!request->is_finished()) return false;
    request->stop();
    recall(request->written_ids());
    finished.push_back(std::move(request));
    return true;
  });
  return finished;
}

void Scheduler::recall(const TokenIds& completion) {
  if (!limits_.with_drafts) return;
  completions_.push_back(completion);
  num_recalled_ += completion.size();
  for (; num_recalled_ > kMostRecalled; completions_.pop_front()) {
    num_recalled_ -= completions_.front().size();
  }
}

}  // namespace rr::internal
