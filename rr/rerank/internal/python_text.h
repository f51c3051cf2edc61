#pragma once

#include <string>
#include <string_view>

// The character classes of Python's str, which the published prompts and answers were made with.
// Unicode 14.0 (Python 3.11). Text that is not UTF-8 is read as U+FFFD at that place.

namespace rr::internal {

struct DigitClass {
  // kDecimal: str.isdecimal(), "\d" and int() take it. kDigitLike: only str.isdigit() does
  // (superscripts, circled digits), and int() raises.
  enum class Kind { kNone, kDecimal, kDigitLike };
  Kind kind = Kind::kNone;
  unsigned value = 0;  // of a decimal digit, 0..9
};
DigitClass classify_digit(char32_t code_point);

// str.isspace(), and what "\s" and strip() take.
bool is_space(char32_t code_point);

// str.strip().
std::string_view strip(std::string_view text);

// Every match of "\[(\d+)\]" becomes "(\1)": "[12]" -> "(12)", so that only the prompt's own
// identifiers stand in brackets. "[ 4]" and "[a1]" stay.
std::string brackets_to_parentheses(std::string_view text);

}  // namespace rr::internal
