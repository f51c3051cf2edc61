#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "rr/base/result.h"
#include "rr/lm/chat_template.h"
#include "rr/lm/message.h"
#include "rr/lm/tokenizer.h"

namespace rr {

// How a token is chosen. temperature 0 takes the most likely one (of equals the lowest id) and
// ignores the rest. Otherwise: logits / temperature, then top_k (0: off), top_p, min_p in this
// order, then a draw.
struct Sampling {
  double temperature = 0;
  double top_p = 1;
  std::size_t top_k = 0;
  double min_p = 0;
  std::uint64_t seed = 0;  // same seed, same request: same tokens, alone or in a batch
};

// A completion is written in stages, one after the other. Most have one; a reasoned answer has
// several: free thoughts under a budget, a forced "</think>", an answer under a constraint.

// The model writes what it wants until one of `stop` has appeared in the stage's text (it stays in
// the completion), an end token came, or the budget is spent. An end token in the last stage ends
// the completion; in another one it is dropped and the next stage follows.
struct FreeStage {
  std::size_t max_tokens = 0;
  std::vector<std::string> stop;
};

// Text that the caller writes in the model's place, special tokens recognised. If the free stage
// before it wrote on past its stop string, and that is how this text begins, only the rest is
// added. The same holds for the stop string itself: "</think>\n<answer>" after a stage that stops
// at
// "</think>" adds all of it where the budget was spent first, and "\n<answer>" where the model
// closed its thoughts.
struct ForcedStage {
  std::string text;
};

// "[3] > [1] > [2]": an order of the identifiers 1..size, each once. The model chooses each
// identifier among those still open; everything else is forced. Requires size >= 1.
struct PermutationStage {
  std::size_t size = 0;
};

// One token, the most likely of these, with the probabilities of all. Only where the generator has
// a text model: elsewhere refused at submit(). Requires at least one token, all of the vocabulary.
struct TokenChoiceStage {
  TokenIds tokens;
};

using Stage = std::variant<FreeStage, ForcedStage, PermutationStage, TokenChoiceStage>;

struct GenerationRequest {
  // A conversation, for any backend to render its own way; or ids, taken as they are.
  std::variant<Messages, TokenIds> prompt;
  std::vector<Stage> stages;
  Sampling sampling;

  // Names the request in traces and recordings: "156493/0" is window 0 of topic 156493. May be
  // empty.
  std::string label;
};

enum class StopReason {
  kEnd,     // an end token, or the last stage is complete
  kStop,    // a stop string of the last stage
  kLength,  // the last stage's budget
  kCancelled,
  kFailed,  // Completion::error says why
};
const char* stop_reason_name(StopReason reason);  // "end", "stop", "length", "cancelled", "failed"

// How the choice of one identifier went, at one rank of a PermutationStage; or one token of a
// TokenChoiceStage.
struct IdentifierChoice {
  std::size_t identifier;  // from 1; of a token: its place in the stage's list
  double logprob;  // natural log, under the model: of an identifier renormalised over those still
                   // open, and 0 for the last; of a token under the full distribution
};

// What became of one stage.
struct StageReport {
  std::size_t num_tokens = 0;  // in the completion, forced ones included
  std::size_t num_forced = 0;  // of these, not chosen by the model
  StopReason stop = StopReason::kEnd;
  std::vector<IdentifierChoice> choices;  // of a PermutationStage, best first; of a
                                          // TokenChoiceStage all, in the order of its tokens
};

struct Completion {
  std::string text;  // valid UTF-8, all stages; without the end token
  TokenIds ids;      // the same as tokens; empty where the backend does not say
  std::vector<float>
      token_logprobs;  // natural log, under the model's full distribution at temperature 1,
                       // one an id, forced ones included; NaN where not known

  // The end token with which the model closed the last stage, where the backend says: not in ids.
  struct EndToken {
    TokenId id;
    float logprob;
  };
  std::optional<EndToken> end;

  std::vector<StageReport> stages;  // one a stage of the request, as far as it came
  StopReason stop = StopReason::kEnd;
  std::optional<Error> error;
  std::size_t prompt_tokens = 0;
  std::size_t cached_tokens = 0;  // of the prompt, known from earlier requests and not read again
  double queued_s = 0;            // from submit() to the first work on it
  double prefill_s = 0;           // until the first token
  double decode_s = 0;            // from then to the last
};

// What a listener hears: text as it becomes certain, then once the end.
struct GenerationEvent {
  std::string_view text;                   // new text; may be empty
  const Completion* completion = nullptr;  // set in the last event, and only there
};
using GenerationListener = std::function<void(const GenerationEvent&)>;
using GenerationId = std::uint64_t;

// What a generator that runs its own model knows of it; prompts can then be counted and cut in
// tokens.
struct TextModel {
  const Tokenizer* tokenizer;
  const ChatTemplate* chat;    // nullptr: the model has none
  std::size_t context_length;  // prompt and completion together
  Error no_chat = {Errc::kNotFound, "the model has no chat template", ""};  // why there is none
};

// Something that continues prompts. Many requests run at once; they join and leave at any time.
class Generator {
 public:
  virtual ~Generator() = default;

  // Takes a request, or refuses it at once: a prompt longer than the context, a bad option. Never
  // waits for the model. The listener is called from a thread of the generator, or from within
  // submit(); it must be quick, must not throw and must not call the generator. Its last call has
  // the completion; one comes for each request taken, also when it was cancelled or failed.
  virtual Result<GenerationId> submit(GenerationRequest request, GenerationListener listener) = 0;

  // Ends a request soon; unknown and ended ids are ignored.
  virtual void cancel(GenerationId id) = 0;

  // Says that a prompt may soon come that begins with these tokens, ids of text_model(). A
  // generator that keeps what it has read may read them when it has nothing better to do; no
  // completion ever depends on it. Never waits; what cannot be used is ignored.
  virtual void expect(TokenIds /*beginning*/) {}

  // nullptr for a remote model or a recording. Lives as long as the generator.
  virtual const TextModel* text_model() const = 0;
};

// Submits all and waits for all; completions in the order of the requests. For tools and tests.
Result<std::vector<Completion>> generate_all(Generator& generator,
                                             std::vector<GenerationRequest> requests);

}  // namespace rr
