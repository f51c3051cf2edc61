// What choosing a token costs beside computing its logits: calls a second, one thread, a vocabulary
// of 49,152 of which a few are likely.

#include <benchmark/benchmark.h>

#include <vector>

#include "rr/base/random.h"
#include "rr/lm/sampler.h"

namespace rr {
namespace {

std::vector<float> some_logits() {
  RandomStream random(1, 1);
  std::vector<float> logits(49152);
  for (float& logit : logits) logit = static_cast<float>(random.uniform() * 12);
  for (std::size_t i = 0; i < 20; ++i) logits[i * 2000] += 10;
  return logits;
}

void log_sum_exp_bench(benchmark::State& state) {
  const std::vector<float> logits = some_logits();
  for (auto _ : state) benchmark::DoNotOptimize(log_sum_exp(logits));
}
BENCHMARK(log_sum_exp_bench)->Unit(benchmark::kMicrosecond);

void choose_bench(benchmark::State& state, const Sampling& sampling) {
  const std::vector<float> logits = some_logits();
  RandomStream random(2, 1);
  for (auto _ : state) benchmark::DoNotOptimize(choose(logits, sampling, random.uniform()));
}
BENCHMARK_CAPTURE(choose_bench, greedy, {})->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(choose_bench, temperature_1, {.temperature = 1})->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(choose_bench, min_p, {.temperature = 1, .min_p = 0.05})
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(choose_bench, top_p, {.temperature = 1, .top_p = 0.95})
    ->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace rr
