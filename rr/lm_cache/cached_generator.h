#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "rr/base/result.h"
#include "rr/lm/generator.h"
#include "rr/lm_cache/answer_cache.h"
#include "rr/lm_cache/prices.h"

namespace rr {

// What may be spent, over all that a cache has ever paid for. Empty: without limit.
struct Budget {
  std::optional<double> usd;
  std::optional<std::size_t> tokens;  // read and written together
};

struct CachedGeneratorOptions {
  // Whose answers these are, in keys and for the cost: a served model's name; for a local model
  // something that changes with its files.
  std::string model;

  // Of that model. Needed for a budget in dollars; the prices of what other models spent in the
  // same cache come from `prices`.
  PriceList prices;

  Budget budget;
};

// A Generator that asks another one only what its cache does not know. An answer is stored before
// its listener hears of it, so a program that is killed never pays for it again.
//
// Two requests are the same if model, prompt, stages and sampling are; the label counts only where
// sampling draws at random (temperature above 0), for there it tells draws apart. The same request
// asked again while the first runs waits for that one's answer. Answers from the cache come from
// within submit(), with the times that they took when they were asked. Failed and cancelled
// requests are not stored.
//
// Before a request is asked, what it may cost at most is set aside from the budget: a token a byte
// of prompt, and all tokens that its stages may write. Where that is not left but may be once
// running requests have cost less than set aside, it waits; where not even then, it fails
// (kRejected) with what was spent and what is left. So a budget is never overrun by this process;
// what another process has under way is not known until its answers are in the cache. Attempts that
// failed on the way to an answer are not counted: no server says what it charges for them.
//
// A cache that cannot be written any more (a full disk) lets the answers under way through, and
// every later request that would have to be asked is refused.
class CachedGenerator : public Generator {
 public:
  // `inner` and `cache` must outlive the generator. A budget in dollars requires a price for
  // options.model.
  CachedGenerator(Generator& inner, AnswerCache& cache, CachedGeneratorOptions options);

  // Cancels what still runs and waits for its end.
  ~CachedGenerator() override;

  Result<GenerationId> submit(GenerationRequest request, GenerationListener listener) override;

  // A request that others wait for too ends when theirs does.
  void cancel(GenerationId id) override;

  // Handed on to the inner generator.
  void expect(TokenIds beginning) override;

  const TextModel* text_model() const override;

  struct Counters {
    std::size_t from_cache = 0;
    std::size_t joined = 0;  // answered by the same request that ran already
    std::size_t asked = 0;   // handed to the inner generator
    std::size_t stored = 0;
    std::size_t prompt_tokens = 0;  // of the stored ones
    std::size_t completion_tokens = 0;
    double usd = 0;  // of these, where the price is known
  };
  Counters counters() const;

 private:
  class Desk;
  std::unique_ptr<Desk> desk_;
};

// The key of a request in the cache: SHA-256 of all that its answer depends on.
std::string request_key(const std::string& model, const GenerationRequest& request);

}  // namespace rr
