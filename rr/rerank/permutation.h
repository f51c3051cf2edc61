#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <vector>

namespace rr {

// Where the answer stands in a reply.
//   kTagged: in "<think>...</think> <answer>...</answer>", as reasoning models write it.
//   kWhole: the reply is the answer.
enum class AnswerFormat { kTagged, kWhole };

// How replies off their format are read. kPublished is exactly ReasonRank's code
// (8421BCD/ReasonRank at 06721fd); kDefault differs in two points:
//   - a tagged reply without "<answer>" keeps the order; kPublished reads every number of the
//     reasoning as an identifier;
//   - digit-like characters that are no decimal digits (superscripts, circled digits) are blanks;
//     kPublished gives up and leaves the window unchanged.
enum class ParserRule { kDefault, kPublished };

struct ParseOptions {
  AnswerFormat format = AnswerFormat::kWhole;
  ParserRule rule = ParserRule::kDefault;
};

// The parts of a reply, as views into it.
struct ReplyParts {
  std::string_view thoughts;  // stripped, without tags; empty where there are none
  std::string_view answer;    // stripped; the whole reply where has_answer is false
  bool has_answer = true;
};

// Splits a reply. kTagged, the first of these that fits:
//   1. the first <think>...</think> with nothing but white space before an <answer>...</answer>,
//      tags in any case: what is between the answer tags;
//   2. everything after the last "<answer>", in exactly this case;
//   3. no answer.
// White space and case are Python's.
ReplyParts split_reply(std::string_view reply, AnswerFormat format);

// The form that a reply of a reasoning model should have, anywhere in it:
// "<think>...</think>", then nothing but white space, "<answer>...</answer>"; the leftmost and
// shortest. nullopt: it is not there. The published reward wants the tags in exactly this case,
// reading takes any.
enum class TagCase { kAny, kExact };
std::optional<ReplyParts> find_reply_form(std::string_view reply, TagCase tag_case);

// An order as it should be written, "[3] > [1] > [2]", with any white space around ">": positions
// in the window, from 0. nullopt where the (stripped) answer is anything else, or no permutation of
// 1..window_size.
std::optional<std::vector<std::size_t>> read_strict_order(std::string_view answer,
                                                          std::size_t window_size);

// Everything in an answer that Python takes for a number's digits, run by run: what the published
// code splits an answer into. value: what int() makes of it, capped; nullopt where int() raises.
struct NumberText {
  std::string_view text;
  std::optional<std::size_t> value;
};
std::vector<NumberText> number_texts(std::string_view answer);

struct ParsedPermutation {
  // order[i] is the position in the window, from 0, of the passage that the model put i-th.
  // Always a permutation of 0..window_size-1.
  std::vector<std::size_t> order;

  // How far the answer was from one. All zero: the model wrote a full permutation.
  std::size_t duplicated = 0;    // identifiers named again; the first naming counts
  std::size_t out_of_range = 0;  // identifiers that are not 1..window_size; dropped
  std::size_t missing = 0;       // passages not named; appended in their old order
  std::size_t digit_like = 0;    // characters such as "²", where an identifier might have stood
  bool no_answer = false;        // a tagged reply without an answer

  bool is_complete() const {
    return duplicated == 0 && out_of_range == 0 && missing == 0 && digit_like == 0 && !no_answer;
  }
};

// Reads an order of the passages 1..window_size out of a reply. Any bytes parse. An identifier is
// a run of decimal digits of any script, whatever stands around it: "[1.5]" names 1 and 5, "[-2]"
// names 2.
ParsedPermutation parse_permutation(std::string_view reply, std::size_t window_size,
                                    const ParseOptions& options = {});

}  // namespace rr
