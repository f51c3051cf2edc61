// What a way of computing costs: how far its next-token distributions are from those in float32.
//
//   reasonrank model tokenize prompts.jsonl -o ids.jsonl
//   compute_cost model.gguf ids.jsonl [--compute bf16 int8 int4 bf16+kv8] [--most 1000]
//
// Prints, for each way, over all positions of all prompts: the mean of KL(float32 || it) in nats,
// how often both find the same token likeliest, and the mean absolute difference of the log
// probability of the token that follows.

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "rr/base/json.h"
#include "rr/base/thread_pool.h"
#include "rr/nn/decoder.h"
#include "rr/weights/model_files.h"

namespace {

using Ids = std::vector<std::int32_t>;

std::vector<Ids> read_prompts(const std::string& path, std::size_t most) {
  std::ifstream in(path);
  std::vector<Ids> prompts;
  for (std::string line; std::getline(in, line);) {
    Ids ids = rr::Json::parse(line).at("ids").get<Ids>();
    ids.resize(std::min(ids.size(), most));
    prompts.push_back(std::move(ids));
  }
  return prompts;
}

double log_sum_exp(std::span<const float> row) {
  const double top = *std::max_element(row.begin(), row.end());
  double sum = 0;
  for (const float score : row) sum += std::exp(score - top);
  return top + std::log(sum);
}

struct Cost {
  double kl = 0;
  double logprob_difference = 0;
  std::size_t num_followed = 0;
  std::size_t same_top = 0;
  std::size_t num_positions = 0;

  void add(std::span<const float> exact, std::span<const float> row) {
    const double exact_total = log_sum_exp(exact);
    const double total = log_sum_exp(row);
    for (std::size_t i = 0; i < row.size(); ++i) {
      const double log_p = exact[i] - exact_total;
      kl += std::exp(log_p) * (log_p - (row[i] - total));
    }
    const auto top = [](std::span<const float> scores) {
      return std::max_element(scores.begin(), scores.end()) - scores.begin();
    };
    if (top(exact) == top(row)) ++same_top;
    ++num_positions;
  }

  void add_next(std::span<const float> exact, std::span<const float> row, std::int32_t next) {
    const auto id = static_cast<std::size_t>(next);
    logprob_difference += std::abs((row[id] - log_sum_exp(row)) - (exact[id] - log_sum_exp(exact)));
    ++num_followed;
  }
};

// Reads all prompts with both decoders, in pieces: scores of a long prompt take much memory.
Cost compare(rr::Decoder& exact, rr::Decoder& other, const std::vector<Ids>& prompts) {
  constexpr std::size_t kPiece = 128;
  const std::size_t vocabulary = exact.config().vocabulary_size;
  Cost cost;
  std::vector<float> exact_scores;
  std::vector<float> scores;
  for (const Ids& ids : prompts) {
    const auto exact_sequence = exact.new_sequence();
    const auto sequence = other.new_sequence();
    for (std::size_t start = 0; start < ids.size(); start += kPiece) {
      const auto piece = std::span(ids).subspan(start, std::min(kPiece, ids.size() - start));
      const rr::DecoderChunk for_exact{exact_sequence.get(), piece, rr::LogitsWanted::kAll};
      const rr::DecoderChunk for_other{sequence.get(), piece, rr::LogitsWanted::kAll};
      exact.forward({&for_exact, 1}, exact_scores);
      other.forward({&for_other, 1}, scores);
      for (std::size_t i = 0; i < piece.size(); ++i) {
        const auto exact_row = std::span(exact_scores).subspan(i * vocabulary, vocabulary);
        const auto row = std::span(scores).subspan(i * vocabulary, vocabulary);
        cost.add(exact_row, row);
        if (start + i + 1 < ids.size()) cost.add_next(exact_row, row, ids[start + i + 1]);
      }
    }
  }
  return cost;
}

}  // namespace

int main(int argc, char** argv) {
  std::string model;
  std::string prompts_path;
  std::vector<std::string> ways = {"bf16", "bf16+kv8", "int8", "int4"};
  std::size_t most = 1000;
  CLI::App app("How far ways of computing are from float32");
  app.add_option("model", model, "A GGUF file or a Hugging Face folder")->required();
  app.add_option("prompts", prompts_path, "JSONL with ids")->required()->check(CLI::ExistingFile);
  const std::map<std::string, rr::DecoderOptions> options = {
      {"bf16", {.precision = rr::Precision::kBf16}},
      {"int8", {.precision = rr::Precision::kInt8}},
      {"int4", {.precision = rr::Precision::kInt4}},
      {"f32+kv8", {.precision = rr::Precision::kF32, .kv = rr::KvPrecision::kInt8}},
      {"bf16+kv8", {.precision = rr::Precision::kBf16, .kv = rr::KvPrecision::kInt8}},
      {"int8+kv8", {.precision = rr::Precision::kInt8, .kv = rr::KvPrecision::kInt8}},
      {"int4+kv8", {.precision = rr::Precision::kInt4, .kv = rr::KvPrecision::kInt8}}};
  app.add_option("--compute", ways, "Ways to compare; +kv8: keys and values kept in 8 bits")
      ->check(CLI::IsMember(options));
  app.add_option("--most", most, "Tokens of a prompt that are read");
  CLI11_PARSE(app, argc, argv);
  rr::ThreadPool pool(2);
  const auto files = rr::ModelFiles::open(model);
  if (!files.ok()) {
    fmt::print(stderr, "{}\n", files.error().to_string());
    return 1;
  }
  const auto load = [&](const rr::DecoderOptions& way) {
    return rr::Decoder::load(*files.value(), way, pool).value();
  };
  const std::vector<Ids> prompts = read_prompts(prompts_path, most);
  const auto exact = load({.precision = rr::Precision::kF32});
  for (const std::string& way : ways) {
    const Cost cost = compare(*exact, *load(options.at(way)), prompts);
    fmt::print(
        "{}: {} positions, KL {:.5f}, same likeliest token {:.2f} %, log probability {:.4f} "
        "apart\n",
        way, cost.num_positions, cost.kl / static_cast<double>(cost.num_positions),
        100 * static_cast<double>(cost.same_top) / static_cast<double>(cost.num_positions),
        cost.logprob_difference / static_cast<double>(cost.num_followed));
    std::fflush(stdout);
  }
  return 0;
}
