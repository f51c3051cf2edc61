#include "rr/base/utf8.h"

#include <gtest/gtest.h>

namespace rr {
namespace {

constexpr const char* kReplacement = "\xEF\xBF\xBD";

TEST(Utf8, AcceptsEveryLengthAndRefusesIllFormedSequences) {
  EXPECT_TRUE(is_valid_utf8(""));
  EXPECT_TRUE(is_valid_utf8("plain, \xC3\xA4, \xE2\x82\xAC, \xF0\x9F\x98\x80, \xF4\x8F\xBF\xBF"));
  EXPECT_FALSE(is_valid_utf8("\xC0\xAF")) << "overlong";
  EXPECT_FALSE(is_valid_utf8("\xED\xA0\x80")) << "surrogate";
  EXPECT_FALSE(is_valid_utf8("\xF4\x90\x80\x80")) << "above U+10FFFF";
  EXPECT_FALSE(is_valid_utf8("abcdefgh\xE2\x82")) << "cut off";
}

TEST(Utf8, LeavesOutByteOrderMarksAtTheStart) {
  EXPECT_EQ(without_byte_order_marks("\xEF\xBB\xBF"
                                     "a\xEF\xBB\xBF"),
            "a\xEF\xBB\xBF");
  EXPECT_EQ(without_byte_order_marks("\xEF\xBB\xBF\xEF\xBB\xBF{"), "{");
  EXPECT_EQ(without_byte_order_marks("\xEF\xBB"), "\xEF\xBB");
  EXPECT_EQ(without_byte_order_marks(""), "");
}

// Expected values: Python 3, bytes.decode("utf-8", "replace").
TEST(Utf8, ReplacesMaximalSubpartsAsPythonDoes) {
  const RepairedUtf8 cut = repair_utf8("a\xE2\x82z");
  EXPECT_EQ(cut.text, std::string("a") + kReplacement + "z");
  EXPECT_EQ(cut.replaced, 1u);

  const RepairedUtf8 above = repair_utf8("\xF4\x90\x80\x80");
  EXPECT_EQ(above.replaced, 4u);
  EXPECT_EQ(repair_utf8("\xED\xA0\x80").replaced, 3u);
  EXPECT_EQ(repair_utf8("\xF0\x9F\x98").replaced, 1u);
  EXPECT_EQ(repair_utf8("\xC3\xA4").replaced, 0u);
}

TEST(Utf8, EveryScalarValueSurvivesARoundTrip) {
  for (char32_t code_point = 0; code_point <= 0x10FFFF; ++code_point) {
    if (code_point >= 0xD800 && code_point <= 0xDFFF) continue;
    std::string text;
    append_utf8(text, code_point);
    const DecodedCodePoint decoded = decode_code_point(text, 0);
    ASSERT_TRUE(decoded.valid);
    ASSERT_EQ(decoded.code_point, code_point);
    ASSERT_EQ(decoded.length, text.size());
  }
}

TEST(Utf8, TailIsHeldBackOnlyWhileItCanBecomeACharacter) {
  EXPECT_EQ(incomplete_utf8_tail("abc"), 0u);
  EXPECT_EQ(incomplete_utf8_tail("abc\xE2"), 1u);
  EXPECT_EQ(incomplete_utf8_tail("abc\xE2\x82"), 2u);
  EXPECT_EQ(incomplete_utf8_tail("abc\xE2\x82\xAC"), 0u);
  EXPECT_EQ(incomplete_utf8_tail("\xF0\x9F\x98"), 3u);
  EXPECT_EQ(incomplete_utf8_tail("\xF4\x90"), 0u) << "can never be completed";
  EXPECT_EQ(incomplete_utf8_tail("\x80\x80\x80\x80"), 0u);
}

}  // namespace
}  // namespace rr
