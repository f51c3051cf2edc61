// What a constrained answer costs beside the model: the whole of "[7] > [2] > ...", and of it a
// choice. Needs the default model.

#include <benchmark/benchmark.h>

#include <memory>
#include <vector>

#include "rr/lm/completion_writer.h"
#include "rr/weights/model_files.h"
#include "tests/shared_data.h"

namespace rr {
namespace {

void permutation_bench(benchmark::State& state) {
  const auto files = ModelFiles::open(default_model_file());
  if (!files.ok()) {
    state.SkipWithError("needs the default model");
    return;
  }
  const std::unique_ptr<Tokenizer> tokenizer = Tokenizer::load(*files.value()).value();
  const auto size = static_cast<std::size_t>(state.range(0));
  std::vector<float> scores(tokenizer->vocabulary_size());
  std::size_t choices = 0;
  unsigned seed = 1;
  for (auto _ : state) {
    CompletionWriter writer(*tokenizer, {PermutationStage{size}}, {}, "");
    while (!writer.is_complete()) {
      for (int digit = 0; digit < 10; ++digit) {  // another order each time
        seed = seed * 1664525u + 1013904223u;
        const auto id = tokenizer->encode(std::to_string(digit)).at(0);
        scores[static_cast<std::size_t>(id)] = static_cast<float>(seed >> 8);
      }
      writer.choose(scores);
      ++choices;
    }
  }
  state.counters["choice"] = benchmark::Counter(
      static_cast<double>(choices), benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(permutation_bench)->Arg(20)->Arg(100);

}  // namespace
}  // namespace rr
