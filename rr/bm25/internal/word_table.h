#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace rr::internal {

// Different strings with numbers from 0 on, in the order in which they came, and a value for each.
// A table of the tokens of a corpus: it is made for the speed of find().
class WordTable {
 public:
  static constexpr std::uint32_t kNone = 0xFFFFFFFF;

  WordTable();

  // The number of the string; kNone: it is not there.
  std::uint32_t find(std::string_view word) const;

  // The number of the string, which is a new one where it was not there.
  std::uint32_t add(std::string_view word);

  // Valid until the next add() or clear().
  std::string_view word(std::uint32_t number) const {
    const std::size_t begin = number == 0 ? 0 : ends_[number - 1];
    return std::string_view(text_).substr(begin, ends_[number] - begin);
  }
  std::size_t size() const { return ends_.size(); }
  std::size_t memory_bytes() const;
  void clear();

 private:
  // The upper half of the hash stands beside the number, so that few strings are compared.
  struct Slot {
    std::uint32_t hash = 0;
    std::uint32_t number = kNone;
  };

  std::size_t slot_of(std::string_view word, std::uint64_t hash) const;
  void grow();

  std::vector<Slot> slots_;  // a power of two; at most two thirds are taken
  std::vector<std::size_t> ends_;
  std::string text_;
};

}  // namespace rr::internal
