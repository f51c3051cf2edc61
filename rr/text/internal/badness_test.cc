#include "rr/text/internal/badness.h"

#include <gtest/gtest.h>

#include <string_view>

#include "rr/text/internal/code_points.h"

// Checked with is_bad() of ftfy 6.3.1.

namespace rr::internal {
namespace {

bool is_bad_text(std::string_view text) { return is_bad(to_code_points(text)); }

TEST(Badness, SeesEverySignOfAWrongEncoding) {
  for (const std::string_view text : {
           "\u0085",   // a C1 control character
           "é¦",       // what is hardly ever meant, after a letter with an accent
           "dΑ¸",      // and after a Greek or Cyrillic letter after a Latin one
           "ˆÂ",       // and before one
           "éÉ",       // lower case before upper case
           "£é",       // a sign before a letter with an accent
           "é€",       // a letter before a currency
           " É€",      // a word of one capital before a currency
           "É½",       // a capital before a number
           "é«½",      // a letter, an opening sign and a number
           "é»«",      // a letter, a closing sign and an opening one
           "½«",       // a number before an opening sign
           "aÉ£",      // a capital in a word, before a currency
           "╣ö",       // a box before a letter of faces
           "é│",       // a letter before a box
           "│™",       // a box before a closing sign
           "é™a",      // a closing sign inside a word
           "Œ ",       // the ligature at the end of a word
           "É°",       // a degree sign after a capital
           "Ã–",       // Windows-1252
           "×²",       //
           "Ø·Ù…",     // Arabic in Windows-1252
           "àµ",       // South Asian alphabets
           "√ø",       // MacRoman
           "≈°",       //
           "‚Äî",      //
           "‚âà",      //
           "вЂ",       // Windows-1251
           "Р°Р",      //
           "ГўВЂВ™a",  //
           "Ã¡",       // Windows-1252 again
           "aÃ ",      //
           "a Â ",     //
           "Ã ",       // at the start of the text
           ".Â ",      //
           "β€™",      // Windows-1253
           "Ξ°Ξ",      //
           "ā€",       // Windows-1257
       }) {
    EXPECT_TRUE(is_bad_text(text)) << text;
  }
}

TEST(Badness, LetsTextBeThatPeopleWrite) {
  for (const std::string_view text : {"",
                                      "plain",
                                      "L'élève où ça",
                                      "ÀÉÎ",
                                      "Привет, мир",
                                      "Ελλάδα",
                                      "日本語",
                                      "€5 or £4 (½ off)",
                                      "“quoted” – ‘text’",
                                      "¡Olé! ¿Qué?",
                                      "3 × 4 ± 1 °C",
                                      "ツ ¯\\_",
                                      "© 2020 Société™",
                                      "bœuf Œdipe",
                                      "Ã",
                                      "é™",
                                      "é™ ",
                                      "Ø·Ù",
                                      "ГўВЂВ™1",
                                      "ГўВЂВ\na",
                                      "A Â",
                                      ", Ã ",
                                      "в Ђ"}) {
    EXPECT_FALSE(is_bad_text(text)) << text;
  }
}

}  // namespace
}  // namespace rr::internal
