#include "rr/nn/decoder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>
#include <numeric>

#include "rr/base/json.h"
#include "rr/nn/internal/fake_model.h"
#include "rr/nn/memory.h"
#include "rr/weights/model_files.h"
#include "tests/shared_data.h"

namespace rr {
namespace {

using internal::FakeModel;
using internal::small_config;
using internal::small_model;

Json read_json(const std::filesystem::path& path) {
  std::ifstream in(path);
  return Json::parse(in);
}

std::vector<Json> read_json_lines(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::vector<Json> values;
  for (std::string line; std::getline(in, line);) values.push_back(Json::parse(line));
  return values;
}

// A decoder with its threads.
struct Loaded {
  std::unique_ptr<ThreadPool> pool;
  std::unique_ptr<Decoder> decoder;

  Decoder* operator->() const { return decoder.get(); }
};

Loaded load(const ModelFiles& files, const DecoderOptions& options, std::size_t num_threads = 2) {
  Loaded loaded{std::make_unique<ThreadPool>(num_threads), nullptr};
  loaded.decoder = Decoder::load(files, options, *loaded.pool).value();
  return loaded;
}

Loaded load(const std::filesystem::path& path, const DecoderOptions& options,
            std::size_t num_threads = 2) {
  return load(*ModelFiles::open(path).value(), options, num_threads);
}

using Ids = std::vector<std::int32_t>;

// All rows of logits of a prompt, read in chunks of `step` tokens.
std::vector<float> all_logits(Decoder& decoder, KvSequence& sequence, const Ids& ids,
                              std::size_t step) {
  std::vector<float> all;
  std::vector<float> logits;
  for (std::size_t i = 0; i < ids.size(); i += step) {
    const std::size_t count = std::min(step, ids.size() - i);
    const DecoderChunk chunk{&sequence, std::span(ids).subspan(i, count), LogitsWanted::kAll};
    decoder.forward({&chunk, 1}, logits);
    all.insert(all.end(), logits.begin(), logits.end());
  }
  return all;
}

std::vector<float> all_logits(Decoder& decoder, const Ids& ids, std::size_t step = 1 << 20) {
  const auto sequence = decoder.new_sequence();
  return all_logits(decoder, *sequence, ids, step);
}

std::vector<float> last_logits(Decoder& decoder, KvSequence& sequence, std::span<const int> ids) {
  std::vector<float> logits;
  const DecoderChunk chunk{&sequence, ids, LogitsWanted::kLast};
  decoder.forward({&chunk, 1}, logits);
  return logits;
}

double log_sum_exp(std::span<const float> row) {
  const double top = *std::max_element(row.begin(), row.end());
  double sum = 0;
  for (const float value : row) sum += std::exp(value - top);
  return top + std::log(sum);
}

// log p(ids[i + 1] | ids[..i]) of every position; `last` gets the logits of the last one. Reads in
// chunks, for the logits of a long prompt take much memory.
std::vector<double> token_logprobs(Decoder& decoder, const Ids& ids, std::vector<float>* last) {
  constexpr std::size_t kStep = 300;
  const std::size_t vocabulary = decoder.config().vocabulary_size;
  const auto sequence = decoder.new_sequence();
  std::vector<double> result;
  std::vector<float> logits;
  for (std::size_t start = 0; start < ids.size(); start += kStep) {
    const std::size_t count = std::min(kStep, ids.size() - start);
    const DecoderChunk chunk{sequence.get(), std::span(ids).subspan(start, count),
                             LogitsWanted::kAll};
    decoder.forward({&chunk, 1}, logits);
    for (std::size_t i = 0; i < count && start + i + 1 < ids.size(); ++i) {
      const auto row = std::span(logits).subspan(i * vocabulary, vocabulary);
      result.push_back(row[static_cast<std::size_t>(ids[start + i + 1])] - log_sum_exp(row));
    }
  }
  const auto row = std::span(logits).last(vocabulary);
  last->assign(row.begin(), row.end());
  return result;
}

struct Difference {
  double worst = 0;
  double mean = 0;
};
Difference difference(const std::vector<double>& a, const std::vector<double>& b) {
  EXPECT_EQ(a.size(), b.size());
  Difference result;
  for (std::size_t i = 0; i < a.size(); ++i) {
    result.worst = std::max(result.worst, std::abs(a[i] - b[i]));
    result.mean += std::abs(a[i] - b[i]) / static_cast<double>(a.size());
  }
  return result;
}

constexpr DecoderOptions kF32 = {.precision = Precision::kF32};
constexpr DecoderOptions kBf16 = {.precision = Precision::kBf16};
constexpr DecoderOptions kGeneric = {.precision = Precision::kBf16, .force_generic = true};
constexpr DecoderOptions kInt8 = {.precision = Precision::kInt8};
constexpr DecoderOptions kInt4 = {.precision = Precision::kInt4};
constexpr DecoderOptions kGenericInt8 = {.precision = Precision::kInt8, .force_generic = true};
constexpr DecoderOptions kGenericInt4 = {.precision = Precision::kInt4, .force_generic = true};
constexpr DecoderOptions kInt8Kv = {.kv = KvPrecision::kInt8};
constexpr DecoderOptions kGenericInt8Kv = {.kv = KvPrecision::kInt8, .force_generic = true};
constexpr DecoderOptions kF32Int8Kv = {.precision = Precision::kF32, .kv = KvPrecision::kInt8};
constexpr DecoderOptions kGenericF32 = {.precision = Precision::kF32, .force_generic = true};

// Tiny models of every architecture -----------------------------------------------------------

class TinyModel : public testing::TestWithParam<const char*> {
 protected:
  std::filesystem::path folder() const {
    return shared_data(std::string("golden-tiny-models/") + GetParam());
  }
};

void expect_golden_logits(const Json& golden, const std::vector<float>& logits,
                          std::size_t vocabulary, double tolerance) {
  for (const auto& [position, expected] : golden.at("logits_at").items()) {
    const std::size_t row = std::stoul(position);
    for (std::size_t i = 0; i < vocabulary; ++i) {
      ASSERT_NEAR(logits[row * vocabulary + i], expected[i].get<double>(), tolerance)
          << "position " << row << ", id " << i;
    }
  }
}

TEST_P(TinyModel, AgreesWithTransformersInFloat32) {
  RR_NEEDS_FILE(folder());
  const Json golden = read_json(folder() / "golden.json");
  const Ids ids = golden.at("ids").get<Ids>();
  for (const DecoderOptions& options : {kF32, kGenericF32}) {
    const Loaded model = load(folder(), options);
    const std::size_t vocabulary = model->config().vocabulary_size;
    const auto logits = all_logits(*model.decoder, ids);
    std::vector<float> last;
    const auto difference_to_golden =
        difference(token_logprobs(*model.decoder, ids, &last),
                   golden.at("token_logprobs").get<std::vector<double>>());
    EXPECT_LT(difference_to_golden.worst, 1e-4);
    expect_golden_logits(golden, logits, vocabulary, 1e-4);
    RecordProperty("worst", std::to_string(difference_to_golden.worst));
  }
}

INSTANTIATE_TEST_SUITE_P(All, TinyModel,
                         testing::Values("llama-mha", "llama3-rope-scaling", "qwen2-gqa-bias-tied",
                                         "qwen2-untied-yarn", "qwen3-qknorm-wide-heads"),
                         [](const auto& tested) {
                           std::string name = tested.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

// The default model ----------------------------------------------------------------------------

class DefaultModel : public testing::Test {
 protected:
  void SetUp() override {
    RR_NEEDS_FILE(default_model_file());
    RR_NEEDS_FILE(golden());
  }
  static std::filesystem::path golden() { return shared_data("golden-smollm2-135m"); }
};

TEST_F(DefaultModel, AgreesWithTransformersInFloat32) {
  const Loaded model = load(default_model_file(), kF32);
  for (const Json& prompt : read_json_lines(golden() / "logits.jsonl")) {
    SCOPED_TRACE(prompt.at("name").get<std::string>());
    const Ids ids = prompt.at("ids").get<Ids>();
    std::vector<float> last;
    const auto found = token_logprobs(*model.decoder, ids, &last);
    const auto expected = prompt.at("token_logprobs").get<std::vector<double>>();
    const Difference by = difference(found, expected);
    EXPECT_LT(by.worst, 1e-4);
    EXPECT_NEAR(log_sum_exp(last), prompt.at("last_logsumexp").get<double>(), 1e-4);
    for (std::size_t i = 0; i < prompt.at("last_top_ids").size(); ++i) {
      EXPECT_NEAR(last[prompt["last_top_ids"][i].get<std::size_t>()],
                  prompt["last_top_logits"][i].get<double>(), 3e-4);
    }
  }
}

TEST_F(DefaultModel, StaysCloseToFloat32InBf16) {
  for (const DecoderOptions& options : {kBf16, kGeneric, kInt8Kv}) {
    const Loaded model = load(default_model_file(), options);
    SCOPED_TRACE(model->kernel_name());
    std::vector<double> found;
    std::vector<double> expected;
    for (const Json& prompt : read_json_lines(golden() / "logits.jsonl")) {
      const Ids ids = prompt.at("ids").get<Ids>();
      if (options.force_generic && ids.size() > 1000) continue;  // slow, and says no more
      std::vector<float> last;
      const auto these = token_logprobs(*model.decoder, ids, &last);
      const auto those = prompt.at("token_logprobs").get<std::vector<double>>();
      found.insert(found.end(), these.begin(), these.end());
      expected.insert(expected.end(), those.begin(), those.end());
    }
    const Difference by = difference(found, expected);
    RecordProperty("mean of " + model->kernel_name(), std::to_string(by.mean));
    const bool has_int8_kv = options.kv == KvPrecision::kInt8;
    EXPECT_LT(by.mean, has_int8_kv ? 0.05 : 0.03);
    EXPECT_LT(by.worst, has_int8_kv ? 0.8 : 0.5);
  }
}

std::size_t best_of(std::span<const float> row) {
  return static_cast<std::size_t>(std::max_element(row.begin(), row.end()) - row.begin());
}

// How many tokens of the golden greedy text come out before the first that differs, and by how much
// the golden model preferred its own there.
struct Divergence {
  std::size_t position;
  double margin;
};
// The golden text is read in one pass: what the model would have said after each of its tokens.
Divergence first_divergence(Decoder& decoder, const Json& golden) {
  const auto expected = golden.at("output_ids").get<Ids>();
  const auto margins = golden.at("margins").get<std::vector<double>>();
  const Ids prompt = golden.at("ids").get<Ids>();
  const auto sequence = decoder.new_sequence();
  std::vector<float> logits = last_logits(decoder, *sequence, prompt);
  const auto rest = all_logits(decoder, *sequence, expected, expected.size());
  logits.insert(logits.end(), rest.begin(), rest.end());
  const std::size_t vocabulary = decoder.config().vocabulary_size;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const auto row = std::span(logits).subspan(i * vocabulary, vocabulary);
    if (best_of(row) != static_cast<std::size_t>(expected[i])) return {i, margins[i]};
  }
  return {expected.size(), 0};
}

TEST_F(DefaultModel, GreedyTextsDifferFromTheGoldenOnesOnlyWhereRoundingDecides) {
  struct Case {
    DecoderOptions options;
    double largest_margin;  // in logits
  };
  for (const Case& tested : {Case{kF32, 1e-3}, Case{kBf16, 0.3}, Case{kGeneric, 0.3}}) {
    const Loaded model = load(default_model_file(), tested.options);
    for (const Json& golden_text : read_json_lines(golden() / "greedy.jsonl")) {
      const Divergence divergence = first_divergence(*model.decoder, golden_text);
      EXPECT_LT(divergence.margin, tested.largest_margin)
          << model->kernel_name() << ", " << golden_text.at("name") << ", token "
          << divergence.position;
    }
  }
}

// What must not change a result ----------------------------------------------------------------

// Token ids without meaning, the same in every run.
Ids some_ids(std::size_t count, std::size_t vocabulary, unsigned seed) {
  Ids ids;
  unsigned state = seed * 2654435761u + 1;
  for (std::size_t i = 0; i < count; ++i) {
    state = state * 1664525u + 1013904223u;
    ids.push_back(static_cast<std::int32_t>((state >> 8) % vocabulary));
  }
  return ids;
}

// Everything is compared to the bit: chunks, batches and threads change no order of adding.
class Invariance : public testing::TestWithParam<DecoderOptions> {
 protected:
  FakeModel files_ = small_model(small_config("qwen3"));
};

TEST_P(Invariance, ReadingInChunksIsReadingAtOnce) {
  const Loaded model = load(files_, GetParam());
  const Ids ids = some_ids(700, model->config().vocabulary_size, 1);
  const auto at_once = model->new_sequence();
  const auto expected = last_logits(*model.decoder, *at_once, ids);
  const auto in_chunks = model->new_sequence();
  std::vector<float> found;
  std::size_t next = 0;
  for (const std::size_t count : std::vector<std::size_t>{1, 63, 2, 200, 129, 5, 300}) {
    found = last_logits(*model.decoder, *in_chunks, std::span(ids).subspan(next, count));
    next += count;
  }
  ASSERT_EQ(next, ids.size());
  EXPECT_EQ(in_chunks->length(), ids.size());
  EXPECT_EQ(found, expected);  // to the bit
}

TEST_P(Invariance, ASequenceDoesNotFeelTheBatchAroundIt) {
  const Loaded model = load(files_, GetParam());
  const std::size_t vocabulary = model->config().vocabulary_size;
  const Ids first = some_ids(600, vocabulary, 2);
  const Ids second = some_ids(40, vocabulary, 3);
  const Ids third = some_ids(1, vocabulary, 4);
  std::vector<std::vector<float>> alone;
  for (const Ids& ids : {first, second, third}) {
    const auto sequence = model->new_sequence();
    alone.push_back(last_logits(*model.decoder, *sequence, ids));
  }
  const auto a = model->new_sequence();
  const auto b = model->new_sequence();
  const auto c = model->new_sequence();
  const DecoderChunk chunks[] = {{a.get(), first}, {b.get(), second}, {c.get(), third}};
  std::vector<float> together;
  model->forward(chunks, together);
  ASSERT_EQ(together.size(), 3 * vocabulary);
  for (std::size_t i = 0; i < 3; ++i) {
    const auto row = std::span(together).subspan(i * vocabulary, vocabulary);
    EXPECT_TRUE(std::equal(row.begin(), row.end(), alone[i].begin())) << "sequence " << i;
  }
}

TEST_P(Invariance, TheNumberOfThreadsDoesNotMatter) {
  const Ids ids = some_ids(650, 300, 5);
  std::vector<std::vector<float>> results;
  for (const std::size_t threads : std::vector<std::size_t>{1, 2, 3}) {
    const Loaded model = load(files_, GetParam(), threads);
    const auto sequence = model->new_sequence();
    last_logits(*model.decoder, *sequence, std::span(ids).first(649));
    results.push_back(last_logits(*model.decoder, *sequence, std::span(ids).last(1)));
  }
  EXPECT_EQ(results[0], results[1]);
  EXPECT_EQ(results[0], results[2]);
}

TEST_P(Invariance, ATruncatedSequenceForgets) {
  const Loaded model = load(files_, GetParam());
  const std::size_t vocabulary = model->config().vocabulary_size;
  const Ids kept = some_ids(70, vocabulary, 6);
  const Ids forgotten = some_ids(90, vocabulary, 7);
  const Ids read_after = some_ids(20, vocabulary, 8);
  const auto plain = model->new_sequence();
  last_logits(*model.decoder, *plain, kept);
  const auto expected = last_logits(*model.decoder, *plain, read_after);

  const auto cut = model->new_sequence();
  last_logits(*model.decoder, *cut, kept);
  last_logits(*model.decoder, *cut, forgotten);
  cut->truncate(kept.size());
  EXPECT_EQ(cut->length(), kept.size());
  EXPECT_EQ(last_logits(*model.decoder, *cut, read_after), expected);
}

// A sequence that has the whole blocks of another one's first `length` tokens in common with it.
std::unique_ptr<KvSequence> sharer_of(Decoder& decoder, const KvSequence& other,
                                      std::size_t length) {
  auto sequence = decoder.new_sequence();
  for (std::size_t b = 0; b < length / kKvBlockTokens; ++b) sequence->append(other.block(b));
  return sequence;
}

TEST_P(Invariance, WhatIsSharedCountsAsReadByEach) {
  const Loaded model = load(files_, GetParam());
  const std::size_t vocabulary = model->config().vocabulary_size;
  // Two families of sequences, with two and with one whole segment of 512 tokens in common; of the
  // second the last member goes its own way behind 600 tokens.
  const Ids prefixes[] = {some_ids(1100, vocabulary, 10), some_ids(700, vocabulary, 11)};
  struct Member {
    std::size_t family;
    std::size_t num_common;
    std::size_t num_own;  // tokens behind the common ones, read in one piece
  };
  const std::vector<Member> members = {{0, 1088, 1}, {0, 1088, 1},  {1, 640, 1},
                                       {0, 1088, 9}, {0, 1088, 70}, {1, 640, 3},
                                       {0, 1088, 1}, {1, 576, 200}, {0, 0, 40}};
  std::vector<Ids> own;
  std::vector<float> alone;
  for (std::size_t m = 0; m < members.size(); ++m) {
    own.push_back(some_ids(members[m].num_own, vocabulary, 20 + static_cast<unsigned>(m)));
    const auto sequence = model->new_sequence();
    Ids ids(prefixes[members[m].family]);
    ids.resize(members[m].num_common);
    ids.insert(ids.end(), own[m].begin(), own[m].end());
    const auto logits = last_logits(*model.decoder, *sequence, ids);
    alone.insert(alone.end(), logits.begin(), logits.end());
  }
  for (const std::size_t threads : std::vector<std::size_t>{1, 2, 3}) {
    const Loaded other = load(files_, GetParam(), threads);
    std::vector<std::unique_ptr<KvSequence>> first;
    for (const Ids& ids : prefixes) {
      first.push_back(other->new_sequence());
      last_logits(*other.decoder, *first.back(), ids);
    }
    const std::size_t num_read = other->num_kv_blocks();
    std::vector<std::unique_ptr<KvSequence>> sequences;
    std::vector<DecoderChunk> chunks;
    for (std::size_t m = 0; m < members.size(); ++m) {
      const KvSequence& from = *first[members[m].family];
      sequences.push_back(sharer_of(*other.decoder, from, members[m].num_common));
      EXPECT_EQ(sequences[m]->length(), members[m].num_common);
      chunks.push_back({sequences[m].get(), own[m]});
    }
    EXPECT_EQ(other->num_kv_blocks(), num_read);
    std::vector<float> together;
    other->forward(chunks, together);
    EXPECT_EQ(together, alone) << threads << " threads";  // to the bit
  }
}

TEST_P(Invariance, ASharedBlockStaysWhatItIsForTheOthers) {
  const Loaded model = load(files_, GetParam());
  const std::size_t vocabulary = model->config().vocabulary_size;
  const Ids ids = some_ids(128, vocabulary, 12);
  const Ids others = some_ids(30, vocabulary, 13);
  const Ids next = some_ids(5, vocabulary, 14);
  auto first = model->new_sequence();
  last_logits(*model.decoder, *first, ids);
  const auto second = sharer_of(*model.decoder, *first, 128);
  const auto third = sharer_of(*model.decoder, *first, 128);
  const auto expected = last_logits(*model.decoder, *third, next);
  EXPECT_EQ(model->num_kv_blocks(), 3u);

  first->truncate(100);  // inside a block that all have
  last_logits(*model.decoder, *first, others);
  EXPECT_EQ(last_logits(*model.decoder, *second, next), expected);
  EXPECT_EQ(model->num_kv_blocks(), 6u);  // two in common, one behind them each of two; the cut one
                                          // once more, and one behind it
  const auto kept = first->block(0);
  first.reset();
  EXPECT_EQ(model->num_kv_blocks(), 4u);
}

TEST_P(Invariance, OnlyTheWantedRowsGetLogits) {
  const Loaded model = load(files_, GetParam());
  const std::size_t vocabulary = model->config().vocabulary_size;
  for (const std::size_t count :
       {std::size_t{9}, std::size_t{200}}) {  // a small batch, a large one
    const Ids ids = some_ids(count, vocabulary, 9);
    const auto a = model->new_sequence();
    const auto b = model->new_sequence();
    const auto c = model->new_sequence();
    const DecoderChunk chunks[] = {{a.get(), ids, LogitsWanted::kNone},
                                   {b.get(), ids, LogitsWanted::kAll},
                                   {c.get(), ids, LogitsWanted::kLast}};
    std::vector<float> logits;
    model->forward(chunks, logits);
    ASSERT_EQ(logits.size(), (count + 1) * vocabulary);
    const auto all = all_logits(*model.decoder, ids);
    EXPECT_TRUE(std::equal(all.begin(), all.end(), logits.begin()));
    const auto last = std::span(logits).last(vocabulary);
    EXPECT_TRUE(
        std::equal(last.begin(), last.end(), all.end() - static_cast<std::ptrdiff_t>(vocabulary)));

    // All were read alike.
    const Ids next = some_ids(1, vocabulary, 10);
    const std::vector<float> after = last_logits(*model.decoder, *b, next);
    EXPECT_EQ(last_logits(*model.decoder, *a, next), after);
    EXPECT_EQ(last_logits(*model.decoder, *c, next), after);
  }
}

std::string name_of(const DecoderOptions& options) {
  static const std::map<Precision, std::string> kNames = {{Precision::kBf16, "Bf16"},
                                                          {Precision::kF32, "Float32"},
                                                          {Precision::kInt8, "Int8"},
                                                          {Precision::kInt4, "Int4"}};
  return (options.force_generic ? "Generic" : "") + kNames.at(options.precision) +
         (options.kv == KvPrecision::kInt8 ? "KvInt8" : "");
}

INSTANTIATE_TEST_SUITE_P(All, Invariance,
                         testing::Values(kF32, kBf16, kGeneric, kInt8, kInt4, kGenericInt8,
                                         kGenericInt4, kInt8Kv, kGenericInt8Kv, kF32Int8Kv),
                         [](const auto& tested) { return name_of(tested.param); });

TEST_F(DefaultModel, IsInvariantToo) {
  const Ids ids = some_ids(300, 49152, 10);
  for (const DecoderOptions& options : {kBf16, kInt8, kInt4, kInt8Kv}) {
    const Loaded one = load(default_model_file(), options, 1);
    const Loaded two = load(default_model_file(), options, 2);
    const auto at_once = one->new_sequence();
    const auto in_chunks = two->new_sequence();
    last_logits(*two.decoder, *in_chunks, std::span(ids).first(140));
    last_logits(*two.decoder, *in_chunks, std::span(ids).subspan(140, 159));
    EXPECT_EQ(last_logits(*two.decoder, *in_chunks, std::span(ids).last(1)),
              last_logits(*one.decoder, *at_once, ids));
  }
}

// How far logits are from what they should be, as a share of their size.
double relative_error(const std::vector<float>& found, const std::vector<float>& expected) {
  EXPECT_EQ(found.size(), expected.size());
  double squares = 0;
  double error = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    squares += static_cast<double>(expected[i]) * expected[i];
    error += std::pow(static_cast<double>(found[i]) - expected[i], 2);
  }
  return std::sqrt(error / squares);
}

// Sizes that fill no AMX tile, no vector, or no block: each takes another way through the kernels.
TEST(OddSizes, StayCloseToFloat32) {
  struct Case {
    const char* key;
    int value;
  };
  for (const auto& [key, value] :
       {Case{"intermediate_size", 176}, Case{"hidden_size", 60}, Case{"head_dim", 16},
        Case{"head_dim", 10}, Case{"vocab_size", 257}, Case{"num_key_value_heads", 1}}) {
    Json config = small_config("qwen3");
    config[key] = value;
    const FakeModel files = small_model(config);
    const Ids ids = some_ids(200, 257, 13);
    const auto expected = all_logits(*load(files, kF32).decoder, ids);
    for (const auto& [options, most] :
         std::vector<std::pair<DecoderOptions, double>>{{kBf16, 0.02},
                                                        {kGeneric, 0.02},
                                                        {kInt8Kv, 0.02},
                                                        {kGenericInt8Kv, 0.02},
                                                        {kF32Int8Kv, 0.015},
                                                        {kInt8, 0.05},
                                                        {kGenericInt8, 0.05},
                                                        {kInt4, 0.35},
                                                        {kGenericInt4, 0.35}}) {
      const auto found = all_logits(*load(files, options).decoder, ids);
      EXPECT_LT(relative_error(found, expected), most) << key << " " << value;
    }
  }
}

// Adapters are computed as in float32 beside quantised weights.
TEST(Quantised, AnAdapterThatLearntNothingChangesNothing) {
  const FakeModel files = small_model(small_config("qwen2"));
  const Ids ids = some_ids(40, 300, 14);
  for (DecoderOptions options : {kInt8, kInt4}) {
    const auto without = all_logits(*load(files, options).decoder, ids);
    options.lora = LoraShape{.rank = 4, .alpha = 8};
    EXPECT_EQ(all_logits(*load(files, options).decoder, ids), without);
  }
}

// Damaged numbers are not rounded to good ones on their way through a quantised product.
TEST(Quantised, NumbersThatAreNoneComeOut) {
  FakeModel files = small_model(small_config("llama"));
  for (float& value : files.values("model.layers.0.input_layernorm.weight")) value = 3e38f;
  const Ids ids = some_ids(3, 300, 15);
  for (const DecoderOptions& options : {kInt8, kInt4, kGenericInt8, kGenericInt4}) {
    const auto logits = all_logits(*load(files, options).decoder, ids);
    EXPECT_FALSE(
        std::all_of(logits.begin(), logits.end(), [](float x) { return std::isfinite(x); }));
  }
}

// What the files may look like ------------------------------------------------------------------

std::string refusal(const ModelFiles& files) {
  ThreadPool pool(2);
  const auto decoder = Decoder::load(files, kBf16, pool);
  return decoder.ok() ? "" : decoder.error().to_string();
}

TEST(DecoderLoad, NamesTheTensorThatIsMissing) {
  FakeModel files = small_model(small_config("llama"));
  files.remove("model.layers.1.mlp.up_proj.weight");
  EXPECT_EQ(refusal(files),
            "fake: expected a tensor model.layers.1.mlp.up_proj.weight of shape [160, 64], found "
            "none; the file is incomplete or of another architecture");
}

TEST(DecoderLoad, NamesTheTensorOfAnotherShape) {
  FakeModel files = small_model(small_config("llama"));
  files.remove("model.norm.weight");
  files.add("model.norm.weight", {65}, std::vector<float>(65, 1.0f));
  EXPECT_EQ(refusal(files),
            "fake: expected tensor model.norm.weight to have shape [64], found [65]");
}

TEST(DecoderLoad, NamesTheTensorThatIsNotFinite) {
  for (const char* name : {"model.layers.1.self_attn.k_proj.weight", "model.embed_tokens.weight",
                           "model.norm.weight", "lm_head.weight"}) {
    for (const float bad : {NAN, INFINITY, -INFINITY}) {
      FakeModel files = small_model(small_config("llama"));
      files.values(name)[7] = bad;
      EXPECT_NE(refusal(files).find(std::string("row 0 of tensor ") + name), std::string::npos)
          << refusal(files);
    }
  }
}

TEST(DecoderLoad, RefusesABiasThatTheConfigurationDoesNotKnow) {
  FakeModel files = small_model(small_config("llama"));
  files.add("model.layers.0.mlp.down_proj.bias", {64}, std::vector<float>(64));
  EXPECT_NE(refusal(files).find("model.layers.0.mlp.down_proj.bias"), std::string::npos);
}

// What a GGUF file calls the tensors of a Hugging Face folder; "" for no such tensor.
std::string gguf_name(const std::string& name) {
  static const std::pair<const char*, const char*> kNames[] = {
      {"model.embed_tokens.", "token_embd."},
      {"model.norm.", "output_norm."},
      {"lm_head.", "output."},
      {"model.layers.", "blk."},
      {"input_layernorm.", "attn_norm."},
      {"post_attention_layernorm.", "ffn_norm."},
      {"self_attn.q_proj.", "attn_q."},
      {"self_attn.k_proj.", "attn_k."},
      {"self_attn.v_proj.", "attn_v."},
      {"self_attn.o_proj.", "attn_output."},
      {"self_attn.q_norm.", "attn_q_norm."},
      {"self_attn.k_norm.", "attn_k_norm."},
      {"mlp.gate_proj.", "ffn_gate."},
      {"mlp.up_proj.", "ffn_up."},
      {"mlp.down_proj.", "ffn_down."}};
  std::string result = name;
  for (const auto& [from, to] : kNames) {
    const std::size_t at = result.find(from);
    if (at != std::string::npos) result.replace(at, std::string(from).size(), to);
  }
  return result;
}

// The same model as GGUF has it: q and k of architecture llama with the rows of a head in pairs.
FakeModel as_gguf(FakeModel& model, const std::string& architecture) {
  const DecoderConfig config = read_decoder_config(model).value();
  const std::string a = architecture + ".";
  FakeModel result(ModelFiles::Format::kGguf,
                   {{"general.architecture", architecture},
                    {a + "block_count", config.num_layers},
                    {a + "context_length", config.context_length},
                    {a + "embedding_length", config.hidden_size},
                    {a + "feed_forward_length", config.ffn_size},
                    {a + "attention.head_count", config.num_heads},
                    {a + "attention.head_count_kv", config.num_kv_heads},
                    {a + "attention.key_length", config.head_dim},
                    {a + "attention.value_length", config.head_dim},
                    {a + "attention.layer_norm_rms_epsilon", config.rms_epsilon},
                    {a + "rope.freq_base", 10000.0}});
  for (const TensorView& tensor : model.tensors()) {
    std::vector<float> values = model.values(tensor.name);
    const bool is_rotated = tensor.name.find("q_proj") != std::string::npos ||
                            tensor.name.find("k_proj") != std::string::npos;
    if (is_rotated && architecture == "llama") {
      const std::size_t width = tensor.shape.size() == 1 ? 1 : tensor.shape[1];
      const std::size_t half = config.head_dim / 2;
      for (std::size_t row = 0; row < tensor.shape[0]; ++row) {
        const std::size_t head = row / config.head_dim * config.head_dim;
        const std::size_t pair = row % half;
        const std::size_t second = row % config.head_dim / half;
        for (std::size_t i = 0; i < width; ++i) {
          values[(head + 2 * pair + second) * width + i] =
              model.values(tensor.name)[row * width + i];
        }
      }
    }
    result.add(gguf_name(tensor.name), tensor.shape, std::move(values));
  }
  return result;
}

TEST(DecoderLoad, GgufAndHuggingFaceAreTheSameModel) {
  for (const char* architecture : {"llama", "qwen2", "qwen3"}) {
    FakeModel folder = small_model(small_config(architecture));
    const FakeModel file = as_gguf(folder, architecture);
    const Ids ids = some_ids(30, 300, 11);
    EXPECT_EQ(all_logits(*load(file, kF32).decoder, ids),
              all_logits(*load(folder, kF32).decoder, ids))
        << architecture;
  }
}

TEST(DecoderLoad, ATiedOutputIsTheEmbedding) {
  Json config = small_config("qwen2");
  FakeModel untied = small_model(config);
  const std::vector<float>& embedding = untied.values("model.embed_tokens.weight");
  std::copy(embedding.begin(), embedding.end(), untied.values("lm_head.weight").begin());
  config["tie_word_embeddings"] = true;
  FakeModel tied(ModelFiles::Format::kHuggingFace, config);
  for (const TensorView& tensor : untied.tensors()) {
    if (tensor.name == "lm_head.weight") continue;
    tied.add(tensor.name, tensor.shape, untied.values(tensor.name));
  }
  for (const DecoderOptions& options : {kF32, kBf16, kGeneric}) {
    const Ids ids = some_ids(20, 300, 12);
    EXPECT_EQ(all_logits(*load(tied, options).decoder, ids),
              all_logits(*load(untied, options).decoder, ids));
  }
}

// Memory ----------------------------------------------------------------------------------------

TEST(MemoryPlan, CountsWhatTheDefaultModelTakes) {
  RR_NEEDS_FILE(default_model_file());
  const auto files = ModelFiles::open(default_model_file());
  const DecoderConfig config = read_decoder_config(*files.value()).value();
  const MemoryPlan plan = plan_memory(config, kBf16, 512);
  // 134,479,872 weights of matrices in bf16, the output layer being the embedding.
  EXPECT_EQ(plan.weight_bytes, 2u * (134515008 - 61 * 576));
  EXPECT_EQ(plan.kv_bytes_per_token, 30u * 3 * 64 * 2 * 2);
  // A byte a number, and a scale for each head's key and its value.
  EXPECT_EQ(plan_memory(config, kInt8Kv, 512).kv_bytes_per_token, 30u * 3 * (64 + 4) * 2);
  EXPECT_LT(plan.scratch_bytes, std::size_t{64} << 20);
  EXPECT_EQ(plan_memory(config, kF32, 512).weight_bytes, 2 * plan.weight_bytes);
  // A byte a weight and a scale an output; 20 bytes for 32 weights, the output layer a byte each.
  const std::size_t output = 49152 * 576;
  const std::size_t layers = 134515008 - 61 * 576 - output;
  const std::size_t outputs = 30 * (960 + 576 + 2 * 1536 + 576);
  EXPECT_EQ(plan_memory(config, kInt8, 512).weight_bytes,
            layers + 4 * outputs + output + 4 * 49152);
  EXPECT_EQ(plan_memory(config, kInt4, 512).weight_bytes, layers / 32 * 20 + output + 4 * 49152);
}

TEST(MemoryPlan, RefusesAModelThatDoesNotFitWithTheNumbers) {
  const std::size_t gib = std::size_t{1} << 30;
  const MemoryPlan plan{
      .weight_bytes = 14 * gib, .kv_bytes_per_token = 65536, .scratch_bytes = gib};
  EXPECT_TRUE(check_memory(plan, 16384, 16 * gib, "m").ok());
  EXPECT_EQ(check_memory(plan, 16384, 15 * gib, "m").error().to_string(),
            "m: the model needs 16.00 GiB of memory (14.00 weights, 1.00 for 16384 tokens of keys "
            "and values, 1.00 working space), 15.00 GiB are free; take a smaller model or a "
            "machine with more memory");
}

}  // namespace
}  // namespace rr
