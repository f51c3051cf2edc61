#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rr::internal {

enum class PageKind {
  kPlain,
  // Pages of Windows, with the bytes that Windows leaves free read as Latin-1 reads them, and byte
  // 0x1A for U+FFFD: for characters that a stricter program has already lost.
  kSloppy,
  // Here a lead byte and a blank are an en dash and a blank, and no sign of a lost byte A0.
  kMacRoman,
};

// A one-byte encoding that text may have been read with by mistake. Bytes below 0x80 are ASCII.
class CodePage {
 public:
  // upper_half: what bytes 0x80 to 0xFF stand for, all different.
  CodePage(std::u16string_view upper_half, PageKind kind);

  PageKind kind() const { return kind_; }

  // The bytes that `text` was read from, nullopt where it holds a character that no byte gives.
  std::optional<std::string> encode(std::u32string_view text) const;

 private:
  std::optional<char> byte_of(char32_t c) const;

  std::vector<std::pair<char16_t, unsigned char>> bytes_;  // of the upper half, by character
  PageKind kind_;
};

// The pages to try, in order (CHARMAP_ENCODINGS of ftfy 6.3.1): Latin-1, Windows-1252, 1251, 1250,
// 1253, 1254, 1257, ISO-8859-2, MacRoman, code page 437. Made at the first call.
std::span<const CodePage> code_pages();

// What Windows-1252 has for `byte`; the byte itself where it leaves that free. Requires 0x80 to
// 0x9F.
char32_t decoded_windows_1252(unsigned char byte);

// Whether Windows-1252 leaves `byte` free: 0x81, 0x8D, 0x8F, 0x90, 0x9D.
bool is_free_in_windows_1252(char32_t byte);

}  // namespace rr::internal
