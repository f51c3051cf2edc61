#include "rr/lm/internal/pretokenizer.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pcre2.h>
#include <utf8proc.h>

#include <memory>
#include <string>
#include <vector>

#include "rr/base/random.h"
#include "rr/base/utf8.h"

namespace rr::internal {
namespace {

using testing::ElementsAre;
using Words = std::vector<std::string_view>;

constexpr Pretokenizer kAll[] = {Pretokenizer::kGpt2, Pretokenizer::kSmolLm, Pretokenizer::kLlama3,
                                 Pretokenizer::kQwen2};

// The published expressions, matched by PCRE2 with its own Unicode tables. Its one known difference
// is U+180E, which it counts as \s.
class Expression {
 public:
  explicit Expression(std::string_view pattern) {
    int error = 0;
    PCRE2_SIZE offset = 0;
    code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                              PCRE2_UTF | PCRE2_UCP | PCRE2_ANCHORED, &error, &offset, nullptr));
    match_.reset(pcre2_match_data_create_from_pattern(code_.get(), nullptr));
  }

  // The end of the match at `begin`; `begin` where there is none.
  std::size_t match_end(std::string_view text, std::size_t begin) {
    const int found = pcre2_match(code_.get(), reinterpret_cast<PCRE2_SPTR>(text.data()),
                                  text.size(), begin, 0, match_.get(), nullptr);
    return found < 0 ? begin : pcre2_get_ovector_pointer(match_.get())[1];
  }

  // Consecutive matches from the start of `text`.
  void append_matches(std::string_view text, Words& words) {
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t end = match_end(text, begin);
      ASSERT_GT(end, begin) << "no match in " << text;
      words.push_back(text.substr(begin, end - begin));
      begin = end;
    }
  }

 private:
  struct Free {
    void operator()(pcre2_code* code) const { pcre2_code_free(code); }
    void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
  };
  std::unique_ptr<pcre2_code, Free> code_;
  std::unique_ptr<pcre2_match_data, Free> match_;
};

class ReferenceSplit {
 public:
  explicit ReferenceSplit(Pretokenizer pretokenizer)
      : single_digits_(pretokenizer == Pretokenizer::kSmolLm),
        pattern_(pretokenizer_pattern(pretokenizer)) {}

  Words words(std::string_view text) {
    Words words;
    std::size_t begin = 0;
    for (std::size_t at = 0; single_digits_ && at < text.size();) {
      const std::size_t digit_end = number_.match_end(text, at);
      if (digit_end > at) {
        pattern_.append_matches(text.substr(begin, at - begin), words);
        words.push_back(text.substr(at, digit_end - at));
        begin = digit_end;
      }
      at = digit_end > at ? digit_end : at + decode_code_point(text, at).length;
    }
    pattern_.append_matches(text.substr(begin), words);
    return words;
  }

 private:
  bool single_digits_;
  Expression pattern_;
  Expression number_{R"(\p{N})"};
};

// What pre-tokenizers stumble over: contractions, runs of white space, line ends, numbers of all
// kinds, letters beyond ASCII, marks, symbols, characters of every length in bytes.
const std::vector<std::string> kNasty = {
    "'",          "'s",         "'S",         "'re",        "'VE",
    "'ll",        "'lL",        "'d",         "\u017F",     "l",
    "L",          "e",          "v",          "r",          "t",
    "m",          "a",          "Z",          " ",          " ",
    "  ",         "\t",         "\n",         "\r",         "\r\n",
    "\v",         "\f",         "\u0085",     "\u00A0",     "\u1680",
    "\u2003",     "\u2028",     "\u202F",     "\u3000",     "\u200B",
    "\uFEFF",     "0",          "7",          "12",         "1234",
    "\u00BD",     "\u2167",     "\uFF11",     "\u0663",     "\u00B2",
    "!",          "?",          ".",          "_",          "-",
    "(",          "\"",         "$",          "\u20AC",     "\u4E2D",
    "\u3042",     "\uAC00",     "\u00E9",     "\u0301",     "\u00DF",
    "\u0915",     "\u093F",     "\u01C5",     "\u02B0",     "\u00AA",
    "\U0001F999", "\U00010437", "\U0001D7D8", "\U000F0000", std::string(1, '\0'),
    "\x01",       "\x7F",       "\x1C"};

