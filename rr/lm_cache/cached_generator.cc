#include "rr/lm_cache/cached_generator.h"

#include <fmt/core.h>

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "rr/base/check.h"

namespace rr {
namespace {

// What a chat template writes around messages, in tokens: more than any known one does.
constexpr std::size_t kTemplateTokens = 256;
constexpr std::size_t kTokensPerMessage = 16;

// "[20] > " is at most 7 tokens.
constexpr std::size_t kMostTokensPerIdentifier = 9;

struct Amount {
  std::size_t tokens = 0;
  double usd = 0;

  Amount& operator+=(const Amount& other) {
    tokens += other.tokens;
    usd += other.usd;
    return *this;
  }
  Amount& operator-=(const Amount& other) {
    tokens -= other.tokens;
    usd -= other.usd;
    return *this;
  }
};

struct PromptBound {
  std::size_t operator()(const TokenIds& ids) const { return ids.size(); }
  std::size_t operator()(const Messages& messages) const {
    std::size_t tokens = kTemplateTokens;
    for (const Message& message : messages) tokens += message.content.size() + kTokensPerMessage;
    return tokens;
  }
};

struct StageBound {
  std::size_t operator()(const FreeStage& stage) const { return stage.max_tokens; }
  std::size_t operator()(const ForcedStage& stage) const { return stage.text.size(); }
  std::size_t operator()(const PermutationStage& stage) const {
    return stage.size * kMostTokensPerIdentifier + kTokensPerMessage;
  }
  std::size_t operator()(const TokenChoiceStage&) const { return 1; }
};

// A token is at least a byte.
std::size_t most_prompt_tokens(const GenerationRequest& request) {
  return std::visit(PromptBound{}, request.prompt);
}

std::size_t most_completion_tokens(const GenerationRequest& request) {
  std::size_t tokens = 0;
  for (const Stage& stage : request.stages) tokens += std::visit(StageBound{}, stage);
  return tokens;
}

// A server that cannot close a model's thoughts within one call is called again, and reads the
// prompt and the thoughts a second time.
bool may_take_two_calls(const GenerationRequest& request) {
  const auto holds = [&request](auto is_kind) {
    return std::any_of(request.stages.begin(), request.stages.end(), is_kind);
  };
  return holds([](const Stage& s) { return std::holds_alternative<FreeStage>(s); }) &&
         holds([](const Stage& s) { return std::holds_alternative<PermutationStage>(s); });
}

std::size_t count_tokens(const Completion& completion) {
  if (!completion.ids.empty()) return completion.ids.size();
  std::size_t tokens = 0;
  for (const StageReport& stage : completion.stages) tokens += stage.num_tokens;
  return tokens;
}

AnswerUsage usage_of(const Completion& completion, std::size_t prompt_bound) {
  const AnswerUsage said{completion.prompt_tokens, count_tokens(completion), false};
  if (said.prompt_tokens > 0) return said;
  return {prompt_bound, std::max(said.completion_tokens, completion.text.size()), true};
}

Completion without_answer(StopReason stop, std::optional<Error> error) {
  Completion completion;
  completion.stop = stop;
  completion.error = std::move(error);
  return completion;
}

bool is_answer(const Completion& completion) {
  return completion.stop != StopReason::kFailed && completion.stop != StopReason::kCancelled;
}

}  // namespace

class CachedGenerator::Desk {
 public:
  Desk(Generator& inner, AnswerCache& cache, CachedGeneratorOptions options)
      : inner_(inner), cache_(cache), options_(std::move(options)) {
    price_ = options_.prices.find(options_.model);
    RR_CHECK(!options_.budget.usd || price_, "a budget in dollars needs the model's price");
    if (has_budget()) dispatcher_ = std::thread([this] { dispatch(); });
  }
  ~Desk();

  Result<GenerationId> submit(GenerationRequest request, GenerationListener listener);
  void cancel(GenerationId id);
  void expect(TokenIds beginning) { inner_.expect(std::move(beginning)); }
  const TextModel* text_model() const { return inner_.text_model(); }

  Counters counters() const {
    const std::lock_guard lock(mutex_);
    return counters_;
  }

 private:
  struct Waiter {
    GenerationId id;
    std::shared_ptr<const GenerationListener> listener;
    bool is_cancelled = false;
    bool is_refused = false;  // submit() said so
  };

