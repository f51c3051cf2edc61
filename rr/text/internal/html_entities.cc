#include "rr/text/internal/html_entities.h"

#include <utf8proc.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "rr/text/internal/code_pages.h"
#include "rr/text/internal/html_entity_table.h"

namespace rr::internal {
namespace {

constexpr std::size_t kLongestName = 24;

using EntityTable = std::unordered_map<std::string_view, std::u32string>;

std::u32string parse_code_points(std::string_view hex) {
  std::u32string text;
  const char* const end = hex.data() + hex.size();
  for (const char* position = hex.data(); position < end; ++position) {  // ++ skips the '+'
    std::uint32_t code_point = 0;
    position = std::from_chars(position, end, code_point, 16).ptr;
    text.push_back(code_point);
  }
  return text;
}

EntityTable parse_entities(std::string_view list) {
  EntityTable entities;
  while (!list.empty()) {
    const std::size_t blank = std::min(list.find(' '), list.size() - 1);
    const std::string_view entry = list.substr(0, list[blank] == ' ' ? blank : blank + 1);
    const std::size_t equals = entry.find('=');
    entities.emplace(entry.substr(0, equals), parse_code_points(entry.substr(equals + 1)));
    list.remove_prefix(blank + 1);
  }
  return entities;
}

const EntityTable& entity_table() {
  static const EntityTable table = parse_entities(kHtmlEntities);
  return table;
}

bool is_ascii_digit(char32_t c) { return c >= U'0' && c <= U'9'; }
bool is_ascii_upper(char32_t c) { return c >= U'A' && c <= U'Z'; }
bool is_ascii_lower(char32_t c) { return c >= U'a' && c <= U'z'; }
bool is_alphanumeric(char32_t c) {
  return is_ascii_digit(c) || is_ascii_upper(c) || is_ascii_lower(c);
}

// Capitals as Python's str.upper() gives them, for the characters that entities name.
std::u32string in_capitals(std::u32string_view text) {
  std::u32string capitals;
  for (const char32_t c : text) {
    switch (c) {
      case 0x00DF:
        capitals.append(U"SS");
        break;
      case 0x0149:
        capitals.append(U"\u02BCN");
        break;
      case 0xFB00:
        capitals.append(U"FF");
        break;
      case 0xFB01:
        capitals.append(U"FI");
        break;
      case 0xFB02:
        capitals.append(U"FL");
        break;
      case 0xFB03:
        capitals.append(U"FFI");
        break;
      case 0xFB04:
        capitals.append(U"FFL");
        break;
      default:
        capitals.push_back(
            static_cast<char32_t>(utf8proc_toupper(static_cast<utf8proc_int32_t>(c))));
    }
  }
  return capitals;
}

// A name in capitals that HTML5 has only in small letters. Names that start with one of those that
// browsers read without ';' ("&LTCC;" is "<CC;" to them) are left alone.
std::optional<std::u32string> find_in_capitals(std::string_view name) {
  constexpr std::string_view kReadWithoutSemicolon[] = {"AMP", "COPY", "ETH", "GT",
                                                        "LT",  "QUOT", "REG", "THORN"};
  for (const std::string_view prefix : kReadWithoutSemicolon) {
    if (name.starts_with(prefix)) return std::nullopt;
  }
  std::string small(name);
  for (char& c : small) {
    if (c >= 'a' && c <= 'z') return std::nullopt;
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  const auto found = entity_table().find(small);
  if (found == entity_table().end()) return std::nullopt;
  return in_capitals(found->second);
}

std::optional<std::u32string> find_named(std::string_view name) {
  const auto found = entity_table().find(name);
  if (found != entity_table().end()) return found->second;
  return find_in_capitals(name);
}

// Code points that the HTML standard calls parse errors and that Python's html.unescape drops.
bool is_dropped(char32_t c) {
  const bool is_control =
      (c >= 0x01 && c <= 0x08) || c == 0x0B || (c >= 0x0E && c <= 0x1F) || (c >= 0x7F && c <= 0x9F);
  const bool is_noncharacter = (c >= 0xFDD0 && c <= 0xFDEF) || (c & 0xFFFE) == 0xFFFE;
  return is_control || is_noncharacter;
}

// What "&#number;" stands for, by the HTML standard's rules for numeric references.
std::u32string numbered_character(char32_t number) {
  if (number == 0 || number > 0x10FFFF || (number >= 0xD800 && number <= 0xDFFF)) return U"\uFFFD";
  if (number >= 0x80 && number <= 0x9F) {
    return {decoded_windows_1252(static_cast<unsigned char>(number))};
  }
  if (is_dropped(number)) return {};
  return {number};
}

// `digits`: "38" or "x26". Nothing for a malformed number, and for ';' itself: ftfy takes a
// semicolon in the result as a sign that the reference was malformed.
std::optional<std::u32string> find_numbered(std::string_view digits) {
  const bool is_hex = digits.starts_with('x') || digits.starts_with('X');
  if (is_hex) digits.remove_prefix(1);
  if (digits.empty()) return std::nullopt;
  const char* const end = digits.data() + digits.size();
  std::uint32_t number = 0;
  const auto [stop, error] = std::from_chars(digits.data(), end, number, is_hex ? 16 : 10);
  if (stop != end || error == std::errc::invalid_argument) return std::nullopt;
  if (error == std::errc::result_out_of_range) number = 0xFFFFFFFF;
  if (number == U';') return std::nullopt;
  return numbered_character(number);
}

// "#38" or "amp" where "&#38;" or "&amp;" starts at `position`, else empty.
std::string entity_body(std::u32string_view text, std::size_t position) {
  std::size_t end = position + 1;
  std::string body;
  if (end < text.size() && text[end] == U'#') {
    body.push_back('#');
    ++end;
  }
  const std::size_t start = end;
  while (end < text.size() && end - start <= kLongestName && is_alphanumeric(text[end])) {
    body.push_back(static_cast<char>(text[end++]));
  }
  const std::size_t length = end - start;
  const bool is_closed = end < text.size() && text[end] == U';';
  return is_closed && length >= 1 && length <= kLongestName ? body : std::string();
}

}  // namespace

void unescape_html(std::u32string& text) {
  std::u32string fixed;
  fixed.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const std::string body = text[i] == U'&' ? entity_body(text, i) : std::string();
    std::optional<std::u32string> meaning;
    if (!body.empty()) {
      meaning = body[0] == '#' ? find_numbered(std::string_view(body).substr(1)) : find_named(body);
    }
    if (meaning) {
      fixed.append(*meaning);
      i += body.size() + 2;  // with '&' and ';'
    } else {
      fixed.push_back(text[i++]);
    }
  }
  text = std::move(fixed);
}

}  // namespace rr::internal
