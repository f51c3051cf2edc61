#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "rr/base/result.h"
#include "rr/lm/generator.h"

namespace rr {

// Somebody who asks models one question after another, and thinks in between. A dialogue does not
// wait: run_dialogues() does, for many at once.
class Dialogue {
 public:
  virtual ~Dialogue() = default;

  struct Question {
    Generator* generator;
    GenerationRequest request;
    TokenIds expected = {};  // for Generator::expect(), once the question is asked; empty: nothing
  };
  // What to ask next; nullopt: it is over. Called first of all, and after each accept().
  virtual Result<std::optional<Question>> next() = 0;

  // The answer to what next() gave last. Never one that failed or was cancelled.
  virtual Status accept(const Completion& completion) = 0;

  // Called once, after next() gave nullopt or when its time is up. The answer to a question that
  // was asked then never comes.
  virtual Status end() = 0;

  // The error of a question that was refused or failed, with the place that it befell.
  virtual Error at_question(Error error) const = 0;

  // New text of an answer; called only where wants_text().
  virtual bool wants_text() const { return false; }
  virtual void on_text(std::string_view /*text*/) {}
};

struct DialogueOptions {
  // Dialogues that run at once; each has one question with a model. >= 1.
  std::size_t max_in_flight = 16;

  // End the first one before the others start.
  bool first_alone = false;

  // Time for a dialogue, from its start. When it is up, what it asked is cancelled and it ends.
  std::optional<std::chrono::milliseconds> deadline = {};
};

// Runs `count` dialogues, many at a time and each at its own pace; they end in any order. `start`
// makes the one of a number, in the order of the numbers, when its turn comes. All calls of
// dialogues come from the calling thread. Where one fails, what still runs is cancelled and its
// error is returned; those that ended before have been told so.
// Generators must outlive the call.
Status run_dialogues(std::size_t count,
                     const std::function<std::unique_ptr<Dialogue>(std::size_t number)>& start,
                     const DialogueOptions& options);

}  // namespace rr
