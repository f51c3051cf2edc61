#include "rr/bm25/analyzer.h"

#include <gmock/gmock.h>

#include "rr/base/file.h"
#include "rr/base/json.h"
#include "rr/base/random.h"
#include "rr/bm25/internal/porter.h"
#include "rr/bm25/internal/word_breaks.h"
#include "tests/shared_data.h"

namespace rr {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> terms(std::string_view text) {
  EnglishAnalyzer analyzer;
  const auto& found = analyzer.terms_of(text);
  return {found.begin(), found.end()};
}

TEST(EnglishAnalyzer, AgreesWithTheReferenceOnEveryVector) {
  const auto path = shared_data("bm25-parity-cacm/analyzer_vectors.jsonl");
  RR_NEEDS_FILE(path);
  auto reader = LineReader::open(path);
  ASSERT_TRUE(reader.ok());
  EnglishAnalyzer analyzer;
  std::size_t num_vectors = 0;
  for (std::string line; reader->next(line).value();) {
    const Json vector = parse_json(line, reader->where()).value();
    const auto& found = analyzer.terms_of(vector["text"].get<std::string>());
    EXPECT_EQ(std::vector<std::string>(found.begin(), found.end()),
              vector["tokens"].get<std::vector<std::string>>())
        << vector["id"];
    ++num_vectors;
  }
  EXPECT_EQ(num_vectors, 115u);
}

// Random texts of the characters that rules are about, ASCII above all.
TEST(NextWord, TakesTheShortCutOnlyWhereTheRulesLeadToo) {
  const std::vector<std::string> pieces = {"a",
                                           "B",
                                           "7",
                                           "dog",
                                           "42",
                                           "'",
                                           ".",
                                           ",",
                                           ":",
                                           ";",
                                           "_",
                                           "#",
                                           "*",
                                           "\"",
                                           " ",
                                           "\n",
                                           "-",
                                           "\xE2\x80\x8D",
                                           "\xEF\xB8\x8F",
                                           "\xE2\x83\xA3",
                                           "\xCC\x81",
                                           "\xD7\x90",
                                           "\xC3\xA9",
                                           "\xE6\xBC\xA2",
                                           "\xF0\x9F\x98\x80",
                                           "\xE2\x80\x99",
                                           std::string(130, 'x')};
  RandomStream random(3, 0);
  for (int i = 0; i < 30000; ++i) {
    std::string text;
    const bool is_ascii = random.below(2) == 0;
    for (std::uint64_t j = random.below(14); j-- > 0;) {
      text += pieces[random.below(is_ascii ? 17 : pieces.size())];
    }
    for (std::size_t from = 0; from < text.size();) {
      const internal::Word word = internal::next_word(text, from);
      const internal::Word by_rules = internal::next_word_by_rules(text, from);
      ASSERT_EQ(word.begin, by_rules.begin) << text;
      ASSERT_EQ(word.end, by_rules.end) << text;
      if (word.begin == word.end) break;
      from = word.end;
    }
  }
}

TEST(EnglishAnalyzer, DropsStopWordsAndPossessives) {
  EXPECT_THAT(terms("The dog's bone, and THE DOGS' bones"),
              ElementsAre("dog", "bone", "dog", "bone"));
  EXPECT_THAT(terms("there\u2019s O\u2019Neill\u2019s"), ElementsAre("o\u2019neil"));
  EXPECT_THAT(terms("to be or not to be; this is it"), IsEmpty());
}

TEST(EnglishAnalyzer, KeepsMarksInsideWordsAndNumbersAsUax29Does) {
  EXPECT_THAT(terms("3.14 1,000 a.b c:d e;f g_h don't 5.a x-y"),
              ElementsAre("3.14", "1,000", "a.b", "c:d", "e", "f", "g_h", "don't", "5", "x", "y"));
  EXPECT_THAT(terms("___ _x_ -- ..."), ElementsAre("_x_"));
}

TEST(EnglishAnalyzer, TakesSignsAndEmojiAsWordsLikeLucene) {
  EXPECT_THAT(terms("Prozac® x™ ©2020"), ElementsAre("prozac", "®", "x", "™", "©", "2020"));
  EXPECT_THAT(terms("a \U0001F600\U0001F600 \U0001F468\u200D\U0001F469 \U0001F1E9\U0001F1EA"),
              ElementsAre("\U0001F600", "\U0001F600", "\U0001F468\u200D\U0001F469",
                          "\U0001F1E9\U0001F1EA"));
  EXPECT_THAT(terms("±5 μ 50% → ☆"), ElementsAre("5", "μ", "50"));
}

TEST(EnglishAnalyzer, SplitsScriptsLikeLucene) {
  EXPECT_THAT(terms("日本の カタカナ 한국어 ภาษาไทย"),
              ElementsAre("日", "本", "の", "カタカナ", "한국어", "ภาษาไทย"));
}

TEST(EnglishAnalyzer, CutsWordsAfter255Characters) {
  const auto found = terms(std::string(600, 'q'));
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[0].size(), 255u);
  EXPECT_EQ(found[1].size(), 255u);
  EXPECT_EQ(found[2].size(), 90u);
}

TEST(PorterStem, FollowsThePaperAndItsAuthorsDepartures) {
  const auto stem = [](std::u16string word) {
    internal::porter_stem(word);
    return word;
  };
  // Examples of Porter's paper, by step.
  EXPECT_EQ(stem(u"caresses"), u"caress");
  EXPECT_EQ(stem(u"ponies"), u"poni");
  EXPECT_EQ(stem(u"plastered"), u"plaster");
  EXPECT_EQ(stem(u"hopping"), u"hop");
  EXPECT_EQ(stem(u"filing"), u"file");
  EXPECT_EQ(stem(u"relational"), u"relat");
  EXPECT_EQ(stem(u"sensibiliti"), u"sensibl");
  EXPECT_EQ(stem(u"electrical"), u"electr");
  EXPECT_EQ(stem(u"adoption"), u"adopt");
  EXPECT_EQ(stem(u"controll"), u"control");
  EXPECT_EQ(stem(u"possibly"), u"possibl");
  EXPECT_EQ(stem(u"apology"), u"apolog");
  EXPECT_EQ(stem(u"us"), u"us");
}

}  // namespace
}  // namespace rr
