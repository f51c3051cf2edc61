// A generator on a small model under whatever may come, for as long as one likes: requests of every
// kind from several threads, cancelled at any moment, dialogues with deadlines, memory that runs
// out, generators that end while requests run. Best under a sanitizer:
//
//   cmake --build --preset asan-ubsan --target rr_soak && build/asan-ubsan/bin/rr_soak --seconds
//   1800
//
// Every request has to end with a result or a named reason, each listener is told the end once, the
// same request has to write the same bytes whenever it ends by itself, and no block of keys and
// values may be left. Fails with a sentence on the first that is not so.

#include <fmt/core.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "rr/base/clock.h"
#include "rr/base/random.h"
#include "rr/lm/dialogues.h"
#include "rr/lm/fake_tokenizer.h"
#include "rr/lm_local/local_generator.h"
#include "rr/nn/internal/fake_model.h"

namespace rr {
namespace {

[[noreturn]] void give_up(const std::string& what) {
  fmt::print("soak: {}\n", what);
  std::fflush(stdout);
  std::_Exit(1);
}

// Requests
// ------------------------------------------------------------------------------------------

constexpr std::size_t kNumSeeds = 400;  // of requests: few, so that many come again

TokenIds some_ids(RandomStream& random, std::size_t count) {
  TokenIds ids;
  for (std::size_t i = 0; i < count; ++i) ids.push_back(static_cast<TokenId>(random.below(256)));
  return ids;
}

Stage some_stage(RandomStream& random) {
  switch (random.below(4)) {
    case 0:
      return ForcedStage{std::string(random.below(30), 'x') + "<|mark|>"};
    case 1:
      return PermutationStage{1 + random.below(20)};
    case 2:
      return TokenChoiceStage{some_ids(random, 1 + random.below(4))};
    default:
      break;
  }
  FreeStage stage{1 + random.below(80), {}};
  if (random.below(3) == 0) stage.stop = {"e"};
  return stage;
}

// The request of a seed, always the same. Prompts begin alike in families.
GenerationRequest request_of(std::uint64_t seed) {
  RandomStream family(1000 + seed % 12, 0);
  RandomStream random(seed, 1);
  TokenIds prompt = some_ids(family, 64 * random.below(12) + random.below(64));
  for (const TokenId id : some_ids(random, 1 + random.below(200))) prompt.push_back(id);
  GenerationRequest request;
  request.prompt = std::move(prompt);
  const std::size_t num_stages = 1 + random.below(3);
  for (std::size_t i = 0; i < num_stages; ++i) request.stages.push_back(some_stage(random));
  if (random.below(2) == 0) request.sampling = {.temperature = 1, .seed = seed};
  request.label = fmt::format("{}", seed);
  return request;
}

// A request that no generator takes.
GenerationRequest broken_request(RandomStream& random) {
  GenerationRequest request = request_of(random.below(kNumSeeds));
  switch (random.below(4)) {
    case 0:
      request.prompt = TokenIds{};
      break;
    case 1:
      request.prompt = TokenIds{1, 1 << 20};
      break;
    case 2:
      request.prompt = TokenIds(5000, 1);
      break;
    default:
      request.stages.clear();
  }
  return request;
}

// What came of them
// ---------------------------------------------------------------------------------

struct Counts {
  std::atomic<std::size_t> finished = 0;
  std::atomic<std::size_t> cancelled = 0;
  std::atomic<std::size_t> failed = 0;
  std::atomic<std::size_t> refused = 0;
  std::atomic<std::size_t> repeated = 0;  // finished before, and the same again
  std::atomic<std::size_t> cut_dialogues = 0;
  std::size_t stopped = 0;  // by want of memory
};

// What requests wrote that ended by themselves, on one decoder.
class Ledger {
 public:
  explicit Ledger(Counts& counts) : counts_(counts) {}

  void take(std::uint64_t seed, const Completion& completion) {
    switch (completion.stop) {
      case StopReason::kCancelled:
        ++counts_.cancelled;
        return;
      case StopReason::kFailed:
        if (!completion.error || completion.error->message.empty()) {
          give_up(fmt::format("request {} failed without a reason", seed));
        }
        ++counts_.failed;
        return;
      default:
        break;
    }
    ++counts_.finished;
    const std::lock_guard lock(mutex_);
    const auto [it, is_new] =
        written_.emplace(seed, Written{completion.ids, completion.token_logprobs});
    if (is_new) return;
    ++counts_.repeated;
    if (it->second.ids != completion.ids || it->second.logprobs != completion.token_logprobs) {
      give_up(fmt::format("request {} wrote something else the second time", seed));
    }
  }

