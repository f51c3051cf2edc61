#include "rr/report/internal/html.h"

#include <cstdint>

#include "rr/base/sha256.h"
#include "rr/base/utf8.h"

namespace rr::internal {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

std::string_view reference_of(char c) {
  switch (c) {
    case '&':
      return "&amp;";
    case '<':
      return "&lt;";
    case '>':
      return "&gt;";
    case '"':
      return "&quot;";
    case '\'':
      return "&#39;";
    default:
      return {};
  }
}

bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && c != '\t' && c != '\n') || byte == 0x7F;
}

std::uint32_t digit_value(char hex) {
  return static_cast<std::uint32_t>(hex <= '9' ? hex - '0' : hex - 'a' + 10);
}

// Of hexadecimal digits, an even number.
std::string base64_of_hex(std::string_view hex) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < hex.size(); i += 6) {
    std::uint32_t bits = 0;  // three bytes are six hexadecimal digits are four of base 64
    for (std::size_t j = 0; j < 6; ++j) {
      bits = bits << 4 | (i + j < hex.size() ? digit_value(hex[i + j]) : 0);
    }
    for (std::size_t j = 0; j < 4; ++j) {
      const bool is_padding = i + j * 3 / 2 >= hex.size();
      text += is_padding ? '=' : kDigits[bits >> (18 - 6 * j) & 63];
    }
  }
  return text;
}

}  // namespace

std::string html_text(std::string_view text) {
  std::string repaired;
  if (!is_valid_utf8(text)) {
    repaired = repair_utf8(text).text;
    text = repaired;
  }
  std::string html;
  html.reserve(text.size());
  for (const char c : text) {
    if (const std::string_view reference = reference_of(c); !reference.empty()) {
      html += reference;
    } else if (is_control(c)) {
      html += kReplacement;
    } else {
      html += c;
    }
  }
  return html;
}

std::string json_in_html(const Json& json) {
  std::string html;
  for (const char c : to_json_line(json)) {
    // These stand only inside strings, where an escape means the same.
    if (c == '<') {
      html += "\\u003c";
    } else if (c == '>') {
      html += "\\u003e";
    } else if (c == '&') {
      html += "\\u0026";
    } else {
      html += c;
    }
  }
  return html;
}

std::string csp_hash(std::string_view source) {
  return "sha256-" + base64_of_hex(sha256_hex(source));
}

}  // namespace rr::internal
