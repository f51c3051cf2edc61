#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace rr {

// Valid as the Unicode standard defines it (table 3-7): no overlong forms, no surrogates, nothing
// above U+10FFFF.
bool is_valid_utf8(std::string_view bytes);

struct RepairedUtf8 {
  std::string text;          // valid UTF-8
  std::size_t replaced = 0;  // ill-formed sequences, each now one U+FFFD
};

// What follows the byte-order marks (EF BB BF) at its start; files put together have several.
std::string_view without_byte_order_marks(std::string_view text);

// Replaces each maximal ill-formed subsequence by U+FFFD, as the Unicode standard recommends
// (section 3.9) and Python's bytes.decode("utf-8", "replace") does.
RepairedUtf8 repair_utf8(std::string_view bytes);

// The code point that starts at `position`, and its length in bytes. Of an ill-formed sequence:
// U+FFFD, the length of its maximal subpart (at least 1) and valid = false.
// Requires position < text.size().
struct DecodedCodePoint {
  char32_t code_point;
  std::size_t length;
  bool valid;
};
DecodedCodePoint decode_code_point(std::string_view text, std::size_t position);

// Requires a code point that is no surrogate and at most U+10FFFF.
void append_utf8(std::string& text, char32_t code_point);

// Bytes at the end of `text` that start a character and do not finish it, 0 to 3: what a stream
// must hold back until more comes.
std::size_t incomplete_utf8_tail(std::string_view text);

}  // namespace rr
