#include "rr/lm/internal/nfc.h"

#include <gtest/gtest.h>
#include <utf8proc.h>

#include <cstdlib>

#include "rr/base/random.h"
#include "rr/base/utf8.h"

namespace rr::internal {
namespace {

std::string nfc_of_utf8proc(const std::string& text) {
  utf8proc_uint8_t* result = nullptr;
  const utf8proc_ssize_t size =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                   static_cast<utf8proc_ssize_t>(text.size()), &result,
                   static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  std::string composed(reinterpret_cast<char*>(result), static_cast<std::size_t>(size));
  std::free(result);
  return composed;
}

// Unicode Standard Annex 15, figures 3 to 6.
TEST(Nfc, ComposesAsTheStandardsExamples) {
  EXPECT_EQ(to_nfc("A\u030A"), "\u00C5");
  EXPECT_EQ(to_nfc("\u212B"), "\u00C5");         // ANGSTROM SIGN
  EXPECT_EQ(to_nfc("s\u0307\u0323"), "\u1E69");  // marks in the other order
  EXPECT_EQ(to_nfc("\u1E9B\u0323"), "\u1E9B\u0323");
  EXPECT_EQ(to_nfc("\uFB01"), "\uFB01");              // only NFKC takes ligatures apart
  EXPECT_EQ(to_nfc("\u1112\u1161\u11AB"), "\uD55C");  // Hangul
  EXPECT_EQ(to_nfc("\u0958"), "\u0915\u093C");        // excluded from composition
  EXPECT_EQ(to_nfc(std::string("a\0e\u0301", 5)), std::string("a\0\u00E9", 4));
}

TEST(Nfc, AgreesWithUtf8procOnRandomMarks) {
  const char32_t letters[] = {'a', 'e', 'A', 'q', 0x1112, 0x1161, 0x11AB, 0x0915, 0x4E2D, 0x1F600};
  const char32_t marks[] = {0x300, 0x301, 0x307, 0x316, 0x323, 0x30A, 0x345, 0x93C, 0x1D165};
  RandomStream random(3, 0);
  for (int i = 0; i < 20000; ++i) {
    std::string text;
    for (std::size_t n = random.below(12); n > 0; --n) {
      append_utf8(text, random.below(2) == 0 ? letters[random.below(std::size(letters))]
                                             : marks[random.below(std::size(marks))]);
    }
    ASSERT_EQ(to_nfc(text), nfc_of_utf8proc(text)) << text;
  }
}

TEST(Nfc, TakesAMillionMarksInTheirWorstOrderWithoutASquare) {
  std::string text = "a";
  for (int i = 0; i < 250000; ++i)
    text += "\u0301\u0316";  // class 230 before 220, all to be swapped
  const std::string normal = to_nfc(text);
  EXPECT_TRUE(normal.starts_with("\u00E1\u0316\u0316"));
  EXPECT_TRUE(normal.ends_with("\u0301\u0301"));
}

TEST(Nfc, KnowsPlainTextAtAGlance) {
  EXPECT_TRUE(is_surely_nfc("na\u00EFve \u01C5"));
  EXPECT_FALSE(is_surely_nfc("e\u0301"));
  EXPECT_FALSE(is_surely_nfc("\u212B"));
}

}  // namespace
}  // namespace rr::internal
