#include "rr/lm_llama/llama_generator.h"

#include <fmt/core.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "rr/base/check.h"
#include "rr/base/clock.h"
#include "rr/lm/generation_task.h"
#include "rr/lm/request_inbox.h"
#include "rr/lm_llama/internal/llama_engine.h"
#include "rr/lm_llama/internal/sequence_table.h"

namespace rr {
namespace {

using internal::LlamaEngine;
using internal::LlamaSequence;
using internal::SequenceTable;

// What one call of llama_decode() reads.
class Step {
 public:
  explicit Step(std::size_t max_tokens) : max_tokens_(max_tokens) {}

  struct Part {
    LlamaSequence* sequence;
    std::size_t num_tokens;  // its next ones
    std::size_t num_rows;    // of scores, behind the last of them
    std::size_t end = 0;     // of its entries in the batch
  };
  const std::vector<Part>& parts() const { return parts_; }
  std::size_t room() const { return max_tokens_ - num_read - num_written; }
  std::size_t num_read = 0;     // tokens of prompts
  std::size_t num_written = 0;  // tokens of completions

  void add(LlamaSequence& sequence, std::size_t count, std::size_t num_rows) {
    parts_.push_back({&sequence, count, num_rows});
  }

  // Points into this object. In the order of the sequences' numbers: neighbours alone are computed
  // together.
  llama_batch batch() {
    std::sort(parts_.begin(), parts_.end(),
              [](const Part& a, const Part& b) { return a.sequence->id < b.sequence->id; });
    for (Part& part : parts_) write(part);
    counts_.assign(tokens_.size(), 1);
    for (llama_seq_id& id : ids_) id_lists_.push_back(&id);
    llama_batch batch{};
    batch.n_tokens = static_cast<int32_t>(tokens_.size());
    batch.token = tokens_.data();
    batch.pos = positions_.data();
    batch.n_seq_id = counts_.data();
    batch.seq_id = id_lists_.data();
    batch.logits = wanted_.data();
    return batch;
  }

 private:
  void write(Part& part) {
    for (std::size_t i = 0; i < part.num_tokens; ++i) {
      const std::size_t place = part.sequence->read.size() + i;
      tokens_.push_back(part.sequence->task->token(place));
      positions_.push_back(static_cast<llama_pos>(place));
      ids_.push_back(part.sequence->id);
      wanted_.push_back(i + part.num_rows >= part.num_tokens ? 1 : 0);
    }
    part.end = tokens_.size();
  }

  std::size_t max_tokens_;
  std::vector<Part> parts_;
  std::vector<llama_token> tokens_;
  std::vector<llama_pos> positions_;
  std::vector<int32_t> counts_;
  std::vector<llama_seq_id> ids_;
  std::vector<llama_seq_id*> id_lists_;
  std::vector<int8_t> wanted_;
};

class Worker : public LlamaGenerator {
 public:
  Worker(std::unique_ptr<LlamaEngine> engine, std::size_t max_batch_tokens);
  ~Worker() override;

  Result<GenerationId> submit(GenerationRequest request, GenerationListener listener) override;
  void cancel(GenerationId id) override { inbox_.cancel(id); }
  const TextModel* text_model() const override { return &engine_->text_model(); }
  std::string description() const override { return engine_->description(); }
  std::size_t kv_tokens() const override { return engine_->kv_tokens(); }
  std::size_t kv_bytes() const override { return engine_->kv_bytes(); }
  GenerationCounters counters() const override;

 private:
  void run();
  bool take_news();
  void do_step();
  Step plan();
  void plan_one(LlamaSequence& sequence, Step& step, std::size_t& prompt_tokens_left);
  bool decode(Step& step);
  void take_scores(const Step& step);
  void end(std::vector<LlamaSequence> sequences, bool are_finished);
  void count_step(const Step& step, double seconds);
  void count_end(const LlamaSequence& sequence);

  std::unique_ptr<LlamaEngine> engine_;
  std::size_t max_batch_tokens_;
  std::atomic<GenerationId> next_id_ = 1;
  RequestInbox inbox_;

  mutable std::mutex mutex_;  // guards counters_
  GenerationCounters counters_;

  // The worker's thread has the rest to itself.
  SequenceTable table_;
  GenerationCounters totals_;

