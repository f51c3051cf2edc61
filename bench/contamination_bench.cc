#include <benchmark/benchmark.h>
#include <fmt/core.h>

#include <cstdint>
#include <string>
#include <vector>

#include "rr/base/random.h"
#include "rr/synth/contamination.h"
#include "rr/synth/text_fingerprint.h"

// How fast texts are compared with test sets: 200-word passages of a 20,000-word vocabulary.

namespace rr {
namespace {

std::string passage(std::uint64_t number) {
  RandomStream random(1, number);
  std::string text;
  for (int i = 0; i < 200; ++i) {
    text += fmt::format("{}word{}", i == 0 ? "" : " ", random.below(20000));
  }
  return text;
}

std::vector<std::string> passages(std::size_t count, std::uint64_t first) {
  std::vector<std::string> list;
  for (std::size_t i = 0; i < count; ++i) list.push_back(passage(first + i));
  return list;
}

void set_bytes(benchmark::State& state, const std::string& text) {
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(text.size()));
}

void words_of_bench(benchmark::State& state) {
  const std::string text = passage(0);
  for (auto _ : state) benchmark::DoNotOptimize(words_of(text));
  set_bytes(state, text);
}
BENCHMARK(words_of_bench);

void min_hash_bench(benchmark::State& state) {
  const std::string words = words_of(passage(0));
  for (auto _ : state) benchmark::DoNotOptimize(min_hash(words));
  set_bytes(state, words);
}
BENCHMARK(min_hash_bench);

void ngram_hashes_bench(benchmark::State& state) {
  const std::string words = words_of(passage(0));
  for (auto _ : state) benchmark::DoNotOptimize(ngram_hashes(words, 13));
  set_bytes(state, words);
}
BENCHMARK(ngram_hashes_bench);

// Adding so many passages as a test set.
void add_test_passages_bench(benchmark::State& state) {
  const auto texts = passages(static_cast<std::size_t>(state.range(0)), 0);
  std::int64_t bytes = 0;
  for (auto _ : state) {
    TestSets sets;
    for (const std::string& text : texts) sets.add("set", TextKind::kPassage, "d", text);
    bytes += static_cast<std::int64_t>(sets.num_bytes());
  }
  state.SetBytesProcessed(bytes);
}
BENCHMARK(add_test_passages_bench)->Arg(1000)->Arg(20000)->Unit(benchmark::kMillisecond);

// Asking about a passage that overlaps with none of so many.
void overlaps_of_bench(benchmark::State& state) {
  TestSets sets;
  for (const std::string& text : passages(static_cast<std::size_t>(state.range(0)), 0)) {
    sets.add("set", TextKind::kPassage, "d", text);
  }
  const std::string text = passage(1'000'000);
  for (auto _ : state) benchmark::DoNotOptimize(sets.overlaps_of(text));
  set_bytes(state, text);
}
BENCHMARK(overlaps_of_bench)->Arg(1000)->Arg(20000);

}  // namespace
}  // namespace rr
