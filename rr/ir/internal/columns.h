#pragma once

#include <charconv>
#include <cstddef>
#include <string_view>
#include <system_error>

// Columns divided by blanks: space, tab and the other white space of C's isspace. Only these, as in
// trec_eval: a no-break space is part of a column.

namespace rr {

inline constexpr std::string_view kBlanks = " \t\v\f\r\n";

// As kBlanks, without a search: every byte of a large run goes through here.
inline bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

inline std::string_view trim(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

inline std::size_t count_columns(std::string_view line) {
  std::size_t count = 0;
  bool inside = false;
  for (const char c : line) {
    if (!is_blank(c) && !inside) ++count;
    inside = !is_blank(c);
  }
  return count;
}

// Takes the first or last column off a trimmed line and leaves it trimmed. Empty: none was left.
inline std::string_view take_first_column(std::string_view& line) {
  std::size_t size = 0;
  while (size < line.size() && !is_blank(line[size])) ++size;
  const std::string_view column = line.substr(0, size);
  line = trim(line.substr(size));
  return column;
}

inline std::string_view take_last_column(std::string_view& line) {
  std::size_t begin = line.size();
  while (begin > 0 && !is_blank(line[begin - 1])) --begin;
  const std::string_view column = line.substr(begin);
  line = trim(line.substr(0, begin));
  return column;
}

// Whole text as a number of this type; false where it is anything else or out of range.
template <typename Number>
bool parse_number(std::string_view text, Number& number) {
  if (text.starts_with('+') && !text.starts_with("+-")) text.remove_prefix(1);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() && !text.empty();
}

}  // namespace rr
