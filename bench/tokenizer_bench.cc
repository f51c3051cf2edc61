// Encoding and decoding real English with the default model's tokenizer, in megabytes of text a
// second on one core.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "rr/base/file.h"
#include "rr/base/json.h"
#include "rr/lm/tokenizer.h"
#include "tests/shared_data.h"

namespace rr {
namespace {

// Titles and abstracts of SciFact, `most` bytes of them; empty where they are not there.
std::vector<std::string> passages(std::size_t most) {
  std::vector<std::string> texts;
  const auto path = shared_data("beir-scifact/corpus.jsonl");
  if (!std::filesystem::exists(path)) return texts;
  LineReader reader = LineReader::open(path).value();
  std::string line;
  for (std::size_t size = 0; size < most && reader.next(line).value();) {
    const Json passage = parse_json(line, reader.where()).value();
    texts.push_back(passage["title"].get<std::string>() + "\n" +
                    passage["text"].get<std::string>());
    size += texts.back().size();
  }
  return texts;
}

std::int64_t bytes_of(const std::vector<std::string>& texts) {
  std::size_t size = 0;
  for (const std::string& text : texts) size += text.size();
  return static_cast<std::int64_t>(size);
}

std::unique_ptr<Tokenizer> load_tokenizer() {
  const auto path = default_model_file();
  if (!std::filesystem::exists(path)) return nullptr;
  return Tokenizer::load(*ModelFiles::open(path).value()).value();
}

// Passage by passage; the argument is the bytes of text.
void encode_bench(benchmark::State& state) {
  const auto tokenizer = load_tokenizer();
  const auto texts = passages(static_cast<std::size_t>(state.range(0)));
  if (!tokenizer || texts.empty()) return state.SkipWithError("needs the model and beir-scifact");
  for (auto _ : state) {
    for (const std::string& text : texts) benchmark::DoNotOptimize(tokenizer->encode(text));
  }
  state.SetBytesProcessed(state.iterations() * bytes_of(texts));
}
BENCHMARK(encode_bench)->Arg(1 << 14)->Arg(1 << 22)->Unit(benchmark::kMillisecond);

void decode_bench(benchmark::State& state) {
  const auto tokenizer = load_tokenizer();
  const auto texts = passages(static_cast<std::size_t>(state.range(0)));
  if (!tokenizer || texts.empty()) return state.SkipWithError("needs the model and beir-scifact");
  std::vector<TokenIds> encoded;
  for (const std::string& text : texts) encoded.push_back(tokenizer->encode(text));
  for (auto _ : state) {
    for (const TokenIds& ids : encoded) benchmark::DoNotOptimize(tokenizer->decode(ids));
  }
  state.SetBytesProcessed(state.iterations() * bytes_of(texts));
}
BENCHMARK(decode_bench)->Arg(1 << 22)->Unit(benchmark::kMillisecond);

// One word without a blank, the worst case of the merges; the argument is its bytes.
void encode_long_word_bench(benchmark::State& state) {
  const auto tokenizer = load_tokenizer();
  if (!tokenizer) return state.SkipWithError("needs the model");
  const std::string word(static_cast<std::size_t>(state.range(0)), 'a');
  for (auto _ : state) benchmark::DoNotOptimize(tokenizer->encode(word));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(encode_long_word_bench)->Arg(1 << 10)->Arg(1 << 20)->Unit(benchmark::kMillisecond);

void load_bench(benchmark::State& state) {
  const auto path = default_model_file();
  if (!std::filesystem::exists(path)) return state.SkipWithError("needs the model");
  for (auto _ : state) {
    const auto files = ModelFiles::open(path).value();
    benchmark::DoNotOptimize(Tokenizer::load(*files).value());
  }
}
BENCHMARK(load_bench)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace rr
