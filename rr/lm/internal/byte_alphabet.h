#pragma once

#include <string>
#include <string_view>

namespace rr::internal {

// GPT-2's way to write any bytes as visible text: each byte is one character. The bytes 0x21..0x7E,
// 0xA1..0xAC and 0xAE..0xFF are the characters of the same number; the other 68 are, in order,
// U+0100, U+0101, ... A blank is "\u0120". Radford et al., "Language Models are Unsupervised
// Multitask Learners", 2019, bytes_to_unicode() of its code.

// Appends the bytes that `text` writes. False, with `bytes` as it was, where a character is none of
// the 256.
bool append_bytes_of_alphabet(std::string_view text, std::string& bytes);

// The bytes as text of the alphabet.
std::string to_byte_alphabet(std::string_view bytes);

}  // namespace rr::internal