  std::thread thread_;  // last: it uses all of the above
};

SequenceTable::Limits limits_of(const LlamaEngine& engine) {
  // A token's keys and values are copied in a small part of the time that its reading takes.
  constexpr std::size_t kCopiedForOneRead = 64;
  return {.max_sequences = engine.max_sequences(),
          .shares = engine.has_token_memory(),
          .worth_copying = std::max<std::size_t>(32, engine.context_length() / kCopiedForOneRead)};
}

Worker::Worker(std::unique_ptr<LlamaEngine> engine, std::size_t max_batch_tokens)
    : engine_(std::move(engine)),
      max_batch_tokens_(max_batch_tokens),
      table_(engine_->memory(), limits_of(*engine_)) {
  thread_ = std::thread([this] { run(); });
}

Worker::~Worker() {
  inbox_.close();
  thread_.join();
}

Result<GenerationId> Worker::submit(GenerationRequest request, GenerationListener listener) {
  const GenerationId id = next_id_++;
  RR_TRY(
      std::unique_ptr<GenerationTask> task,
      GenerationTask::create(id, std::move(request), std::move(listener), engine_->text_model()));
  inbox_.submit(std::move(task));
  return id;
}

GenerationCounters Worker::counters() const {
  const std::lock_guard lock(mutex_);
  return counters_;
}

void Worker::run() {
  while (take_news()) {
    if (!table_.is_idle()) do_step();
  }
  end(table_.take_out_all(), false);
}

// Waits where there is nothing to do. False: it is time to stop.
bool Worker::take_news() {
  RequestInbox::News news = inbox_.take(!table_.is_idle());
  for (auto& task : news.submitted) table_.add(std::move(task));
  end(table_.take_out(news.cancelled), false);
  return !news.is_closed;
}

void Worker::do_step() {
  const Clock::time_point begin = Clock::now();
  table_.admit();
  Step step = plan();
  if (decode(step)) take_scores(step);
  count_step(step, seconds_since(begin));
  for (LlamaSequence& sequence : table_.running()) {
    if (sequence.is_finished()) {
      count_end(sequence);
    } else if (!sequence.reads_prompt()) {
      sequence.task->tell_text();
    }
  }
  {
    const std::lock_guard lock(mutex_);
    counters_ = totals_;
  }
  end(table_.take_finished(), true);
}

void Worker::end(std::vector<LlamaSequence> sequences, bool are_finished) {
  for (const LlamaSequence& sequence : sequences) {
    sequence.task->tell_end(are_finished, sequence.num_cached);
  }
}

Step Worker::plan() {
  Step step(engine_->max_step_tokens());
  std::size_t prompt_tokens_left = max_batch_tokens_;
  for (LlamaSequence& sequence : table_.running()) plan_one(sequence, step, prompt_tokens_left);
  RR_CHECK(!step.parts().empty(), "the first one can always go on");
  return step;
}

// Of a prompt as much as there is room for, with the scores behind its last token; of a completion
// all that stands fast, with the scores behind each.
void Worker::plan_one(LlamaSequence& sequence, Step& step, std::size_t& prompt_tokens_left) {
  if (!table_.begin(sequence)) return;
  const std::size_t place = sequence.read.size();
  if (!sequence.reads_prompt()) {
    const std::size_t count = std::min(sequence.task->num_to_read() - place, step.room());
    if (count > 0) step.add(sequence, count, count);
    step.num_written += count;
    return;
  }
  const std::size_t left = sequence.task->prompt().size() - place;
  const std::size_t count = std::min({left, prompt_tokens_left, step.room()});
  if (count > 0) step.add(sequence, count, count == left ? 1 : 0);
  prompt_tokens_left -= count;
  step.num_read += count;
}

// False: everyone in the step has failed.
bool Worker::decode(Step& step) {
  internal::take_llama_complaint();  // of what went well in the end
  const int32_t status = llama_decode(engine_->context(), step.batch());
  if (status == 0) {
    for (const Step::Part& part : step.parts()) {
      TokenIds& read = part.sequence->read;
      const std::size_t place = read.size();
      for (std::size_t i = 0; i < part.num_tokens; ++i) {
        read.push_back(part.sequence->task->token(place + i));
      }
    }
    return true;
  }
  const std::string complaint = internal::take_llama_complaint();
  for (const Step::Part& part : step.parts()) {
    part.sequence->task->fail({Errc::kUnavailable,
                               fmt::format("llama.cpp could not run the model (status {}{}{})",
                                           status, complaint.empty() ? "" : ": ", complaint),
                               ""});
  }
  return false;
}

void Worker::take_scores(const Step& step) {
  for (const Step::Part& part : step.parts()) {
    GenerationTask& task = *part.sequence->task;
    // The first row is about the token behind the first one that it was asked for.
    std::size_t place = part.sequence->read.size() + 1 - part.num_rows - task.prompt().size();
    for (std::size_t row = 0; row < part.num_rows && !task.has_failed(); ++row, ++place) {
      const float* scores = llama_get_logits_ith(
          engine_->context(), static_cast<int32_t>(part.end - part.num_rows + row));
      RR_CHECK(scores != nullptr, "scores of a row that was asked for");
      task.take({scores, engine_->vocabulary_size()}, place);
    }
    if (task.is_complete() || task.num_tokens() <= engine_->context_length()) continue;
    task.fail({Errc::kRejected,
               fmt::format("the text grew longer than the model's context of {}",
                           engine_->context_length()),
               ""});
  }
}

void Worker::count_step(const Step& step, double seconds) {
  GenerationCounters::Steps& steps = step.num_written == 0 ? totals_.reading
                                     : step.num_read == 0  ? totals_.writing
                                                           : totals_.mixed;
  ++steps.count;
  steps.read_tokens += step.num_read;
  steps.written_tokens += step.num_written;
  steps.seconds += seconds;
  totals_.max_running = std::max(totals_.max_running, step.parts().size());
}

void Worker::count_end(const LlamaSequence& sequence) {
  totals_.prompt_tokens += sequence.task->prompt().size();
  totals_.cached_tokens += sequence.num_cached;
  totals_.completion_tokens += sequence.task->written().size();
  totals_.forced_tokens += sequence.task->num_forced();
}

}  // namespace

std::string LlamaGenerator::library_version() { return llama_version(); }

Result<std::unique_ptr<LlamaGenerator>> LlamaGenerator::load(const std::filesystem::path& path,
                                                             const LlamaOptions& options) {
  RR_TRY(std::unique_ptr<LlamaEngine> engine, LlamaEngine::load(path, options));
  return std::unique_ptr<LlamaGenerator>(
      std::make_unique<Worker>(std::move(engine), options.max_batch_tokens));
}

}  // namespace rr