 private:
  struct Written {
    TokenIds ids;
    std::vector<float> logprobs;
  };
  Counts& counts_;
  std::mutex mutex_;
  std::unordered_map<std::uint64_t, Written> written_;
};

// Requests on their way.
class Pending {
 public:
  explicit Pending(Ledger& ledger) : ledger_(ledger) {}

  void begin() {
    const std::lock_guard lock(mutex_);
    ++count_;
  }
  void end() {
    const std::lock_guard lock(mutex_);
    --count_;
    changed_.notify_all();
  }

  // For a request that begin() has counted.
  GenerationListener listener(std::uint64_t seed) {
    auto has_ended = std::make_shared<std::atomic<bool>>(false);
    return [this, seed, has_ended](const GenerationEvent& event) {
      if (has_ended->load()) give_up(fmt::format("request {} was told on after its end", seed));
      if (event.completion == nullptr) return;
      *has_ended = true;
      ledger_.take(seed, *event.completion);
      end();
    };
  }

  std::size_t count() {
    const std::lock_guard lock(mutex_);
    return count_;
  }
  void wait_until(std::size_t most) {
    std::unique_lock lock(mutex_);
    const bool came =
        changed_.wait_for(lock, std::chrono::seconds(120), [&] { return count_ <= most; });
    if (!came) give_up(fmt::format("{} requests are stuck", count_));
  }

 private:
  Ledger& ledger_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t count_ = 0;
};

// Those who ask
// -------------------------------------------------------------------------------------

void ask_at_random(Generator& generator, Pending& pending, Counts& counts, std::uint64_t seed,
                   const std::atomic<bool>& is_over) {
  RandomStream random(seed, 2);
  while (!is_over) {
    if (random.below(40) == 0) {
      const auto refused = generator.submit(broken_request(random), [](const GenerationEvent&) {
        give_up("a refused request was told something");
      });
      if (refused.ok()) give_up("a broken request was taken");
      if (refused.error().message.empty()) give_up("a request was refused without a reason");
      ++counts.refused;
    }
    if (random.below(8) == 0) {
      generator.expect(std::get<TokenIds>(request_of(random.below(kNumSeeds)).prompt));
    }
    const std::uint64_t which = random.below(kNumSeeds);
    pending.begin();
    const auto id = generator.submit(request_of(which), pending.listener(which));
    if (!id.ok()) {
      ++counts.refused;  // does not fit into the memory for keys and values
      pending.end();
      continue;
    }
    if (random.below(4) == 0) {
      std::this_thread::sleep_for(std::chrono::microseconds(random.below(20000)));
      generator.cancel(id.value());
    }
    if (random.below(16) == 0) generator.cancel(random.below(100000) + 1);
    pending.wait_until(random.below(150));
  }
}

// Asks some questions, one after the other.
class SomeQuestions : public Dialogue {
 public:
  SomeQuestions(Generator& generator, RandomStream random, Counts& counts)
      : generator_(generator), random_(random), num_left_(1 + random_.below(4)), counts_(counts) {}

  Result<std::optional<Question>> next() override {
    if (num_left_ == 0) return std::optional<Question>();
    GenerationRequest request = request_of(random_.below(kNumSeeds));
    request.prompt = TokenIds(1 + random_.below(100), static_cast<TokenId>(random_.below(256)));
    return std::optional(Question{&generator_, std::move(request), TokenIds(130, 7)});
  }
  Status accept(const Completion&) override {
    --num_left_;
    return ok_status();
  }
  Status end() override {
    if (num_left_ > 0) ++counts_.cut_dialogues;
    return ok_status();
  }
  Error at_question(Error error) const override { return error; }

