// The decoder's speed: prefill of a prompt, decoding of one sequence and of several. Tokens are
// pseudo-random: the speed of a dense model does not depend on them.
//
//   decoder_bench model.gguf [--threads N] [--generic]   a line of JSON for each figure
//
// bench/compare_llama_cpp.py runs it beside llama.cpp.

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "rr/base/thread_pool.h"
#include "rr/nn/decoder.h"
#include "rr/weights/model_files.h"

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

struct Options {
  std::string model;
  std::size_t threads = 2;
  std::size_t repeat = 3;
  std::size_t prefill_chunk = 512;
  std::vector<std::size_t> prefill = {512, 2783};
  std::vector<std::size_t> depths = {128, 2783};
  std::vector<std::size_t> batches = {4, 8, 16, 32};
  rr::DecoderOptions decoder;
  bool is_f32 = false;
};

class Bench {
 public:
  Bench(rr::Decoder& decoder, const Options& options) : decoder_(decoder), options_(options) {}

  void prefill(std::size_t tokens) {
    double best = 0;
    for (std::size_t i = 0; i < options_.repeat; ++i) {
      const auto sequence = decoder_.new_sequence();
      const auto start = Clock::now();
      read(*sequence, tokens);
      best = std::max(best, static_cast<double>(tokens) / seconds_since(start));
    }
    fmt::print("{{\"what\": \"prefill\", \"tokens\": {}, \"tokens_per_second\": {:.1f}}}\n", tokens,
               best);
    std::fflush(stdout);
  }

  void decode(std::size_t depth, std::size_t num_sequences) {
    std::vector<std::unique_ptr<rr::KvSequence>> sequences;
    for (std::size_t i = 0; i < num_sequences; ++i) {
      sequences.push_back(decoder_.new_sequence());
      read(*sequences.back(), depth);
    }
    constexpr std::size_t kSteps = 32;
    double best = 0;
    for (std::size_t i = 0; i < options_.repeat; ++i) {
      const auto start = Clock::now();
      for (std::size_t step = 0; step < kSteps; ++step) decode_step(sequences);
      best = std::max(best, static_cast<double>(num_sequences * kSteps) / seconds_since(start));
    }
    fmt::print(
        "{{\"what\": \"decode\", \"depth\": {}, \"sequences\": {}, \"tokens_per_second\": "
        "{:.1f}}}\n",
        depth, num_sequences, best);
    std::fflush(stdout);
  }

 private:
  std::vector<std::int32_t> some_ids(std::size_t count) {
    std::vector<std::int32_t> ids(count);
    const auto size = static_cast<unsigned>(decoder_.config().vocabulary_size);
    for (std::int32_t& id : ids) {
      state_ = state_ * 1664525u + 1013904223u;
      id = static_cast<std::int32_t>((state_ >> 8) % size);
    }
    return ids;
  }

  void read(rr::KvSequence& sequence, std::size_t tokens) {
    const std::vector<std::int32_t> ids = some_ids(tokens);
    for (std::size_t i = 0; i < tokens; i += options_.prefill_chunk) {
      const std::size_t count = std::min(options_.prefill_chunk, tokens - i);
      const bool is_last = i + count == tokens;
      const rr::DecoderChunk chunk{&sequence, std::span(ids).subspan(i, count),
                                   is_last ? rr::LogitsWanted::kLast : rr::LogitsWanted::kNone};
      decoder_.forward({&chunk, 1}, logits_);
    }
  }

  void decode_step(const std::vector<std::unique_ptr<rr::KvSequence>>& sequences) {
    const std::vector<std::int32_t> ids = some_ids(sequences.size());
    std::vector<rr::DecoderChunk> chunks;
    for (std::size_t s = 0; s < sequences.size(); ++s) {
      chunks.push_back({sequences[s].get(), std::span(ids).subspan(s, 1)});
    }
    decoder_.forward(chunks, logits_);
  }

  rr::Decoder& decoder_;
  const Options& options_;
  std::vector<float> logits_;
  unsigned state_ = 1;
};

int run(const Options& options) {
  rr::ThreadPool pool(options.threads);
  const auto start = Clock::now();
  auto files = rr::ModelFiles::open(options.model);
  if (!files.ok()) {
    fmt::print(stderr, "{}\n", files.error().to_string());
    return 1;
  }
  auto decoder = rr::Decoder::load(*files.value(), options.decoder, pool);
  if (!decoder.ok()) {
    fmt::print(stderr, "{}\n", decoder.error().to_string());
    return 1;
  }
  fmt::print("{{\"what\": \"load\", \"seconds\": {:.3f}, \"kernel\": \"{}\"}}\n",
             seconds_since(start), decoder.value()->kernel_name());
  Bench bench(*decoder.value(), options);
  // An option without values comes as one 0: none of these.
  for (const std::size_t tokens : options.prefill) {
    if (tokens > 0) bench.prefill(tokens);
  }
  for (const std::size_t depth : options.depths) {
    if (depth > 0) bench.decode(depth, 1);
  }
  for (const std::size_t sequences : options.batches) {
    if (sequences > 0) bench.decode(128, sequences);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Times the decoder; a line of JSON for each figure");
  app.add_option("model", options.model, "A GGUF file or a Hugging Face folder")->required();
  app.add_option("--threads", options.threads, "Threads of the pool");
  app.add_option("--repeat", options.repeat, "Runs of each, of which the best counts");
  app.add_option("--chunk", options.prefill_chunk, "Tokens read in one pass");
  app.add_option("--prefill", options.prefill, "Lengths of prompts")->expected(0, 16);
  app.add_option("--depths", options.depths, "Depths of one sequence that decodes")
      ->expected(0, 16);
  app.add_option("--batches", options.batches, "Sequences that decode together")->expected(0, 16);
  app.add_flag("--generic", options.decoder.force_generic, "The path for CPUs without AVX-512");
  app.add_flag("--f32", options.is_f32, "Everything in float32");
  CLI11_PARSE(app, argc, argv);
  if (options.is_f32) options.decoder.precision = rr::Precision::kF32;
  return run(options);
}
