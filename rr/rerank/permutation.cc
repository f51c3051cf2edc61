#include "rr/rerank/permutation.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "rr/base/utf8.h"
#include "rr/rerank/internal/python_text.h"

namespace rr {
namespace {

using internal::DigitClass;

constexpr std::string_view kKelvinSign = "\xE2\x84\xAA";

// Bytes of `text` at `position` that str.lower() makes the ASCII letter or sign `wanted`; 0: they
// do not. Beside A-Z only the Kelvin sign lowers to one ASCII character.
std::size_t match_lowered(std::string_view text, std::size_t position, char wanted) {
  if (position >= text.size()) return 0;
  const char c = text[position];
  const char lowered = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  if (lowered == wanted) return 1;
  return wanted == 'k' && text.substr(position).starts_with(kKelvinSign) ? kKelvinSign.size() : 0;
}

// A tag in any case, as it stands in the text.
struct Tag {
  std::size_t begin;
  std::size_t end;
};

std::optional<Tag> match_tag(std::string_view text, std::size_t position, std::string_view tag,
                             TagCase tag_case) {
  if (tag_case == TagCase::kExact) {
    if (!text.substr(position).starts_with(tag)) return std::nullopt;
    return Tag{position, position + tag.size()};
  }
  std::size_t end = position;
  for (const char wanted : tag) {
    const std::size_t length = match_lowered(text, end, wanted);
    if (length == 0) return std::nullopt;
    end += length;
  }
  return Tag{position, end};
}

std::optional<Tag> find_tag(std::string_view text, std::size_t from, std::string_view tag,
                            TagCase tag_case = TagCase::kAny) {
  for (std::size_t at = text.find('<', from); at != text.npos; at = text.find('<', at + 1)) {
    if (const auto found = match_tag(text, at, tag, tag_case)) return found;
  }
  return std::nullopt;
}

std::size_t skip_space(std::string_view text, std::size_t position) {
  while (position < text.size()) {
    const DecodedCodePoint decoded = decode_code_point(text, position);
    if (!internal::is_space(decoded.code_point)) break;
    position += decoded.length;
  }
  return position;
}

// What a reader takes for the thoughts in a reply off its form.
std::string_view without_think_tags(std::string_view text) {
  if (const auto open = find_tag(text, 0, "<think>")) text.remove_prefix(open->end);
  if (const auto close = find_tag(text, 0, "</think>")) text = text.substr(0, close->begin);
  return internal::strip(text);
}

// The value of a number that goes on with a digit, as large as fits.
std::size_t with_digit(std::size_t value, std::size_t digit) {
  constexpr std::size_t kCap = std::numeric_limits<std::size_t>::max() / 16;
  return std::min(value * 10 + digit, kCap);
}

struct ReadIdentifiers {
  std::vector<std::size_t> identifiers;  // as written; the largest value stands for all above it
  std::size_t digit_like = 0;
};

ReadIdentifiers read_identifiers(std::string_view text) {
  ReadIdentifiers read;
  bool inside = false;
  for (std::size_t at = 0; at < text.size();) {
    const DecodedCodePoint decoded = decode_code_point(text, at);
    at += decoded.length;
    const DigitClass digit = internal::classify_digit(decoded.code_point);
    const bool is_decimal = digit.kind == DigitClass::Kind::kDecimal;
    if (is_decimal && !inside) read.identifiers.push_back(0);
    if (is_decimal) {
      std::size_t& value = read.identifiers.back();
      value = with_digit(value, digit.value);
    }
    if (digit.kind == DigitClass::Kind::kDigitLike) ++read.digit_like;
    inside = is_decimal;
  }
  return read;
}

// Fills the order from the identifiers, then with what they leave out.
void put_in_order(const std::vector<std::size_t>& identifiers, std::size_t window_size,
                  ParsedPermutation& parsed) {
  std::vector<bool> named(window_size, false);
  parsed.order.reserve(window_size);
  for (const std::size_t identifier : identifiers) {
    if (identifier < 1 || identifier > window_size) {
      ++parsed.out_of_range;
    } else if (named[identifier - 1]) {
      ++parsed.duplicated;
    } else {
      named[identifier - 1] = true;
      parsed.order.push_back(identifier - 1);
    }
  }
  parsed.missing = window_size - parsed.order.size();
  for (std::size_t i = 0; i < window_size; ++i) {
    if (!named[i]) parsed.order.push_back(i);
  }
}

}  // namespace

// <think>.*?</think>\s*<answer>(.*?)</answer>, leftmost and lazy. Where the first <think> cannot
// match, no later one can: each has fewer closing tags after it.
std::optional<ReplyParts> find_reply_form(std::string_view reply, TagCase tag_case) {
  const auto think = find_tag(reply, 0, "<think>", tag_case);
  if (!think) return std::nullopt;
  for (auto close = find_tag(reply, think->end, "</think>", tag_case); close;
       close = find_tag(reply, close->end, "</think>", tag_case)) {
    const auto answer = match_tag(reply, skip_space(reply, close->end), "<answer>", tag_case);
    if (!answer) continue;
    const auto end = find_tag(reply, answer->end, "</answer>", tag_case);
    if (!end) return std::nullopt;
    return ReplyParts{
        internal::strip(reply.substr(think->end, close->begin - think->end)),
        internal::strip(reply.substr(answer->end, end->begin - answer->end)),
        true,
    };
  }
  return std::nullopt;
}

std::optional<std::vector<std::size_t>> read_strict_order(std::string_view answer,
                                                          std::size_t window_size) {
  std::vector<std::size_t> order;
  std::vector<bool> named(window_size, false);
  for (std::size_t at = 0;; ++at) {
    if (at >= answer.size() || answer[at] != '[') return std::nullopt;
    if (++at >= answer.size() || answer[at] == '0') return std::nullopt;
    std::size_t identifier = 0;
    for (; at < answer.size() && answer[at] >= '0' && answer[at] <= '9'; ++at) {
      identifier = with_digit(identifier, static_cast<std::size_t>(answer[at] - '0'));
    }
    if (at >= answer.size() || answer[at] != ']') return std::nullopt;
    if (identifier < 1 || identifier > window_size || named[identifier - 1]) return std::nullopt;
    named[identifier - 1] = true;
    order.push_back(identifier - 1);
    if (++at == answer.size()) break;
    at = skip_space(answer, at);
    if (at >= answer.size() || answer[at] != '>') return std::nullopt;
    at = skip_space(answer, at + 1) - 1;
  }
  if (order.size() != window_size) return std::nullopt;
  return order;
}

std::vector<NumberText> number_texts(std::string_view answer) {
  std::vector<NumberText> numbers;
  std::size_t start = 0;
  bool inside = false;
  for (std::size_t at = 0; at < answer.size();) {
    const DecodedCodePoint decoded = decode_code_point(answer, at);
    const DigitClass digit = internal::classify_digit(decoded.code_point);
    const bool is_digit = digit.kind != DigitClass::Kind::kNone;
    if (is_digit && !inside) {
      start = at;
      numbers.push_back({{}, 0});
    }
    at += decoded.length;
    inside = is_digit;
    if (!is_digit) continue;
    NumberText& number = numbers.back();
    number.text = answer.substr(start, at - start);
    if (digit.kind == DigitClass::Kind::kDigitLike) number.value.reset();
    if (number.value) number.value = with_digit(*number.value, digit.value);
  }
  return numbers;
}

ReplyParts split_reply(std::string_view reply, AnswerFormat format) {
  if (format == AnswerFormat::kWhole) return {{}, internal::strip(reply), true};
  if (const auto parts = find_reply_form(reply, TagCase::kAny)) return *parts;
  constexpr std::string_view kOpen = "<answer>";
  if (const std::size_t open = reply.rfind(kOpen); open != reply.npos) {
    return {without_think_tags(reply.substr(0, open)),
            internal::strip(reply.substr(open + kOpen.size())), true};
  }
  return {without_think_tags(reply), internal::strip(reply), false};
}

ParsedPermutation parse_permutation(std::string_view reply, std::size_t window_size,
                                    const ParseOptions& options) {
  const ReplyParts parts = split_reply(reply, options.format);
  const bool published = options.rule == ParserRule::kPublished;
  ParsedPermutation parsed;
  parsed.no_answer = !parts.has_answer;
  ReadIdentifiers read;
  if (parts.has_answer || published) read = read_identifiers(parts.answer);
  parsed.digit_like = read.digit_like;
  // Python's int() raises on such a character, and the published loop then keeps the window.
  if (published && read.digit_like > 0) read.identifiers.clear();
  put_in_order(read.identifiers, window_size, parsed);
  return parsed;
}

}  // namespace rr
