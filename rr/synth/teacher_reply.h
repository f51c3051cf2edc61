#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "rr/rerank/permutation.h"

// How a teacher's replies are read. Any bytes parse; what is off the format is a value.

namespace rr {

struct ParsedSelection {
  enum class Kind {
    kPicked,      // names passages
    kNone,        // says that there are none
    kUnreadable,  // neither: prose, a refusal, only identifiers of no passage, nothing at all, or
                  // "None" and identifiers together
  };
  Kind kind = Kind::kUnreadable;

  // Positions in the list, from 0, each once, in the order named. Not empty iff kPicked.
  std::vector<std::size_t> picked;

  std::size_t duplicated = 0;    // identifiers named again
  std::size_t out_of_range = 0;  // identifiers that are not 1..num_passages; dropped
  bool has_prose = false;        // words stand beside the identifiers
};

// Reads "[2] [4] [10]" or "None". What stands before "</think>" is not looked at. Identifiers are
// those in brackets, also several in one pair ("[2, 4]"); a reply without brackets that consists of
// numbers, commas and blanks is a list of identifiers too. "None" is the reply's first word, in any
// case.
ParsedSelection parse_selection(std::string_view reply, std::size_t num_passages);

struct ParsedTeacherRanking {
  std::string_view thoughts;  // stripped, without tags; empty: none. A view into the reply
  ParsedPermutation order;

  // Every passage was named: nothing of the order is the list's old order.
  bool is_whole() const { return order.missing == 0 && !order.no_answer; }
};

// Reads thoughts and an order of 1..num_passages: "<think>...</think> <answer>...</answer>" as in
// reranking, or thoughts up to the last "</think>" and then the order. The order is read by
// parse_permutation().
ParsedTeacherRanking parse_teacher_ranking(std::string_view reply, std::size_t num_passages);

}  // namespace rr
