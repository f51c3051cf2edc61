#include "rr/base/utf8.h"

#include <cstdint>
#include <cstring>

#include "rr/base/check.h"

namespace rr {
namespace {

// What may follow a lead byte: the sequence's length and the range of its second byte.
struct Lead {
  unsigned char length;  // 0: no lead byte
  unsigned char second_min;
  unsigned char second_max;
};

Lead lead_of(unsigned char byte) {
  if (byte < 0x80) return {1, 0, 0};
  if (byte < 0xC2) return {0, 0, 0};
  if (byte < 0xE0) return {2, 0x80, 0xBF};
  if (byte == 0xE0) return {3, 0xA0, 0xBF};
  if (byte == 0xED) return {3, 0x80, 0x9F};
  if (byte < 0xF0) return {3, 0x80, 0xBF};
  if (byte == 0xF0) return {4, 0x90, 0xBF};
  if (byte < 0xF4) return {4, 0x80, 0xBF};
  if (byte == 0xF4) return {4, 0x80, 0x8F};
  return {0, 0, 0};
}

unsigned char byte_at(std::string_view text, std::size_t position) {
  return static_cast<unsigned char>(text[position]);
}

// Length of the longest prefix of a well-formed sequence that stands at `position`.
std::size_t well_formed_prefix(std::string_view text, std::size_t position, const Lead& lead) {
  std::size_t length = 1;
  while (length < lead.length && position + length < text.size()) {
    const unsigned char next = byte_at(text, position + length);
    const unsigned char low = length == 1 ? lead.second_min : 0x80;
    const unsigned char high = length == 1 ? lead.second_max : 0xBF;
    if (next < low || next > high) break;
    ++length;
  }
  return length;
}

std::size_t ascii_prefix(std::string_view text, std::size_t position) {
  std::size_t end = position;
  while (end + 8 <= text.size()) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data() + end, 8);
    if ((word & 0x8080808080808080u) != 0) break;
    end += 8;
  }
  while (end < text.size() && byte_at(text, end) < 0x80) ++end;
  return end - position;
}

}  // namespace

DecodedCodePoint decode_code_point(std::string_view text, std::size_t position) {
  const unsigned char first = byte_at(text, position);
  const Lead lead = lead_of(first);
  if (lead.length == 1) return {first, 1, true};
  if (lead.length == 0) return {0xFFFD, 1, false};
  const std::size_t length = well_formed_prefix(text, position, lead);
  if (length < lead.length) return {0xFFFD, length, false};
  char32_t code_point = first & (0x7Fu >> lead.length);
  for (std::size_t i = 1; i < length; ++i) {
    code_point = (code_point << 6) | (byte_at(text, position + i) & 0x3Fu);
  }
  return {code_point, length, true};
}

bool is_valid_utf8(std::string_view bytes) {
  std::size_t position = ascii_prefix(bytes, 0);
  while (position < bytes.size()) {
    const DecodedCodePoint decoded = decode_code_point(bytes, position);
    if (!decoded.valid) return false;
    position += decoded.length;
    position += ascii_prefix(bytes, position);
  }
  return true;
}

std::string_view without_byte_order_marks(std::string_view text) {
  constexpr std::string_view kMark = "\xEF\xBB\xBF";
  while (text.starts_with(kMark)) text.remove_prefix(kMark.size());
  return text;
}

RepairedUtf8 repair_utf8(std::string_view bytes) {
  RepairedUtf8 result;
  result.text.reserve(bytes.size());
  std::size_t position = 0;
  while (position < bytes.size()) {
    if (const std::size_t ascii = ascii_prefix(bytes, position); ascii > 0) {
      result.text.append(bytes, position, ascii);
      position += ascii;
      continue;
    }
    const DecodedCodePoint decoded = decode_code_point(bytes, position);
    if (decoded.valid) {
      result.text.append(bytes, position, decoded.length);
    } else {
      result.text.append("\xEF\xBF\xBD");
      ++result.replaced;
    }
    position += decoded.length;
  }
  return result;
}

void append_utf8(std::string& text, char32_t code_point) {
  RR_CHECK(code_point <= 0x10FFFF && (code_point < 0xD800 || code_point > 0xDFFF),
           "append_utf8 needs a Unicode scalar value");
  const auto put = [&text](char32_t byte) { text.push_back(static_cast<char>(byte)); };
  if (code_point < 0x80) {
    put(code_point);
  } else if (code_point < 0x800) {
    put(0xC0 | (code_point >> 6));
    put(0x80 | (code_point & 0x3F));
  } else if (code_point < 0x10000) {
    put(0xE0 | (code_point >> 12));
    put(0x80 | ((code_point >> 6) & 0x3F));
    put(0x80 | (code_point & 0x3F));
  } else {
    put(0xF0 | (code_point >> 18));
    put(0x80 | ((code_point >> 12) & 0x3F));
    put(0x80 | ((code_point >> 6) & 0x3F));
    put(0x80 | (code_point & 0x3F));
  }
}

std::size_t incomplete_utf8_tail(std::string_view text) {
  const std::size_t longest = text.size() < 3 ? text.size() : 3;
  for (std::size_t back = 1; back <= longest; ++back) {
    const std::size_t position = text.size() - back;
    const unsigned char byte = byte_at(text, position);
    if ((byte & 0xC0) == 0x80) continue;  // a continuation byte: its lead stands further left
    const Lead lead = lead_of(byte);
    const bool may_go_on = lead.length > back && well_formed_prefix(text, position, lead) == back;
    return may_go_on ? back : 0;
  }
  return 0;
}

}  // namespace rr
