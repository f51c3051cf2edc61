#include "rr/text/fix_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "rr/base/file.h"
#include "rr/base/json.h"
#include "rr/base/sha256.h"
#include "rr/base/utf8.h"
#include "tests/shared_data.h"

// Expected texts come from ftfy 6.3.1 itself, unless a test says otherwise.

namespace rr {
namespace {

using std::string_literals::operator""s;

constexpr FixTextOptions kKeepEntities{.unescape_html = EntityRepair::kNever};

struct Case {
  std::string messy;
  std::string clean;
};

void expect_all(const std::vector<Case>& cases) {
  for (const Case& c : cases) EXPECT_EQ(fix_text(c.messy), c.clean) << c.messy;
}

TEST(FixText, PassesFtfysOwnCases) {
  const std::filesystem::path folder = shared_data("text-fix-ftfy");
  RR_NEEDS_FILE(folder);
  int num_cases = 0;
  for (const char* file :
       {"in-the-wild.json", "synthetic.json", "negative.json", "language-names.json"}) {
    const std::string text = read_file(folder / file).value();
    const Json cases = parse_json(text, file).value();
    for (const Json& one : cases) {
      if (one["expect"] != "pass") continue;
      EXPECT_EQ(fix_text(one["original"].get<std::string>()), one["fixed"].get<std::string>())
          << one["label"];
      ++num_cases;
    }
  }
  EXPECT_EQ(num_cases, 151);
}

TEST(FixText, LeavesCleanTextAsItIs) {
  for (const std::string& text :
       {""s, "\n"s, "plain ASCII, \ttabs; (50 % < 60 %)\n\n"s, "L'élève a été reçu à Besançon.\n"s,
        "Все счастливые семьи похожи друг на друга"s, "日本語とかな"s, "½ cup, 20 °C, §3, €5"s,
        "ASCII art: <o_O> ¯\\_(ツ)_/¯"s}) {
    EXPECT_EQ(fix_text(text), text);
  }
}

TEST(FixText, ResolvesEntitiesUpToTheFirstTag) {
  // The rows of the table in the description of the published system.
  expect_all({{"&amp;lt;b", "<b"},
              {"a &lt; b\nx &amp; y", "a < b\nx & y"},
              {"x &amp; y\na < b &amp;\nz &amp;", "x & y\na < b &amp;\nz &amp;"},
              {"&NTILDE; &ntilde; &notit; &#38; &#x26;", "Ñ ñ &notit; & &"}});
  // A line break that is none yet ends no segment.
  expect_all({{"&amp;\r<", "&amp;\n<"}, {"&lt;\n&amp;", "<\n&"}});
  EXPECT_EQ(fix_text("&amp; “a”", kKeepEntities), "&amp; \"a\"");
}

TEST(FixText, KnowsWhichEntitiesAreMeant) {
  expect_all({
      {"&EACUTE; &eacute; &nTILDE; &szlig; &SZLIG; &NAPOS; &FFILIG;", "É é &nTILDE; ß SS 'N FFI"},
      {"&LTCC; &AMPERE; &notit; &not &;", "&LTCC; &AMPERE; &notit; &not &;"},
      {"&#65;&#x41;&#X41;&#065; &#; &#x; &#1a; &#xg; &#59; &semi;",
       "AAAA &#; &#x; &#1a; &#xg; &#59; ;"},
      {"&#128;&#129;&#0;&#xD800;&#x110000;&#99999999999999999999;&#1;&#xFFFE;&#13;|",
       "€\u0081\uFFFD\uFFFD\uFFFD\uFFFD\n|"},
      {"&NotEqualTilde; &DoubleLongLeftRightArrow;", "\u2242\u0338 ⟺"},
      // 31 letters: a name longer than ftfy looks for
      {"&CounterClockwiseContourIntegral;", "&CounterClockwiseContourIntegral;"},
  });
}

TEST(FixText, RepeatsUntilNothingChanges) {
  expect_all({{"&amp;amp;lt;b&amp;gt;", "<b>"},
              {"&Atilde;&copy;", "é"},
              {"ÃƒÂ©", "é"},
              {"The Mona Lisa doesnÃƒÂ¢Ã¢â€šÂ¬Ã¢â€žÂ¢t have eyebrows.",
               "The Mona Lisa doesn't have eyebrows."}});
}

TEST(FixText, ReadsTextAgainInTheRightEncoding) {
  expect_all({
      {"schÃ¶n", "schön"},                   // Latin-1
      {"âœ” No problems", "✔ No problems"},  // Windows-1252
      {"РїСЂРёРІРµС‚", "привет"},            // Windows-1251
      {"Ξ•Ξ»Ξ»Ξ¬Ξ΄Ξ±", "Ελλάδα"},            // Windows-1253
      {"Ä…Å¾uolas", "ąžuolas"},              // Windows-1252, Lithuanian
      {"ā€“ dash", "– dash"},                // Windows-1257
      {"√©t√©", "été"},                      // MacRoman
      {"caf├⌐", "café"},                     // code page 437
      {"ð\u009F\u0098\u0080", "😀"},          // four bytes
      {"Ð¿Ñ€Ð¸Ð²ÐµÑ‚ мир", "привет мир"},    // a piece, in text that is right
      {"“naïve” and â€œbadâ€\u009D quotes", "\"naïve\" and \"bad\" quotes"},
      {"Ãƒ©Ãƒ©", "éé"},
  });
}

TEST(FixText, RestoresBlanksThatWerePartOfACharacter) {
  expect_all({{"voilÃ le travail", "voilà le travail"},
              {"Ã la mode", "à la mode"},
              {"Ã  quel point", "à quel point"},
              {"Ã quele dia", "àquele dia"},
              {"Ã s vezes", "às vezes"},
              {"fÃ cil", "fà cil"},
              {"Ã", "Ã"}});
}

TEST(FixText, ReplacesSequencesThatLostAByte) {
  expect_all({{"â€œ like this â€\uFFFD", "\" like this \uFFFD"},
              {"â\uFFFD\uFFFD x Ã©", "\uFFFD x é"},
              {"Ã? bien Ã©", "\uFFFD bien é"},
              {"ð\uFFFD˜€ Ã©", "\uFFFD é"}});
}

TEST(FixText, ReadsTheVariantsOfUtf8) {
  expect_all({{"í\u00A0½í¸\u0080 Ã©", "😀 é"},
              {"aÀ\u0080b Ã©", "ab é"},  // Java's U+0000, removed as a control character
              // ftfy's patterns take a line feed at the end for the end of the text.
              {"Ã© À\n", "é "},
              {"Ã©í\u00A0½í¸\n", "é\U0001F60A"},
              {"Ã© À", "é À"}});
}

TEST(FixText, ReadsControlCharactersAsWindows1252) {
  expect_all({{"a\u0085b", "a…b"}, {"\u0093quoted\u0094", "\"quoted\""}, {"x\u0081y", "x\u0081y"}});
}

TEST(FixText, TakesLigaturesApart) {
  expect_all({{"ﬂuﬃeﬆ ŉ ǅ ﬅ", "fluffiest 'n Dž ſt"}, {"æ œuf", "æ œuf"}});
}

TEST(FixText, GivesCharactersTheirUsualWidth) {
  expect_all({{"ＬＯＵＤ　ＮＯＩＳＥＳ", "LOUD NOISES"},
              {"ﾊﾞｶﾞ", "バガ"},
              {"￣ ￠ ￦ ￨", " \u0304 ¢ ₩ │"},
              {"ﾡￂ", "가"}});
}

TEST(FixText, UncurlsQuotes) { expect_all({{"‘a’ “b” ‚c‛ ‟d ʼe", "'a' \"b\" 'c' \"d 'e"}}); }

TEST(FixText, WritesEveryLineBreakAsALineFeed) {
  expect_all({{"a\r\nb\rc\u2028d\u2029e\ff", "a\nb\nc\nd\ne\ff"}, {"a\r\r\n\n", "a\n\n\n"}});
}

TEST(FixText, RemovesWhatShowsNothing) {
  expect_all({{"\x1B[36;44mblue\x1B[0m \x1B[٣m \x1B[x;", "blue  ;"},
              {"\uFEFFa\u206Ab\uFFF9\uFFFCc\u007F\u001F\vd\te"s + '\0' + "f", "abcd\tef"},
              {"family 👨\u200D👩", "family 👨\u200D👩"}});
}

TEST(FixText, Composes) {
  expect_all({{"e\u0301 a\u0323\u0302 \u1100\u1161\u11A8 \u212B \u0344 \u0958 か\u3099",
               "é ậ 각 Å \u0308\u0301 \u0915\u093C が"}});
}

TEST(FixText, RepairsBytesThatAreNoUtf8First) {
  // By hand: each ill-formed sequence is one U+FFFD, as base/utf8.h says.
  EXPECT_EQ(fix_text("a\xFFz \xE2\x82"), "a\uFFFDz \uFFFD");
  EXPECT_EQ(fix_text("\xED\xA0\x80"), "\uFFFD\uFFFD\uFFFD");  // a surrogate
}

TEST(FixText, CutsLongLinesIntoSegmentsOfAMillionCodePoints) {
  // The entity that starts in the first million is resolved; '<' stands in the second.
  const std::string filler(999'995, 'a');
  EXPECT_EQ(fix_text("&amp;" + filler + "&amp;<"), "&" + filler + "&amp;<");
  EXPECT_EQ(fix_text("&amp;" + filler + "\n&amp;<"), "&" + filler + "\n&amp;<");

  // Code points count, not bytes: the whole line is one segment, and '<' stands in it.
  std::string accents;
  for (int i = 0; i < 999'990; ++i) accents += "é";
  EXPECT_EQ(fix_text("&amp;" + accents + "<"), "&amp;" + accents + "<");
  EXPECT_EQ(fix_text("&amp;" + accents + "12345<"), "&" + accents + "12345<");
}

TEST(FixText, GivesUpOnEntitiesNestedDeeperThanAnyText) {
  const auto nested = [](int depth) {
    std::string text = "&";
    for (int i = 0; i < depth; ++i) text += "amp;";
    return text;
  };
  EXPECT_EQ(fix_text(nested(900)), "&");
  EXPECT_EQ(fix_text(nested(1200)), nested(200));
}

TEST(FixText, GivesTheGoldenPrompt) {
  // The published prompt of three messy passages: fix_text on each, identifiers in brackets
  // rewritten, then fix_text on the whole.
  const std::string one = fix_text("A &amp; B [3] “quoted” ﬁne\r\nline &lt;two&gt; then &amp;");
  EXPECT_EQ(one, "A & B [3] \"quoted\" fine\nline <two> then &");
  const std::string two = fix_text("Title: T<1> Content: C &amp; D\u2028E\0\a"s);
  EXPECT_EQ(two, "Title: T<1> Content: C &amp; D\nE");
  const std::string three = fix_text("schÃ¶n [٣] [a1] [ 4]");
  EXPECT_EQ(three, "schön [٣] [a1] [ 4]");

  const auto rewritten = [](std::string text, std::string_view from, std::string_view to) {
    return text.replace(text.find(from), from.size(), to);
  };
  const std::string query = "What does “x²” mean in (12) &amp; <b>?";
  const std::string prompt =
      "<|im_start|>system\n"
      "You are RankLLM, an intelligent assistant that can rank passages based on their relevance to"
      " the query. Given a query and a passage list, you first thinks about the reasoning process "
      "in"
      " the mind and then provides the answer (i.e., the reranked passage list). The reasoning"
      " process and answer are enclosed within <think> </think> and <answer> </answer> tags,"
      " respectively, i.e., <think> reasoning process here </think> <answer> answer here </answer>."
      "<|im_end|>\n<|im_start|>user\n"
      "I will provide you with 3 passages, each indicated by a numerical identifier []. Rank the"
      " passages based on their relevance to the search query: " +
      query + ".\n\n[1] " + rewritten(one, "[3]", "(3)") + "\n[2] " + two + "\n[3] " +
      rewritten(three, "[٣]", "(٣)") + "\nSearch Query: " + query +
      ".\nRank the 3 passages above based on their relevance to the search query. All the passages"
      " should be included and listed using identifiers, in descending order of relevance. The"
      " format of the answer should be [] > [], e.g., [2] > [1].<|im_end|>\n"
      "<|im_start|>assistant\n";

  const std::string fixed = fix_text(prompt);
  EXPECT_EQ(fixed.size(), 1112u);
  EXPECT_EQ(sha256_hex(fixed), "9f43699ece34aee77fe81f0be109c9e543d4e76e90ca449671d110cb9d188a18");
}

// Text of characters that the repair looks at, and of their neighbours.
rc::Gen<std::string> messy_text() {
  const auto piece = rc::gen::oneOf(
      rc::gen::element("Ã"s, "Â"s, "©"s, "â€"s, "œ"s, "™"s, "\u00A0"s, " "s, "a"s, "S"s, "\uFFFD"s,
                       "Ð"s, "Ñ"s, "€"s, "вЂ"s, "├"s, "√"s, "?"s, "í\u00A0½"s, "í¸\u0080"s, "À"s),
      rc::gen::element("&amp;"s, "&"s, "amp;"s, "&#39;"s, "&lt;"s, "<"s, "\x1B[0m"s, "\u0093"s,
                       "ﬁ"s, "Ａ"s, "ﾊ"s, "ﾞ"s, "“"s, "\u0301"s, "e"s, "\uFEFF"s, "\0"s, "1"s,
                       ";"s),
      rc::gen::map(rc::gen::inRange<char32_t>(1, 0xD800), [](char32_t c) {
        std::string text;
        append_utf8(text, c);
        return text;
      }));
  return rc::gen::map(rc::gen::container<std::vector<std::string>>(piece),
                      [](const std::vector<std::string>& pieces) {
                        std::string text;
                        for (const std::string& one : pieces) text += one;
                        return text;
                      });
}

RC_GTEST_PROP(FixTextProperties, AnyBytesGiveValidUtf8, ()) {
  const std::string bytes = *rc::gen::string<std::string>();
  RC_ASSERT(is_valid_utf8(fix_text(bytes)));
}

RC_GTEST_PROP(FixTextProperties, ALineThatIsFixedStaysAsItIs, ()) {
  // Not so where a repair made new lines, or left '<' behind an entity: the segments change.
  const std::string fixed = fix_text(*messy_text(), kKeepEntities);
  RC_PRE(fixed.find('\n') == std::string::npos);
  RC_ASSERT(fix_text(fixed, kKeepEntities) == fixed);
}

RC_GTEST_PROP(FixTextProperties, LinesAreFixedOneByOne, ()) {
  const std::string first = *messy_text() + "\n";
  const std::string second = *messy_text();
  RC_ASSERT(fix_text(first + second, kKeepEntities) ==
            fix_text(first, kKeepEntities) + fix_text(second, kKeepEntities));
}

RC_GTEST_PROP(FixTextProperties, PlainAsciiWithoutAmpersandStays, ()) {
  std::string text = *rc::gen::container<std::string>(rc::gen::inRange<char>(' ', '\x7F'));
  std::erase(text, '&');
  RC_ASSERT(fix_text(text) == text);
}

}  // namespace
}  // namespace rr