std::string nasty_text(RandomStream& random) {
  const std::size_t length = 1 + random.below(24);
  const std::size_t few = random.below(4) == 0 ? 4 : kNasty.size();  // of few kinds: longer runs
  const std::size_t first = random.below(kNasty.size());
  std::string text;
  for (std::size_t i = 0; i < length; ++i) {
    text += kNasty[(first + random.below(few)) % kNasty.size()];
  }
  return text;
}

TEST(Pretokenizer, CutsAsThePublishedExpressionOnRandomText) {
  for (const Pretokenizer pretokenizer : kAll) {
    ReferenceSplit reference(pretokenizer);
    RandomStream random(17, static_cast<std::uint64_t>(pretokenizer));
    for (int i = 0; i < 30000; ++i) {
      const std::string text = nasty_text(random);
      ASSERT_EQ(split_words(pretokenizer, text), reference.words(text))
          << pretokenizer_name(pretokenizer) << " on " << testing::PrintToString(text);
    }
  }
}

TEST(Pretokenizer, CutsAtEveryKindOfCharacterAsTheExpression) {
  for (const Pretokenizer pretokenizer : kAll) {
    ReferenceSplit reference(pretokenizer);
    // Up to the ideographs: nearly all kinds of characters, and every kind of white space.
    for (char32_t c = 1; c < 0x3100; ++c) {
      // What one library's Unicode has not yet may be a letter to the other's.
      const bool is_assigned =
          utf8proc_category(static_cast<utf8proc_int32_t>(c)) != UTF8PROC_CATEGORY_CN;
      if (c == 0x180E || !is_assigned) continue;
      std::string text = "a ";
      append_utf8(text, c);
      text += "b1";
      append_utf8(text, c);
      text += " .";
      append_utf8(text, c);
      ASSERT_EQ(split_words(pretokenizer, text), reference.words(text))
          << pretokenizer_name(pretokenizer) << " on U+" << std::hex << static_cast<unsigned>(c);
    }
  }
}

TEST(Pretokenizer, LeavesTheLastBlankToTheNextWord) {
  EXPECT_THAT(split_words(Pretokenizer::kGpt2, "a   b  "), ElementsAre("a", "  ", " b", "  "));
  EXPECT_THAT(split_words(Pretokenizer::kQwen2, "a   b  "), ElementsAre("a", "  ", " b", "  "));
  EXPECT_THAT(split_words(Pretokenizer::kGpt2, "a\n\nb"), ElementsAre("a", "\n", "\n", "b"));
  EXPECT_THAT(split_words(Pretokenizer::kQwen2, "a\n\nb"), ElementsAre("a", "\n\n", "b"));
}

TEST(Pretokenizer, GroupsDigitsAsTheFamilyDoes) {
  constexpr std::string_view kText = "in 2024";
  EXPECT_THAT(split_words(Pretokenizer::kGpt2, kText), ElementsAre("in", " 2024"));
  EXPECT_THAT(split_words(Pretokenizer::kLlama3, kText), ElementsAre("in", " ", "202", "4"));
  EXPECT_THAT(split_words(Pretokenizer::kQwen2, kText), ElementsAre("in", " ", "2", "0", "2", "4"));
  EXPECT_THAT(split_words(Pretokenizer::kSmolLm, kText),
              ElementsAre("in", " ", "2", "0", "2", "4"));
}

TEST(Pretokenizer, KnowsTheNamesThatGgufFilesUse) {
  EXPECT_EQ(pretokenizer_of_gguf("llama-bpe"), Pretokenizer::kLlama3);
  EXPECT_EQ(pretokenizer_of_gguf("smollm"), Pretokenizer::kSmolLm);
  EXPECT_EQ(pretokenizer_of_gguf("tekken"), std::nullopt);
}

}  // namespace
}  // namespace rr::internal