  // A request that was asked, or waits until it can be afforded, and all who want its answer. The
  // first of them hears the text as it comes.
  struct Running {
    std::string key;
    std::string label;
    std::size_t prompt_bound = 0;
    Amount most;  // that it may cost
    std::vector<Waiter> waiters;
    bool was_asked = false;
    std::optional<GenerationId> inner_id;  // once the inner generator has said it
    bool is_unwanted = false;              // nobody waits any more
    GenerationRequest request;             // while it waits to be asked
  };
  using RunningPtr = std::shared_ptr<Running>;

  enum class Affordable { kNow, kLater };

  bool has_budget() const { return options_.budget.usd || options_.budget.tokens; }
  Amount most_cost(const GenerationRequest& request) const;
  Result<Amount> spent();
  Result<Affordable> check_budget(const Amount& need);
  Error out_of_budget(const Amount& need, const Amount& spent) const;

  RunningPtr add_running(const std::string& key, const GenerationRequest& request, Waiter waiter);
  Status ask(const RunningPtr& running, GenerationRequest request);
  void hear(const RunningPtr& running, const GenerationEvent& event);
  void keep(const Running& running, const Completion& completion);
  std::vector<Waiter> close(const RunningPtr& running);
  void end(const RunningPtr& running, const Completion& completion, std::string_view last_text);
  void dispatch();
  void dispatch_first(std::unique_lock<std::mutex>& lock);

  Generator& inner_;
  AnswerCache& cache_;
  const CachedGeneratorOptions options_;
  std::optional<ModelPrice> price_;

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::unordered_map<std::string, RunningPtr> running_;  // by key; queued ones too
  std::unordered_map<GenerationId, RunningPtr> by_id_;
  std::deque<RunningPtr> queue_;  // wait for the budget, in their order
  Amount reserved_;               // for the requests that were asked and have not ended
  std::size_t num_asked_ = 0;     // of these
  std::size_t num_open_ = 0;      // requests that have not ended, their listeners' calls included
  Counters counters_;
  std::optional<Error> broken_;  // the cache cannot be written
  GenerationId next_id_ = 1;
  bool is_closing_ = false;

