#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "rr/base/check.h"
#include "rr/lm/fake_tokenizer.h"
#include "rr/lm_local/local_model.h"
#include "rr/nn/decoder.h"

// A model for tests that says what it is told to say, exactly: its scores are a function of the
// tokens read so far, so scheduling, stages and constraints can be checked token by token.

namespace rr::internal {

// Checks what Decoder requires of its caller.
class FakeDecoder : public Decoder {
 public:
  // Rows of padding behind the vocabulary always have the best scores: nobody may choose them.
  static constexpr std::size_t kPadding = 3;

  FakeDecoder(std::size_t vocabulary_size, std::size_t context_length, FakeScores scores)
      : vocabulary_size_(vocabulary_size), scores_(std::move(scores)) {
    config_.architecture = "fake";
    config_.vocabulary_size = vocabulary_size + kPadding;
    config_.context_length = context_length;
  }

  const DecoderConfig& config() const override { return config_; }
  std::string kernel_name() const override { return "fake"; }
  double row_cost() const override { return 0.1; }
  std::unique_ptr<KvSequence> new_sequence() const override {
    return std::make_unique<Sequence>(num_blocks_);
  }
  void adopt(std::span<const Parameter>) override {}  // it has no weights
  std::size_t num_kv_blocks() const override { return *num_blocks_; }

  void forward(std::span<const DecoderChunk> chunks, std::vector<float>& logits) override {
    RR_CHECK(!busy_.exchange(true), "one forward() at a time");
    RR_CHECK(!chunks.empty(), "a step reads something");
    logits.clear();
    if (step_s > 0) std::this_thread::sleep_for(std::chrono::duration<double>(step_s));
    std::size_t num_tokens = 0;
    std::set<const KvSequence*> seen;
    for (const DecoderChunk& chunk : chunks) {
      RR_CHECK(seen.insert(chunk.sequence).second, "a sequence twice in one step");
      read(chunk, logits);
      num_tokens += chunk.ids.size();
    }
    RR_CHECK(num_kv_blocks() <= max_kv_blocks, "more blocks than there may be");
    steps.push_back({chunks.size(), num_tokens, logits.size() / config_.vocabulary_size});
    if (const auto last = before_return) last();
    busy_ = false;
  }

  // For a before_return() that throws.
  void release() { busy_ = false; }

  struct StepSize {
    std::size_t chunks;
    std::size_t tokens;
    std::size_t rows;
  };
  std::vector<StepSize> steps;  // look at it only while no request runs
  double step_s = 0;            // what a step takes
  std::size_t max_kv_blocks = std::numeric_limits<std::size_t>::max();
  std::function<void()> before_return;

 private:
  using BlockCount = std::shared_ptr<std::atomic<std::size_t>>;

  // A block knows the tokens read into it, and their place in their sequence.
  struct Block : KvBlock {
    Block(std::size_t the_index, BlockCount the_count) : index(the_index), count(the_count) {
      ++*count;
    }
    ~Block() override { --*count; }
    Block(const Block&) = delete;
    Block& operator=(const Block&) = delete;

    TokenIds ids;
    std::size_t index;
    BlockCount count;
  };

  struct Sequence : KvSequence {
    explicit Sequence(BlockCount the_count) : count(std::move(the_count)) {}

    std::size_t length() const override {
      return blocks.empty() ? 0 : (blocks.size() - 1) * kKvBlockTokens + blocks.back()->ids.size();
    }
    void truncate(std::size_t to) override {
      RR_CHECK(to <= length(), "a sequence can only be cut shorter");
      blocks.resize((to + kKvBlockTokens - 1) / kKvBlockTokens);
      const std::size_t size = to % kKvBlockTokens;
      if (size == 0 || blocks.back()->ids.size() == size) return;
      const auto cut = std::make_shared<Block>(blocks.back()->index, count);
      cut->ids.assign(blocks.back()->ids.begin(),
                      blocks.back()->ids.begin() + static_cast<std::ptrdiff_t>(size));
      blocks.back() = cut;
    }
    std::shared_ptr<const KvBlock> block(std::size_t index) const override {
      RR_CHECK(blocks[index]->ids.size() == kKvBlockTokens, "a full block");
      return blocks[index];
    }
    void append(std::shared_ptr<const KvBlock> block) override {
      RR_CHECK(length() % kKvBlockTokens == 0, "behind a full block");
      auto other = std::dynamic_pointer_cast<const Block>(block);
      RR_CHECK(other != nullptr && other->index == blocks.size(), "a block of this place");
      blocks.push_back(std::const_pointer_cast<Block>(other));
    }
    void read(TokenId id) {
      if (length() % kKvBlockTokens == 0) {
        blocks.push_back(std::make_shared<Block>(blocks.size(), count));
      }
      blocks.back()->ids.push_back(id);
    }
    TokenIds ids() const {
      TokenIds all;
      for (const auto& block : blocks) all.insert(all.end(), block->ids.begin(), block->ids.end());
      return all;
    }

    BlockCount count;
    std::vector<std::shared_ptr<Block>> blocks;
  };

  void read(const DecoderChunk& chunk, std::vector<float>& logits) {
    auto& sequence = dynamic_cast<Sequence&>(*chunk.sequence);
    RR_CHECK(!chunk.ids.empty(), "an empty chunk");
    RR_CHECK(sequence.length() + chunk.ids.size() <= config_.context_length, "context overrun");
    for (std::size_t i = 0; i < chunk.ids.size(); ++i) {
      RR_CHECK(chunk.ids[i] >= 0 && static_cast<std::size_t>(chunk.ids[i]) < vocabulary_size_,
               "an id outside the vocabulary");
      sequence.read(chunk.ids[i]);
      const bool is_last = i + 1 == chunk.ids.size();
      const bool wanted =
          chunk.logits == LogitsWanted::kAll || (chunk.logits == LogitsWanted::kLast && is_last);
      if (wanted) add_row(sequence.ids(), logits);
    }
  }

  void add_row(const TokenIds& ids, std::vector<float>& logits) {
    logits.resize(logits.size() + config_.vocabulary_size, 6);
    const std::span<float> row = std::span(logits).last(config_.vocabulary_size);
    scores_(ids, row.first(vocabulary_size_));
  }

  DecoderConfig config_;
  std::size_t vocabulary_size_;
  FakeScores scores_;
  std::atomic<bool> busy_ = false;
  BlockCount num_blocks_ = std::make_shared<std::atomic<std::size_t>>(0);
};

struct FakeModelOptions {
  std::vector<std::string> words;
  std::size_t context_length = 4096;
  std::size_t num_threads = 2;
  std::size_t kv_bytes_per_token = 10;
};

// `decoder`, where given, is set to the decoder inside the model.
inline std::unique_ptr<LocalModel> fake_model(FakeScores scores,
                                              const FakeModelOptions& options = {},
                                              FakeDecoder** decoder = nullptr) {
  auto tokenizer = std::make_unique<FakeTokenizer>(options.words);
  auto inside = std::make_unique<FakeDecoder>(tokenizer->vocabulary_size(), options.context_length,
                                              std::move(scores));
  if (decoder != nullptr) *decoder = inside.get();
  LocalModel::Parts parts;
  parts.pool = std::make_unique<ThreadPool>(options.num_threads);
  parts.tokenizer = std::move(tokenizer);
  parts.decoder = std::move(inside);
  parts.memory.kv_bytes_per_token = options.kv_bytes_per_token;
  return std::make_unique<LocalModel>(std::move(parts));
}

}  // namespace rr::internal
