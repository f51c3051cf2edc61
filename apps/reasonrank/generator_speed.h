#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "rr/base/random.h"
#include "rr/base/result.h"
#include "rr/ir/ranking.h"
#include "rr/lm/generator.h"

namespace rr {

// What one window asks for.
struct WindowWork {
  std::size_t passages = 20;
  std::size_t passage_tokens = 100;
  std::size_t thinking_tokens = 128;
  bool free_answer = false;
};

// Seconds that the same work takes with each topic at its own pace, and in rounds: each topic's
// window with those of all others, the next ones after the last of them.
struct Pace {
  double own_s = 0;
  double rounds_s = 0;
};

// How fast a generator is at the work of this program, here and now. Texts are drawn from a list of
// common words, others for each figure, so that nothing is known from an earlier one.
class GeneratorSpeed {
 public:
  // The generator must have a text model and no other user, and outlive this.
  explicit GeneratorSpeed(Generator& generator) : generator_(generator) {}

  // Windows of `topics` topics, one each, all at once: windows a minute.
  Result<double> windows_per_minute(std::size_t topics, const WindowWork& work);

  // Topics of `depth` passages in windows that slide by half their size, all at once: as the
  // program goes about them, reading ahead, and in rounds, as programs that batch by window do.
  Result<Pace> pace(std::size_t topics, std::size_t depth, const WindowWork& work);

  // `count` samples of one prompt at temperature 1, `tokens` each: tokens written a second, the
  // reading of the prompt included.
  Result<double> sampling(std::size_t prompt_tokens, std::size_t count, std::size_t tokens);

 private:
  std::string words(std::size_t count);
  std::vector<Request> requests(std::size_t topics, std::size_t depth, std::size_t passage_tokens);
  Result<double> seconds_of(Generator& generator, std::size_t topics, std::size_t depth,
                            const WindowWork& work, bool reads_ahead);

  Generator& generator_;
  RandomStream random_{1, 0};
};

}  // namespace rr
