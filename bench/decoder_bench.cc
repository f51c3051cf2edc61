// The decoder's speed: prefill of a prompt, decoding of one sequence and of several. Tokens are
// pseudo-random: the speed of a dense model does not depend on them.
//
//   decoder_bench model.gguf [--threads N] [--compute int8]   a line of JSON for each figure
//
// bench/compare_llama_cpp.py runs it beside llama.cpp.

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "rr/base/clock.h"
#include "rr/base/thread_pool.h"
#include "rr/nn/decoder.h"
#include "rr/nn/decoder_speed.h"
#include "rr/weights/model_files.h"

namespace {

struct Options {
  std::string model;
  std::size_t threads = 2;
  std::size_t repeat = 3;
  std::size_t prefill_chunk = 512;
  std::vector<std::size_t> prefill = {512, 2783};
  std::vector<std::size_t> depths = {128, 2783};
  std::vector<std::size_t> batches = {4, 8, 16, 32};
  std::size_t batch_depth = 128;
  std::vector<std::size_t> shared = {4096};
  rr::DecoderOptions decoder;
};

void print_decoding(const char* what, std::size_t depth, std::size_t sequences, double speed) {
  fmt::print(
      "{{\"what\": \"{}\", \"depth\": {}, \"sequences\": {}, \"tokens_per_second\": {:.1f}}}\n",
      what, depth, sequences, speed);
  std::fflush(stdout);
}

int run(const Options& options) {
  rr::ThreadPool pool(options.threads);
  const auto start = rr::Clock::now();
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
             rr::seconds_since(start), decoder.value()->kernel_name());
  rr::DecoderSpeed speed(*decoder.value(), options.repeat, options.prefill_chunk);
  // An option without values comes as one 0: none of these.
  for (const std::size_t tokens : options.prefill) {
    if (tokens == 0) continue;
    fmt::print("{{\"what\": \"prefill\", \"tokens\": {}, \"tokens_per_second\": {:.1f}}}\n", tokens,
               speed.prefill(tokens));
    std::fflush(stdout);
  }
  for (const std::size_t depth : options.depths) {
    if (depth > 0) print_decoding("decode", depth, 1, speed.decode(depth, 1));
  }
  for (const std::size_t sequences : options.batches) {
    if (sequences == 0) continue;
    print_decoding("decode", options.batch_depth, sequences,
                   speed.decode(options.batch_depth, sequences));
  }
  for (const std::size_t depth : options.shared) {
    if (depth > 0) print_decoding("decode shared", depth, 32, speed.decode_shared(depth, 32));
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
  app.add_option("--batch-depth", options.batch_depth, "Tokens before each of --batches");
  app.add_option("--shared", options.shared, "Depths that 32 sequences share")->expected(0, 16);
  app.add_flag("--generic", options.decoder.force_generic, "The path for CPUs without AVX-512");
  const std::map<std::string, rr::Precision> precisions = {{"bf16", rr::Precision::kBf16},
                                                           {"f32", rr::Precision::kF32},
                                                           {"int8", rr::Precision::kInt8},
                                                           {"int4", rr::Precision::kInt4}};
  app.add_flag_callback(
      "--kv-int8", [&options] { options.decoder.kv = rr::KvPrecision::kInt8; },
      "Keys and values in 8 bits");
  app.add_option("--compute", options.decoder.precision, "bf16, f32, int8 or int4")
      ->transform(CLI::CheckedTransformer(precisions));
  CLI11_PARSE(app, argc, argv);
  return run(options);
}
