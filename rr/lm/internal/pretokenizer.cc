#include "rr/lm/internal/pretokenizer.h"

#include <utf8proc.h>

#include <array>
#include <cstdint>

#include "rr/base/check.h"
#include "rr/base/utf8.h"

namespace rr::internal {
namespace {

enum class CharClass : std::uint8_t {
  kLetter,   // \p{L}
  kNumber,   // \p{N}
  kSpace,    // \s without the two below
  kNewline,  // \r \n
  kOther,
  kEnd,  // no character: the end of the text
};

constexpr bool is_space(CharClass c) { return c == CharClass::kSpace || c == CharClass::kNewline; }

constexpr CharClass class_of_ascii(unsigned char c) {
  if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return CharClass::kLetter;
  if (c >= '0' && c <= '9') return CharClass::kNumber;
  if (c == '\r' || c == '\n') return CharClass::kNewline;
  if (c == ' ' || c == '\t' || c == '\v' || c == '\f') return CharClass::kSpace;
  return CharClass::kOther;
}

constexpr std::array<CharClass, 128> make_ascii_classes() {
  std::array<CharClass, 128> classes{};
  for (std::size_t i = 0; i < classes.size(); ++i) {
    classes[i] = class_of_ascii(static_cast<unsigned char>(i));
  }
  return classes;
}

constexpr std::array<CharClass, 128> kAsciiClasses = make_ascii_classes();

CharClass class_of_beyond_ascii(char32_t code_point) {
  if (code_point == 0x85) return CharClass::kSpace;  // NEXT LINE, White_Space though a control
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(code_point))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
      return CharClass::kLetter;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
      return CharClass::kNumber;
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
      return CharClass::kSpace;
    default:
      return CharClass::kOther;
  }
}

struct Char {
  CharClass kind;
  std::size_t end;  // of the character in the text
};

// Reads characters of one text and knows how the families' expressions walk over them.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  Char at(std::size_t position) const {
    if (position >= text_.size()) return {CharClass::kEnd, position};
    const auto byte = static_cast<unsigned char>(text_[position]);
    if (byte < 0x80) return {kAsciiClasses[byte], position + 1};
    const DecodedCodePoint decoded = decode_code_point(text_, position);
    return {class_of_beyond_ascii(decoded.code_point), position + decoded.length};
  }

  bool is_blank(std::size_t position) const { return text_[position] == ' '; }

  // The end of the run of characters of `kind` from `position`.
  std::size_t run_end(CharClass kind, std::size_t position) const {
    for (Char c = at(position); c.kind == kind; c = at(position)) position = c.end;
    return position;
  }

  std::size_t run_end(CharClass kind, std::size_t position, int most) const {
    for (Char c = at(position); c.kind == kind && most > 0; c = at(position), --most) {
      position = c.end;
    }
    return position;
  }

  // 's 't 're 've 'm 'll 'd, or `begin` where none stands there.
  std::size_t contraction_end(std::size_t begin, bool any_case) const;

  // \s+(?!\S)|\s+ : a run of white space leaves its last character to the word that follows.
  // Requires white space at `begin`. `number_ends`: a number counts as the end of the text.
  std::size_t space_end(std::size_t begin, bool number_ends) const;

  // \s*[\r\n]+ : up to the last line break in the white space, or `begin` where there is none.
  std::size_t line_break_end(std::size_t begin) const;

 private:
  char ascii_at(std::size_t position, bool any_case) const {
    if (position >= text_.size()) return '\0';
    const char c = text_[position];
    return any_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }

  std::string_view text_;
};

std::size_t Scanner::contraction_end(std::size_t begin, bool any_case) const {
  if (text_[begin] != '\'') return begin;
  const char first = ascii_at(begin + 1, any_case);
  if (first == 's' || first == 't' || first == 'm' || first == 'd') return begin + 2;
  const char second = ascii_at(begin + 2, any_case);
  if ((first == 'r' || first == 'v') && second == 'e') return begin + 3;
  if (first == 'l' && second == 'l') return begin + 3;
  // U+017F, the long s, is an "s" where case does not count.
  const bool is_long_s = any_case && text_.substr(begin + 1, 2) == "\xC5\xBF";
  return is_long_s ? begin + 3 : begin;
}

std::size_t Scanner::space_end(std::size_t begin, bool number_ends) const {
  std::size_t last_begin = begin;
  Char c = at(begin);
  std::size_t end = begin;
  while (is_space(c.kind)) {
    last_begin = end;
    end = c.end;
    c = at(end);
  }
  const bool at_end = c.kind == CharClass::kEnd || (number_ends && c.kind == CharClass::kNumber);
  return at_end || last_begin == begin ? end : last_begin;
}