 private:
  Generator& generator_;
  RandomStream random_;
  std::size_t num_left_;
  Counts& counts_;
};

void talk_at_random(Generator& generator, Counts& counts, std::uint64_t seed,
                    const std::atomic<bool>& is_over) {
  RandomStream random(seed, 3);
  while (!is_over) {
    DialogueOptions options;
    options.max_in_flight = 1 + random.below(8);
    options.first_alone = random.below(4) == 0;
    options.deadline = std::chrono::milliseconds(1 + random.below(200));
    std::uint64_t number = 0;
    const Status status = run_dialogues(
        12,
        [&](std::size_t) {
          return std::make_unique<SomeQuestions>(
              generator, RandomStream(seed + random.below(1u << 30), ++number), counts);
        },
        options);
    if (!status.ok()) give_up("a dialogue failed: " + status.error().to_string());
  }
}

// Models and generators
// -----------------------------------------------------------------------------

std::unique_ptr<LocalModel> some_model(RandomStream& random) {
  static const internal::FakeModel files = internal::small_model(internal::small_config("qwen3"));
  const Precision precisions[] = {Precision::kBf16, Precision::kF32, Precision::kInt8,
                                  Precision::kInt4};
  DecoderOptions options;
  options.precision = precisions[random.below(4)];
  if (random.below(3) == 0) options.kv = KvPrecision::kInt8;
  LocalModel::Parts parts;
  parts.pool = std::make_unique<ThreadPool>(1 + random.below(3));
  parts.tokenizer = std::make_unique<FakeTokenizer>(
      std::vector<std::string>{"] > [", "</think>", "<answer>", "] >", "the", "12"});
  parts.decoder = Decoder::load(files, options, *parts.pool).value();
  parts.memory = plan_memory(parts.decoder->config(), options, 1024);
  return std::make_unique<LocalModel>(std::move(parts));
}

void run_for(double seconds, LocalModel& model, Ledger& ledger, Counts& counts,
             RandomStream& random) {
  Pending pending(ledger);
  const std::size_t block_bytes = model.memory().kv_bytes_per_token * kKvBlockTokens;
  LocalGeneratorOptions limits;
  limits.max_sequences = 1 + random.below(48);
  limits.max_batch_tokens = 16 + random.below(600);
  limits.kv_memory_bytes = (20 + random.below(120)) * block_bytes;
  limits.speculation = random.below(4) > 0;
  std::atomic<bool> is_over = false;
  std::vector<std::thread> askers;
  {
    LocalGenerator generator(model, limits);
    for (int i = 0; i < 3; ++i) {
      askers.emplace_back([&, seed = random.below(1u << 30)] {
        ask_at_random(generator, pending, counts, seed, is_over);
      });
    }
    askers.emplace_back(
        [&, seed = random.below(1u << 30)] { talk_at_random(generator, counts, seed, is_over); });
    std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
    is_over = true;
    for (std::thread& asker : askers) asker.join();
    if (random.below(2) == 0) pending.wait_until(0);
    counts.stopped += generator.counters().stopped;
    if (generator.counters().max_kv_blocks * block_bytes > limits.kv_memory_bytes) {
      give_up("more memory for keys and values than allowed");
    }
  }
  if (pending.count() > 0) give_up("the generator has gone and requests have not ended");
  if (model.decoder().num_kv_blocks() > 0) give_up("blocks of keys and values are left");
}

void soak(double seconds, std::uint64_t seed) {
  const Clock::time_point end = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                                   std::chrono::duration<double>(seconds));
  RandomStream random(seed, 0);
  Counts counts;
  std::size_t num_models = 0;
  std::size_t num_generators = 0;
  while (Clock::now() < end) {
    const std::unique_ptr<LocalModel> model = some_model(random);
    Ledger ledger(counts);
    ++num_models;
    const std::size_t generators = 1 + random.below(4);
    for (std::size_t i = 0; i < generators && Clock::now() < end; ++i) {
      const double left = std::chrono::duration<double>(end - Clock::now()).count();
      run_for(std::min(left, 0.5 + static_cast<double>(random.below(80)) / 10), *model, ledger,
              counts, random);
      ++num_generators;
    }
    fmt::print(
        "soak: {} models, {} generators; {} requests finished ({} again, the same), {} cancelled, "
        "{} failed, {} refused, {} stopped for want of memory; {} dialogues cut by their "
        "deadline\n",
        num_models, num_generators, counts.finished.load(), counts.repeated.load(),
        counts.cancelled.load(), counts.failed.load(), counts.refused.load(), counts.stopped,
        counts.cut_dialogues.load());
    std::fflush(stdout);
  }
}

}  // namespace
}  // namespace rr

int main(int argc, char** argv) {
  double seconds = 10;
  std::uint64_t seed = 1;
  for (int i = 1; i < argc; i += 2) {
    const std::string_view name = argv[i];
    const bool has_value = i + 1 < argc;
    if (has_value && name == "--seconds") {
      seconds = std::atof(argv[i + 1]);
    } else if (has_value && name == "--seed") {
      seed = std::strtoull(argv[i + 1], nullptr, 10);
    } else {
      fmt::print(stderr, "soak: expected --seconds N and --seed S, found \"{}\"\n", name);
      return 2;
    }
  }
  rr::soak(seconds, seed);
  return 0;
}