  std::thread dispatcher_;  // with a budget: asks what waited, which a listener may not
};

CachedGenerator::Desk::~Desk() {
  std::unique_lock lock(mutex_);
  is_closing_ = true;
  std::vector<GenerationId> to_cancel;
  for (auto& [key, running] : running_) {
    for (Waiter& waiter : running->waiters) waiter.is_cancelled = true;
    running->is_unwanted = true;
    if (running->inner_id) to_cancel.push_back(*running->inner_id);
  }
  changed_.notify_all();
  lock.unlock();
  for (const GenerationId id : to_cancel) inner_.cancel(id);
  lock.lock();
  changed_.wait(lock, [this] { return num_open_ == 0; });
  lock.unlock();
  if (dispatcher_.joinable()) dispatcher_.join();
}

Amount CachedGenerator::Desk::most_cost(const GenerationRequest& request) const {
  const std::size_t written = most_completion_tokens(request);
  std::size_t read = most_prompt_tokens(request);
  if (may_take_two_calls(request)) read = 2 * read + written;
  return {read + written, price_ ? cost_usd(*price_, read, written) : 0};
}

// All that the cache ever paid for.
Result<Amount> CachedGenerator::Desk::spent() {
  RR_TRY(const std::vector<ModelSpending> models, cache_.spending());
  Amount total;
  for (const ModelSpending& model : models) {
    const auto price = options_.prices.find(model.model);
    if (options_.budget.usd && !price) {
      return Error{Errc::kRejected,
                   fmt::format("the cache holds answers of \"{}\", whose price is not known, so a "
                               "budget in dollars cannot be kept; add it to the prices",
                               model.model),
                   cache_.path().string()};
    }
    const double usd = price ? cost_usd(*price, model.prompt_tokens, model.completion_tokens) : 0;
    total += {model.prompt_tokens + model.completion_tokens, usd};
  }
  return total;
}

Error CachedGenerator::Desk::out_of_budget(const Amount& need, const Amount& spent) const {
  std::string message;
  if (options_.budget.usd) {
    message = fmt::format(
        "the budget of ${:.4f} does not allow another request: ${:.4f} are spent and this one may "
        "cost ${:.4f}",
        *options_.budget.usd, spent.usd, need.usd);
  }
  if (options_.budget.tokens && spent.tokens + need.tokens > *options_.budget.tokens) {
    message = fmt::format(
        "the budget of {} tokens does not allow another request: {} are spent and this one may "
        "take {}",
        *options_.budget.tokens, spent.tokens, need.tokens);
  }
  return {Errc::kRejected, message, cache_.path().string()};
}

Result<CachedGenerator::Desk::Affordable> CachedGenerator::Desk::check_budget(const Amount& need) {
  if (!has_budget()) return Affordable::kNow;
  RR_TRY(const Amount gone, spent());
  const auto fits = [this, &need](Amount taken) {
    taken += need;
    return (!options_.budget.usd || taken.usd <= *options_.budget.usd) &&
           (!options_.budget.tokens || taken.tokens <= *options_.budget.tokens);
  };
  if (!fits(gone)) return out_of_budget(need, gone);
  Amount with_running = gone;
  with_running += reserved_;
  return fits(with_running) ? Affordable::kNow : Affordable::kLater;
}

Result<GenerationId> CachedGenerator::Desk::submit(GenerationRequest request,
                                                   GenerationListener listener) {
  const std::string key = request_key(options_.model, request);
  std::unique_lock lock(mutex_);
  Waiter waiter{next_id_++, std::make_shared<const GenerationListener>(std::move(listener))};
  const GenerationId id = waiter.id;
  if (const auto it = running_.find(key); it != running_.end() && !it->second->is_unwanted) {
    by_id_[id] = it->second;
    it->second->waiters.push_back(std::move(waiter));
    ++counters_.joined;
    return id;
  }
  RR_TRY(const std::optional<Completion> known, cache_.find(key));
  if (known) {
    ++counters_.from_cache;
    lock.unlock();
    (*waiter.listener)({known->text, &*known});
    return id;
  }
  if (broken_) return *broken_;
  RR_TRY(const Affordable affordable, check_budget(most_cost(request)));
  const RunningPtr running = add_running(key, request, std::move(waiter));
  if (affordable == Affordable::kLater || !queue_.empty()) {
    running->request = std::move(request);
    queue_.push_back(running);
    changed_.notify_all();
    return id;
  }
  running->was_asked = true;
  reserved_ += running->most;
  ++num_asked_;
  ++counters_.asked;
  lock.unlock();

  const Status asked = ask(running, std::move(request));
  if (asked.ok()) return id;
  lock.lock();
  running->waiters.front().is_refused = true;
  lock.unlock();
  end(running, without_answer(StopReason::kFailed, asked.error()), "");
  return asked.error();
}

CachedGenerator::Desk::RunningPtr CachedGenerator::Desk::add_running(
    const std::string& key, const GenerationRequest& request, Waiter waiter) {
  const auto running = std::make_shared<Running>();
  running->key = key;
  running->label = request.label;
  running->prompt_bound = most_prompt_tokens(request);
  running->most = most_cost(request);
  by_id_[waiter.id] = running;
  running->waiters.push_back(std::move(waiter));
  running_[key] = running;
  ++num_open_;
  return running;
}

// Hands a request on. Where it is refused, its listener will not be called.
Status CachedGenerator::Desk::ask(const RunningPtr& running, GenerationRequest request) {
  const auto inner_id = inner_.submit(
      std::move(request), [this, running](const GenerationEvent& event) { hear(running, event); });
  if (!inner_id.ok()) return inner_id.error();
  bool is_unwanted = false;
  {
    const std::lock_guard lock(mutex_);
    running->inner_id = inner_id.value();
    is_unwanted = running->is_unwanted;
  }
  if (is_unwanted) inner_.cancel(inner_id.value());  // it was cancelled meanwhile
  return ok_status();
}

void CachedGenerator::Desk::hear(const RunningPtr& running, const GenerationEvent& event) {
  if (event.completion != nullptr) {
    if (is_answer(*event.completion)) keep(*running, *event.completion);
    end(running, *event.completion, event.text);
    return;
  }
  std::shared_ptr<const GenerationListener> first;
  {
    const std::lock_guard lock(mutex_);
    if (!running->waiters.front().is_cancelled) first = running->waiters.front().listener;
  }
  if (first) (*first)(event);
}

void CachedGenerator::Desk::keep(const Running& running, const Completion& completion) {
  const AnswerUsage usage = usage_of(completion, running.prompt_bound);
  const Status stored = cache_.store(running.key, options_.model, running.label, completion, usage);
  const std::lock_guard lock(mutex_);
  if (!stored.ok()) {
    broken_ = stored.error();
    return;
  }
  ++counters_.stored;
  counters_.prompt_tokens += usage.prompt_tokens;
  counters_.completion_tokens += usage.completion_tokens;
  if (price_) counters_.usd += cost_usd(*price_, usage.prompt_tokens, usage.completion_tokens);
}

// Takes a request off the books; from here on the same one is asked anew, or read from the cache.
std::vector<CachedGenerator::Desk::Waiter> CachedGenerator::Desk::close(const RunningPtr& running) {
  const std::lock_guard lock(mutex_);
  if (const auto it = running_.find(running->key); it != running_.end() && it->second == running) {
    running_.erase(it);
  }
  for (const Waiter& waiter : running->waiters) by_id_.erase(waiter.id);
  if (running->was_asked) {
    reserved_ -= running->most;
    if (--num_asked_ == 0) reserved_ = {};  // no rounding is left over
  }
  changed_.notify_all();
  return std::move(running->waiters);
}

void CachedGenerator::Desk::end(const RunningPtr& running, const Completion& completion,
                                std::string_view last_text) {
  bool is_first = true;
  for (const Waiter& waiter : close(running)) {
    const std::string_view text = is_first ? last_text : completion.text;
    is_first = false;
    if (waiter.is_refused) continue;
    if (waiter.is_cancelled) {
      const Completion cancelled = without_answer(StopReason::kCancelled, std::nullopt);
      (*waiter.listener)({"", &cancelled});
    } else {
      (*waiter.listener)({text, &completion});
    }
  }
  const std::lock_guard lock(mutex_);
  --num_open_;
  changed_.notify_all();
}

void CachedGenerator::Desk::cancel(GenerationId id) {
  std::optional<GenerationId> inner_id;
  {
    const std::lock_guard lock(mutex_);
    const auto it = by_id_.find(id);
    if (it == by_id_.end()) return;
    const RunningPtr running = it->second;
    bool is_wanted = false;
    for (Waiter& waiter : running->waiters) {
      if (waiter.id == id) waiter.is_cancelled = true;
      if (!waiter.is_cancelled) is_wanted = true;
    }
    if (is_wanted) return;
    running->is_unwanted = true;
    inner_id = running->inner_id;
    if (const auto queued = std::find(queue_.begin(), queue_.end(), running);
        queued != queue_.end()) {
      queue_.erase(queued);
      queue_.push_front(running);  // the dispatcher ends it next
      changed_.notify_all();
    }
  }
  if (inner_id) inner_.cancel(*inner_id);
}

void CachedGenerator::Desk::dispatch() {
  std::unique_lock lock(mutex_);
  while (!is_closing_ || !queue_.empty()) {
    if (queue_.empty()) {
      changed_.wait(lock);
    } else {
      dispatch_first(lock);
    }
  }
}

// Asks the first request that waits, ends it, or waits for news.
void CachedGenerator::Desk::dispatch_first(std::unique_lock<std::mutex>& lock) {
  const RunningPtr running = queue_.front();
  std::optional<Completion> ended;
  if (running->is_unwanted) {
    ended = without_answer(StopReason::kCancelled, std::nullopt);
  } else if (broken_) {
    ended = without_answer(StopReason::kFailed, broken_);
  } else {
    const auto affordable = check_budget(running->most);
    if (affordable.ok() && affordable.value() == Affordable::kLater) {
      changed_.wait(lock);
      return;
    }
    if (!affordable.ok()) ended = without_answer(StopReason::kFailed, affordable.error());
  }
  queue_.pop_front();
  if (!ended) {
    running->was_asked = true;
    reserved_ += running->most;
    ++num_asked_;
    ++counters_.asked;
  }
  lock.unlock();
  if (!ended) {
    const Status asked = ask(running, std::move(running->request));
    if (!asked.ok()) ended = without_answer(StopReason::kFailed, asked.error());
  }
  if (ended) end(running, *ended, "");
  lock.lock();
}

CachedGenerator::CachedGenerator(Generator& inner, AnswerCache& cache,
                                 CachedGeneratorOptions options)
    : desk_(std::make_unique<Desk>(inner, cache, std::move(options))) {}

CachedGenerator::~CachedGenerator() = default;

Result<GenerationId> CachedGenerator::submit(GenerationRequest request,
                                             GenerationListener listener) {
  return desk_->submit(std::move(request), std::move(listener));
}

void CachedGenerator::cancel(GenerationId id) { desk_->cancel(id); }

void CachedGenerator::expect(TokenIds beginning) { desk_->expect(std::move(beginning)); }

const TextModel* CachedGenerator::text_model() const { return desk_->text_model(); }

CachedGenerator::Counters CachedGenerator::counters() const { return desk_->counters(); }

}  // namespace rr
