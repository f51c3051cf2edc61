#pragma once

#include <cctype>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "rr/base/check.h"
#include "rr/lm/generator.h"
#include "rr/lm/tokenizer.h"

// Stand-ins for the model in this room's tests.

namespace rr::internal {

// A token is a byte, but for the special token "<|im_end|>" (id 256).
class ByteTokenizer : public Tokenizer {
 public:
  static constexpr std::string_view kSpecial = "<|im_end|>";

  TokenIds encode(std::string_view text) const override {
    TokenIds ids;
    for (const char c : text) ids.push_back(static_cast<unsigned char>(c));
    return ids;
  }
  TokenIds encode(std::string_view text, std::span<const TextRange> control) const override {
    TokenIds ids;
    std::size_t done = 0;
    for (const TextRange& range : control) {
      append(ids, encode(text.substr(done, range.begin - done)));
      append(ids, encode_with_special(text.substr(range.begin, range.end - range.begin)));
      done = range.end;
    }
    append(ids, encode(text.substr(done)));
    return ids;
  }
  TokenIds encode_with_special(std::string_view text) const override {
    TokenIds ids;
    for (std::size_t at = 0; at < text.size();) {
      const bool special = text.substr(at).starts_with(kSpecial);
      ids.push_back(special ? 256 : static_cast<unsigned char>(text[at]));
      at += special ? kSpecial.size() : 1;
    }
    return ids;
  }
  std::string_view token_bytes(TokenId id) const override {
    static const std::vector<std::string> kBytes = [] {
      std::vector<std::string> bytes;
      for (int b = 0; b < 256; ++b) bytes.emplace_back(1, static_cast<char>(b));
      return bytes;
    }();
    return id == 256 ? kSpecial : std::string_view(kBytes.at(static_cast<std::size_t>(id)));
  }
  bool is_special(TokenId id) const override { return id == 256; }
  std::optional<TokenId> find_token(std::string_view text) const override {
    return text == kSpecial ? std::optional<TokenId>(256) : std::nullopt;
  }
  std::size_t vocabulary_size() const override { return 257; }
  std::span<const TokenId> end_tokens() const override { return end_; }
  std::optional<TokenId> begin_token() const override { return std::nullopt; }
  std::string_view pretokenizer_name() const override { return "bytes"; }

 private:
  static void append(TokenIds& ids, const TokenIds& more) {
    ids.insert(ids.end(), more.begin(), more.end());
  }
  std::vector<TokenId> end_ = {256};
};

// Keeps every request until the test lets it answer, so that topics can end in any order.
class HeldGenerator : public Generator {
 public:
  // What to reply to a request.
  using Reply = std::function<Completion(const GenerationRequest&)>;
  explicit HeldGenerator(Reply reply) : reply_(std::move(reply)) {}

  // Called at each submit with the number of waiting requests: which one to answer now, or none
  // (-1). Answers come before submit() returns, as the contract allows.
  std::function<int(std::size_t waiting)> choose = [](std::size_t) { return 0; };

  Result<GenerationId> submit(GenerationRequest request, GenerationListener listener) override {
    waiting_.push_back({next_id_, std::move(request), std::move(listener)});
    most_waiting = std::max(most_waiting, waiting_.size());
    const int chosen = choose(waiting_.size());
    if (chosen >= 0) answer(static_cast<std::size_t>(chosen));
    return next_id_++;
  }
  void cancel(GenerationId id) override { cancelled.push_back(id); }
  void expect(TokenIds beginning) override { expected.push_back(std::move(beginning)); }
  const TextModel* text_model() const override { return model; }

  const TextModel* model = nullptr;  // to be set before the first submit
  std::vector<TokenIds> expected;
  std::size_t most_waiting = 0;
  std::vector<std::string> answered;  // labels, in order
  std::vector<GenerationId> cancelled;

 private:
  struct Waiting {
    GenerationId id;
    GenerationRequest request;
    GenerationListener listener;
  };

  void answer(std::size_t which) {
    const Waiting taken = std::move(waiting_.at(which));
    waiting_.erase(waiting_.begin() + static_cast<std::ptrdiff_t>(which));
    answered.push_back(taken.request.label);
    const Completion completion = reply_(taken.request);
    taken.listener({completion.text, nullptr});
    taken.listener({"", &completion});
  }

  Reply reply_;
  std::vector<Waiting> waiting_;
  GenerationId next_id_ = 1;
};

}  // namespace rr::internal
