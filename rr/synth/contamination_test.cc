#include "rr/synth/contamination.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <set>
#include <string>

#include "rr/base/random.h"
#include "rr/ir/topics_file.h"
#include "rr/synth/text_fingerprint.h"
#include "tests/shared_data.h"
#include "tests/test_folder.h"

namespace rr {
namespace {

namespace fs = std::filesystem;

// "w3 w9 ...": random words of a vocabulary.
std::string random_text(std::size_t count, std::uint64_t stream, std::uint64_t vocabulary = 1000) {
  RandomStream random(5, stream);
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += fmt::format("w{} ", random.below(vocabulary));
  return text;
}

std::set<std::string> shingles(const std::string& words) {
  std::set<std::string> set;
  for (std::size_t i = 0; i + 5 <= words.size(); ++i) set.insert(words.substr(i, 5));
  return set;
}

double jaccard(const std::string& a, const std::string& b) {
  const auto x = shingles(a);
  const auto y = shingles(b);
  std::size_t both = 0;
  for (const std::string& shingle : x) both += y.count(shingle);
  return static_cast<double>(both) / static_cast<double>(x.size() + y.size() - both);
}

TEST(WordsOf, CasePunctuationAndSpacingDoNotMatter) {
  EXPECT_EQ(words_of("  What's «ﬁne»,\tA-B?\n"), "what s fine a b");
  EXPECT_EQ(words_of("x² + y² = 1"), "x2 y2 1");
  EXPECT_EQ(words_of("Straße STRASSE"), "strasse strasse");
  EXPECT_EQ(words_of("caf\x65\xCC\x81 café"), "café café");
  EXPECT_EQ(words_of("日本 語"), "日本 語");
  EXPECT_EQ(words_of("?!"), "");
  EXPECT_EQ(words_of("A.B"), words_of("a b"));
  EXPECT_EQ(words_of("caf\xFF x"), "caf x");
}

TEST(NgramHashes, ARunInTwoTextsHasTheSameHash) {
  const auto a = ngram_hashes("one two three four five", 3);
  const auto b = ngram_hashes("zero two three four", 3);
  ASSERT_EQ(a.size(), 3u);
  ASSERT_EQ(b.size(), 2u);
  EXPECT_EQ(a[1], b[1]);
  EXPECT_NE(a[0], b[0]);
  EXPECT_NE(ngram_hashes("a b", 2)[0], ngram_hashes("b a", 2)[0]);
  EXPECT_TRUE(ngram_hashes("one two", 3).empty());
  EXPECT_TRUE(ngram_hashes("", 1).empty());
}

TEST(MinHash, EstimatesTheSimilarityOfShingleSets) {
  // Texts with ever more words replaced; the estimate's deviation is at most sqrt(1/4 / 128) =
  // 0.044.
  double worst = 0;
  for (std::uint64_t i = 0; i < 40; ++i) {
    const std::string a = words_of(random_text(150, i));
    const std::string b =
        words_of(a.substr(0, a.size() * (40 - i) / 40) + random_text(100, i + 99));
    const double error = similarity(min_hash(a), min_hash(b)) - jaccard(a, b);
    worst = std::max(worst, std::abs(error));
  }
  EXPECT_LT(worst, 4 * 0.044);
  EXPECT_EQ(similarity(min_hash("abc"), min_hash("abc")), 1);
  EXPECT_LT(similarity(min_hash("abc"), min_hash("xyz")), 0.1);
}

TEST(NearDuplicates, FindsTextsWithAFewWordsChanged) {
  NearDuplicates near;
  for (std::uint64_t i = 0; i < 500; ++i) near.add(min_hash(words_of(random_text(60, i))));
  std::size_t found = 0;
  for (std::uint64_t i = 0; i < 100; ++i) {
    const std::string changed = random_text(60, i) + "and more";
    const auto match = near.find(min_hash(words_of(changed)));
    if (match && match->text == i) ++found;
    EXPECT_FALSE(near.find(min_hash(words_of(random_text(60, i + 10000)))));
  }
  EXPECT_GE(found, 99u);
}

TEST(NearDuplicates, ATextThatStandsThereManyTimesIsFoundAsTheFirst) {
  NearDuplicates near;
  const MinHash fingerprint = min_hash("the same words again and again");
  for (int i = 0; i < 1000; ++i) near.add(fingerprint);
  EXPECT_EQ(near.find(fingerprint)->text, 0u);
  EXPECT_EQ(near.size(), 1000u);
}

Sample sample_of(const std::string& qid, const std::string& query,
                 const std::vector<std::string>& texts) {
  Sample sample;
  sample.dataset = "train";
  sample.qid = Qid(qid);
  sample.query = query;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const Docid docid(fmt::format("{}-{}", qid, i));
    sample.initial_list.push_back(docid);
    sample.passages.push_back({docid, "", texts[i]});
  }
  sample.relevant = {sample.initial_list.front()};
  return sample;
}

TestSets test_sets() {
  TestSets sets;
  sets.add("bright", TextKind::kQuery, "q1", "Why is the sky blue on a clear day?");
  sets.add("bright", TextKind::kQuery, "q2", random_text(40, 7));
  sets.add("bright", TextKind::kPassage, "d1", random_text(80, 8));
  return sets;
}

TEST(TestSets, NamesTheOverlapAndItsKind) {
  const TestSets sets = test_sets();
  const auto exact = sets.overlaps_of("why is THE sky blue, on a clear day");
  ASSERT_EQ(exact.size(), 1u);
  EXPECT_EQ(exact[0].kind, OverlapKind::kExact);
  EXPECT_EQ(exact[0].test_set, "bright");
  EXPECT_EQ(exact[0].test_id, "q1");

  const auto near = sets.overlaps_of(random_text(40, 7) + "!");
  ASSERT_EQ(near.size(), 1u);
  EXPECT_EQ(near[0].kind, OverlapKind::kExact);
  EXPECT_EQ(sets.overlaps_of(random_text(40, 7) + "one")[0].kind, OverlapKind::kNear);

  // 20 words of the passage inside 60 others: 8 of 68 runs of 13 words are shared.
  const std::string part = words_of(random_text(80, 8));
  std::size_t end = 0;
  for (int i = 0; i < 20; ++i) end = part.find(' ', end + 1);
  const auto run =
      sets.overlaps_of(random_text(30, 20) + part.substr(0, end) + " " + random_text(30, 21));
  ASSERT_EQ(run.size(), 1u);
  EXPECT_EQ(run[0].kind, OverlapKind::kNgram);
  EXPECT_EQ(run[0].test_kind, TextKind::kPassage);
  EXPECT_NEAR(run[0].share, 8.0 / 68.0, 1e-12);

  EXPECT_TRUE(sets.overlaps_of(random_text(80, 30)).empty());
  EXPECT_TRUE(sets.overlaps_of("").empty());
}

TEST(Decontaminate, TheRuleDecidesWhatIsLeftOut) {
  const std::vector<Sample> samples = {
      sample_of("clean", "how do magnets work", {random_text(50, 40), random_text(50, 41)}),
      sample_of("query", "Why is the sky blue on a clear day", {random_text(50, 42), "x"}),
      sample_of("holds-query", "why so", {random_text(20, 43) + random_text(40, 7), "y"}),
      sample_of("passage", "when is it", {random_text(80, 8), "z"}),
  };
  const TestSets sets = test_sets();
  const auto kept = [&](DropRule rule) { return decontaminate(samples, sets, rule).is_kept; };
  EXPECT_EQ(kept(DropRule::kQueries), (std::vector<bool>{true, false, false, true}));
  EXPECT_EQ(kept(DropRule::kAll), (std::vector<bool>{true, false, false, false}));
  EXPECT_EQ(kept(DropRule::kNone), (std::vector<bool>{true, true, true, true}));
  const DecontaminationReport report = decontaminate(samples, sets, DropRule::kQueries).report;
  EXPECT_EQ(report.leaked, 2u);
  ASSERT_EQ(report.hits.size(), 3u);
  EXPECT_EQ(report.hits[1].docid, Docid("holds-query-0"));
  EXPECT_EQ(report.hits[1].overlap.kind, OverlapKind::kNgram);
  EXPECT_FALSE(report.hits[2].drops);
}

TEST(Decontaminate, OfEqualQueriesTheFirstStays) {
  const std::vector<Sample> samples = {
      sample_of("a", "How do magnets work in a strong field of another magnet?", {"x", "y"}),
      sample_of("b", "how do magnets work in a strong field of another magnet", {"x", "z"}),
      sample_of("c", "How do magnets work in a strong field of another magnets?", {"x", "z"}),
      sample_of("d", "Something else altogether", {"x", "z"}),
  };
  const Decontamination result = decontaminate(samples, TestSets(), DropRule::kQueries);
  EXPECT_EQ(result.is_kept, (std::vector<bool>{true, false, false, true}));
  EXPECT_EQ(result.report.repeated, 2u);
  EXPECT_EQ(result.report.hits[0].overlap.test_id, "train/a");
}

TEST(LabelNoise, CountsWhatAnAuditCounts) {
  Sample contradictory = sample_of("c", "q", {"The same.", "the same", "other"});
  contradictory.final_list = {Docid("c-1"), Docid("c-0"), Docid("c-2")};
  Sample all_positive = sample_of("p", "q", {"one", "two"});
  all_positive.relevant = all_positive.initial_list;
  Sample fine = sample_of("f", "q", {"one", "two", "three", "four"});
  fine.final_list = fine.initial_list;
  const LabelNoise noise = label_noise(std::vector<Sample>{contradictory, all_positive, fine});
  EXPECT_EQ(noise.samples, 3u);
  EXPECT_NEAR(noise.mean_list, 3, 1e-12);
  EXPECT_NEAR(noise.mean_positives, 4.0 / 3, 1e-12);
  EXPECT_EQ(noise.all_positive, 1u);
  EXPECT_EQ(noise.repeated_text, 1u);
  EXPECT_EQ(noise.contradictory, 1u);
  EXPECT_EQ(noise.first_is_negative, 1u);
  EXPECT_TRUE(is_noisy(contradictory));
  EXPECT_TRUE(is_noisy(all_positive));
  EXPECT_FALSE(is_noisy(fine));
}

TEST(AddTestSets, TakesCollectionsFoldersOfThemAndFiles) {
  const TestFolder folder;
  folder.write("beir/nf/queries.jsonl", R"({"_id":"1","text":"one"})");
  folder.write("beir/nf/corpus.jsonl", R"({"_id":"d","title":"t","text":"two"})");
  folder.write("bright.jsonl", R"({"id":"2","query":"three"})");
  TestSets sets;
  ASSERT_TRUE(add_test_sets(folder / "beir", sets).ok());
  EXPECT_EQ(sets.num_queries(), 1u);
  EXPECT_EQ(sets.num_passages(), 1u);
  EXPECT_EQ(sets.overlaps_of("T two").size(), 1u);
  ASSERT_TRUE(add_test_sets(folder / "bright.jsonl", sets).ok());
  EXPECT_EQ(sets.num_queries(), 2u);
  fs::create_directories(folder / "empty");
  const Status none = add_test_sets(folder / "empty", sets);
  ASSERT_FALSE(none.ok());
  EXPECT_NE(none.error().message.find("expected a test set"), std::string::npos);
}

TEST(AddTestSets, EveryBrightQueryIsFoundAmongTheSamePosts) {
  const fs::path bright = shared_data("bright-eval-parity/examples/biology.original.jsonl.gz");
  const fs::path posts = shared_data("reasoning-bright-se-answers/queries.jsonl");
  RR_NEEDS_FILE(bright);
  RR_NEEDS_FILE(posts);
  TestSets sets;
  ASSERT_TRUE(add_test_sets(bright, sets).ok());
  ASSERT_EQ(sets.num_queries(), 103u);
  std::set<std::string> found;
  const auto topics = read_topics(posts);
  for (const Topic& topic : topics->topics) {
    for (const Overlap& overlap : sets.overlaps_of(topic.query)) {
      // 749 posts of seven sites; only those of this one overlap.
      EXPECT_TRUE(topic.qid.str().starts_with("biology_")) << topic.qid.str();
      found.insert(overlap.test_id);
    }
  }
  EXPECT_EQ(found.size(), 103u);
}

}  // namespace
}  // namespace rr
