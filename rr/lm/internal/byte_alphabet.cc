#include "rr/lm/internal/byte_alphabet.h"

#include <array>
#include <cstdint>

#include "rr/base/utf8.h"

namespace rr::internal {
namespace {

constexpr std::size_t kAlphabetEnd = 0x144;  // the 68 renamed bytes are U+0100..U+0143
constexpr std::int16_t kNoByte = -1;

constexpr bool is_visible(std::size_t byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

struct Alphabet {
  std::array<std::uint16_t, 256> character{};
  std::array<std::int16_t, kAlphabetEnd> byte{};
};

constexpr Alphabet make_alphabet() {
  Alphabet alphabet;
  alphabet.byte.fill(kNoByte);
  std::size_t renamed = 0x100;
  for (std::size_t byte = 0; byte < 256; ++byte) {
    const std::size_t character = is_visible(byte) ? byte : renamed++;
    alphabet.character[byte] = static_cast<std::uint16_t>(character);
    alphabet.byte[character] = static_cast<std::int16_t>(byte);
  }
  return alphabet;
}

constexpr Alphabet kAlphabet = make_alphabet();

}  // namespace

bool append_bytes_of_alphabet(std::string_view text, std::string& bytes) {
  const std::size_t size_before = bytes.size();
  for (std::size_t position = 0; position < text.size();) {
    const DecodedCodePoint decoded = decode_code_point(text, position);
    const std::int16_t byte = decoded.valid && decoded.code_point < kAlphabetEnd
                                  ? kAlphabet.byte[decoded.code_point]
                                  : kNoByte;
    if (byte == kNoByte) {
      bytes.resize(size_before);
      return false;
    }
    bytes.push_back(static_cast<char>(byte));
    position += decoded.length;
  }
  return true;
}

std::string to_byte_alphabet(std::string_view bytes) {
  std::string text;
  for (const char byte : bytes) {
    append_utf8(text, kAlphabet.character[static_cast<unsigned char>(byte)]);
  }
  return text;
}

}  // namespace rr::internal