std::size_t Scanner::line_break_end(std::size_t begin) const {
  std::size_t end = begin;
  for (Char c = at(begin); is_space(c.kind); c = at(c.end)) {
    if (c.kind == CharClass::kNewline) end = c.end;
  }
  return end;
}

std::size_t gpt2_word_end(const Scanner& scanner, std::size_t begin, bool digits_apart) {
  if (const std::size_t end = scanner.contraction_end(begin, false); end > begin) return end;
  const Char first = scanner.at(begin);
  if (digits_apart && first.kind == CharClass::kNumber) return first.end;
  const bool blank_first = scanner.is_blank(begin);
  const Char body = blank_first ? scanner.at(first.end) : first;
  const bool is_word = body.kind == CharClass::kLetter || body.kind == CharClass::kOther ||
                       (body.kind == CharClass::kNumber && !digits_apart);
  if (is_word) return scanner.run_end(body.kind, body.end);
  return scanner.space_end(begin, digits_apart);
}

std::size_t llama3_word_end(const Scanner& scanner, std::size_t begin, int most_digits) {
  if (const std::size_t end = scanner.contraction_end(begin, true); end > begin) return end;
  const Char first = scanner.at(begin);
  if (first.kind == CharClass::kLetter) return scanner.run_end(CharClass::kLetter, first.end);
  if (first.kind == CharClass::kNumber) {
    return scanner.run_end(CharClass::kNumber, begin, most_digits);
  }
  const Char second = scanner.at(first.end);
  if (first.kind != CharClass::kNewline && second.kind == CharClass::kLetter) {
    return scanner.run_end(CharClass::kLetter, second.end);
  }
  const bool is_punctuation = first.kind == CharClass::kOther ||
                              (scanner.is_blank(begin) && second.kind == CharClass::kOther);
  if (is_punctuation) {
    const std::size_t end = scanner.run_end(CharClass::kOther, first.end);
    return scanner.run_end(CharClass::kNewline, end);
  }
  if (const std::size_t end = scanner.line_break_end(begin); end > begin) return end;
  return scanner.space_end(begin, false);
}

struct GgufName {
  std::string_view name;
  Pretokenizer pretokenizer;
};

// Names under which GGUF converters write these four.
constexpr GgufName kGgufNames[] = {
    {"gpt-2", Pretokenizer::kGpt2},
    {"smollm", Pretokenizer::kSmolLm},
    {"llama-bpe", Pretokenizer::kLlama3},
    {"llama3", Pretokenizer::kLlama3},
    {"llama-v3", Pretokenizer::kLlama3},
    {"qwen2", Pretokenizer::kQwen2},
    {"deepseek-r1-qwen", Pretokenizer::kQwen2},
};

}  // namespace

std::string_view pretokenizer_name(Pretokenizer pretokenizer) {
  switch (pretokenizer) {
    case Pretokenizer::kGpt2:
      return "gpt-2";
    case Pretokenizer::kSmolLm:
      return "smollm";
    case Pretokenizer::kLlama3:
      return "llama-3";
    case Pretokenizer::kQwen2:
      return "qwen2";
  }
  RR_CHECK(false, "a pre-tokenizer of the enumeration");
}

std::string known_pretokenizers() { return "gpt-2, smollm, llama-3, qwen2"; }

std::optional<Pretokenizer> pretokenizer_of_gguf(std::string_view name) {
  for (const GgufName& known : kGgufNames) {
    if (known.name == name) return known.pretokenizer;
  }
  return std::nullopt;
}

std::string_view pretokenizer_pattern(Pretokenizer pretokenizer) {
  switch (pretokenizer) {
    case Pretokenizer::kGpt2:
    case Pretokenizer::kSmolLm:
      return R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
    case Pretokenizer::kLlama3:
      return R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|)"
             R"( ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
    case Pretokenizer::kQwen2:
      return R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|)"
             R"( ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
  }
  RR_CHECK(false, "a pre-tokenizer of the enumeration");
}

std::size_t word_end(Pretokenizer pretokenizer, std::string_view text, std::size_t begin) {
  const Scanner scanner(text);
  switch (pretokenizer) {
    case Pretokenizer::kGpt2:
      return gpt2_word_end(scanner, begin, false);
    case Pretokenizer::kSmolLm:
      return gpt2_word_end(scanner, begin, true);
    case Pretokenizer::kLlama3:
      return llama3_word_end(scanner, begin, 3);
    case Pretokenizer::kQwen2:
      return llama3_word_end(scanner, begin, 1);
  }
  RR_CHECK(false, "a pre-tokenizer of the enumeration");
}

std::vector<std::string_view> split_words(Pretokenizer pretokenizer, std::string_view text) {
  std::vector<std::string_view> words;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = word_end(pretokenizer, text, begin);
    words.push_back(text.substr(begin, end - begin));
    begin = end;
  }
  return words;
}

}  // namespace rr::internal
