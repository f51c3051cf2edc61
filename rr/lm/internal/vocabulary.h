#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "rr/lm/tokenizer.h"

namespace rr::internal {

constexpr TokenId kNoToken = -1;

// The bytes of every token, and the token of given bytes. Built once by append(), then read.
class Vocabulary {
 public:
  // Room for num_tokens tokens of num_bytes bytes in all, so that append() never moves anything.
  void reserve(std::size_t num_tokens, std::size_t num_bytes);

  // Gives the next id, from 0. Where `findable`, find() knows it; of two with the same bytes it
  // knows the later one, as llama.cpp does.
  void append(std::string_view bytes, bool findable);

  std::size_t size() const { return begins_.size(); }

  // Requires an id below size(). Valid as long as the vocabulary lives and nothing is appended.
  std::string_view bytes_of(TokenId id) const;

  // kNoToken where there is none.
  TokenId find(std::string_view bytes) const;

 private:
  // Where `bytes` stand in slots_, or the free place where they would.
  std::size_t slot_of(std::string_view bytes) const;
  void rehash(std::size_t num_slots);

  std::string arena_;
  std::vector<std::size_t> begins_;
  std::vector<TokenId> slots_;  // open addressing, a power of two
  std::size_t num_findable_ = 0;
  std::size_t longest_findable_ = 0;
};

}  // namespace rr::internal
