#pragma once

#include <cstddef>

namespace rr {

// What a generator that runs its own model has done, in totals since its start.
struct GenerationCounters {
  // Steps of one kind, in sum.
  struct Steps {
    std::size_t count = 0;
    std::size_t read_tokens = 0;     // of prompts
    std::size_t written_tokens = 0;  // of completions, read as they are written; no wrong drafts
    double seconds = 0;              // in running the model and choosing tokens
  };
  Steps reading;  // steps that read prompts only
  Steps writing;  // steps that write only
  Steps mixed;
  std::size_t prompt_tokens = 0;      // of requests that ended; so are the next three
  std::size_t cached_tokens = 0;      // of these, known from other requests
  std::size_t completion_tokens = 0;  // of completions that ended by themselves
  std::size_t expected_tokens = 0;    // of prompts read ahead, whoever came for them
  std::size_t forced_tokens = 0;      // of these, not chosen by the model
  std::size_t drafted_tokens = 0;     // guessed and read ahead
  std::size_t right_drafts = 0;       // of these tokens, such as came to be written
  std::size_t max_running = 0;        // most requests in one step
  std::size_t stopped = 0;            // times that a request had to wait for memory in its middle
  std::size_t max_kv_blocks = 0;      // most blocks of keys and values, in use or kept
  std::size_t evicted_blocks = 0;     // that were kept and had to go

  std::size_t num_steps() const { return reading.count + writing.count + mixed.count; }
  double busy_s() const { return reading.seconds + writing.seconds + mixed.seconds; }
};

}  // namespace rr
