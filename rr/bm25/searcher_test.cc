#include "rr/bm25/searcher.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "rr/base/random.h"
#include "rr/bm25/analyzer.h"
#include "rr/bm25/internal/query_model.h"
#include "rr/bm25/internal/small_float.h"
#include "rr/bm25/internal/test_index.h"
#include "tests/shared_data.h"

namespace rr {
namespace {

using ::testing::ElementsAre;

// Built once: indexes of several sizes would cost most of the test's time.
Index index_of(const TestFolder& folder, const std::vector<TestDocument>& documents,
               const IndexOptions& options = {}) {
  write_corpus(folder / "corpus.jsonl", documents);
  const auto report = build_index(folder / "corpus.jsonl", folder / "idx", options);
  EXPECT_TRUE(report.ok()) << report.error().to_string();
  return Index::open(folder / "idx").value();
}

std::vector<std::string> docids_of(const Index& index, const SearchResult& result) {
  std::vector<std::string> docids;
  for (const Hit& hit : result.hits) docids.emplace_back(index.docid(hit.doc));
  return docids;
}

TEST(Searcher, MatchesTheFormulaDoneByHand) {
  const TestFolder folder;
  const Index index = index_of(folder, {{"a", "red fish"}, {"b", "blue fish fish"}, {"c", "sky"}});
  const auto result = Searcher(index).search("fish", 10);
  ASSERT_TRUE(result.ok());
  EXPECT_THAT(docids_of(index, *(&result.value())), ElementsAre("b", "a"));
  // idf = ln(1 + (3 - 2 + 0.5) / (2 + 0.5)) = ln 1.6 = 0.470004, avgdl = 6 / 3 = 2,
  // b: 2 / (2 + 0.9 (0.6 + 0.4 * 3 / 2)) = 2 / 3.08, a: 1 / (1 + 0.9 (0.6 + 0.4)) = 1 / 1.9
  EXPECT_NEAR(result->hits[0].score, 0.470004 * 2 / 3.08, 1e-6);
  EXPECT_NEAR(result->hits[1].score, 0.470004 / 1.9, 1e-6);
}

TEST(Searcher, SettlesTiesByDocid) {
  const TestFolder folder;
  const Index index =
      index_of(folder, {{"z", "fish"}, {"b", "fish"}, {"a10", "fish"}, {"a9", "fish"}});
  const Searcher searcher(index);
  EXPECT_THAT(docids_of(index, searcher.search("fish", 3).value()), ElementsAre("a10", "a9", "b"));
  const Ranking ranking =
      ranking_of(index, {Qid("q"), "fish", {}}, searcher.search("fish", 4).value());
  Ranking sorted = ranking;
  sort_as_trec_eval(sorted);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(sorted.docs[i].docid, ranking.docs[i].docid);
  EXPECT_DOUBLE_EQ(ranking.docs[1].score, ranking.docs[0].score - 1e-6);
}

TEST(Searcher, LeavesOutExcludedDocumentsAndFillsUp) {
  const TestFolder folder;
  const Index index = index_of(folder, {{"a", "fish"}, {"b", "fish"}, {"c", "fish"}});
  const Searcher searcher(index);
  const Topic topic{Qid("b"), "fish", {Docid("a"), Docid("not there")}};
  EXPECT_THAT(docids_of(index, searcher.search(topic, 1).value()), ElementsAre("b"));
  EXPECT_THAT(docids_of(index, searcher.search(topic, 1, true).value()), ElementsAre("c"));
}

TEST(Searcher, SaysWhatBecameOfAQueryThatFindsNothing) {
  const TestFolder folder;
  const Index index = index_of(folder, {{"a", "fish"}, {"empty", ""}});
  const Searcher searcher(index);
  const auto stop_words = searcher.search("to be or not to be", 10);
  EXPECT_TRUE(stop_words->hits.empty());
  EXPECT_EQ(stop_words->num_terms, 0u);
  const auto unknown = searcher.search("whale whales", 10);
  EXPECT_TRUE(unknown->hits.empty());
  EXPECT_EQ(unknown->num_terms, 1u);
  EXPECT_EQ(unknown->unknown_terms, 1u);
  EXPECT_EQ(index.statistics().num_nonempty, 1u);
}

// Anserini's test of its QuerySideBm25QueryGenerator, over its index of NFCorpus.
TEST(Searcher, WeightsQueriesAsAnseriniDoes) {
  const auto corpus = shared_data("beir-nfcorpus/corpus.jsonl");
  RR_NEEDS_FILE(corpus);
  const TestFolder folder;
  ASSERT_TRUE(build_index(corpus, folder / "idx", {}).ok());
  const Index index = Index::open(folder / "idx").value();
  EnglishAnalyzer analyzer;
  const auto model =
      internal::query_model(index.files(), {.query_side = true},
                            "Do Cholesterol Statin Drugs Cause Breast Cancer?", analyzer);
  std::vector<float> boosts;
  for (const auto& term : model.terms) boosts.push_back(term.boost);
  EXPECT_THAT(boosts, ElementsAre(2.0192628F, 1.6210032F, 3.1420643F, 1.7181631F, 1.1822546F,
                                  1.6456642F, 0.98464656F));
}

// Documents over a few words with very different frequencies, so that ties, long lists and short
// lists all occur and the windows of the search are crossed.
std::vector<TestDocument> random_documents(std::uint64_t seed, std::size_t count) {
  RandomStream random(seed, 0);
  std::vector<TestDocument> documents;
  for (std::size_t i = 0; i < count; ++i) {
    TestDocument document{fmt::format("d{}", i * 7919 % count), ""};
    const std::uint64_t length = random.below(12);
    for (std::uint64_t j = 0; j < length; ++j) {
      const double u = random.uniform();
      document.text += fmt::format("w{} ", static_cast<int>(400 * u * u * u * u));
    }
    documents.push_back(std::move(document));
  }
  return documents;
}

std::string random_query(RandomStream& random) {
  std::string query;
  const std::uint64_t most = std::array<std::uint64_t, 4>{5, 5, 40, 400}[random.below(4)];
  const std::uint64_t length = 1 + random.below(most);
  for (std::uint64_t j = 0; j < length; ++j) {
    const double u = random.uniform();
    query += fmt::format("w{} ", static_cast<int>(400 * u * u));
  }
  return query;
}

void expect_same(const std::vector<Hit>& a, const std::vector<Hit>& b, const std::string& query) {
  ASSERT_EQ(a.size(), b.size()) << query;
  for (std::size_t i = 0; i < a.size(); ++i) {
    ASSERT_EQ(a[i].doc, b[i].doc) << query << " at " << i;
    ASSERT_EQ(a[i].score, b[i].score) << query << " at " << i;
  }
}

TEST(Searcher, FindsByPruningWhatExhaustiveScoringFinds) {
  const TestFolder folder;
  const Index index = index_of(folder, random_documents(1, 30000));
  RandomStream random(2, 0);
  for (const Bm25Options& options : {Bm25Options{}, Bm25Options{.query_side = true},
                                     Bm25Options{.k1 = 0, .b = 0}, Bm25Options{.k1 = 3, .b = 1}}) {
    const Searcher searcher(index, options);
    for (int i = 0; i < 150; ++i) {
      const std::string query = random_query(random);
      const std::size_t k = 1 + random.below(i % 10 == 0 ? 40000 : 300);
      expect_same(searcher.search(query, k, SearchMethod::kPruned)->hits,
                  searcher.search(query, k, SearchMethod::kExhaustive)->hits, query);
    }
  }
}

TEST(Searcher, FindsTheSameInSegments) {
  const TestFolder folder;
  const std::vector<TestDocument> documents = random_documents(7, 20000);
  const Index whole = index_of(folder, documents);
  const TestFolder parts;
  for (std::size_t begin = 0; begin < documents.size(); begin += 9000) {
    const auto end =
        documents.begin() + static_cast<std::ptrdiff_t>(std::min(begin + 9000, documents.size()));
    write_corpus(parts / "part.jsonl",
                 {documents.begin() + static_cast<std::ptrdiff_t>(begin), end});
    const auto report = begin == 0 ? build_index(parts / "part.jsonl", parts / "idx", {})
                                   : add_to_index(parts / "part.jsonl", parts / "idx", {});
    ASSERT_TRUE(report.ok()) << report.error().to_string();
  }
  const Index divided = Index::open(parts / "idx").value();
  RandomStream random(8, 0);
  for (int i = 0; i < 60; ++i) {
    const std::string query = random_query(random);
    const std::size_t k = 1 + random.below(300);
    expect_same(Searcher(divided).search(query, k)->hits, Searcher(whole).search(query, k)->hits,
                query);
  }
}

TEST(Searcher, TakesAQueryOfAnyNumberOfTerms) {
  const TestFolder folder;
  std::vector<TestDocument> documents;
  std::string query;
  for (int i = 0; i < 20; ++i) {
    documents.push_back({fmt::format("d{}", i), ""});
    for (int j = 0; j < 1000; ++j) documents.back().text += fmt::format("w{} ", 900 * i + j);
    query += documents.back().text;
  }
  const Index index = index_of(folder, documents);
  for (const std::size_t length : {10000U, 60000U, 140000U}) {
    const Searcher searcher(index);
    const std::string part =
        query.substr(0, query.find(' ', std::min<std::size_t>(length, query.size() - 1)));
    expect_same(searcher.search(part, 5, SearchMethod::kPruned)->hits,
                searcher.search(part, 5, SearchMethod::kExhaustive)->hits, "many words");
  }
}

// The formula over all documents, without index, blocks or windows.
std::map<std::string, float> scores_by_definition(const std::vector<TestDocument>& documents,
                                                  const std::string& query) {
  EnglishAnalyzer analyzer;
  const auto count = [&](const std::string& text) {
    std::map<std::string, float> counts;
    for (const auto term : analyzer.terms_of(text)) ++counts[std::string(term)];
    return counts;
  };
  std::vector<std::map<std::string, float>> counted;
  std::map<std::string, double> num_with;
  double total = 0;
  double num_nonempty = 0;
  for (const TestDocument& document : documents) {
    counted.push_back(count(document.text));
    double length = 0;
    for (const auto& [term, tf] : counted.back()) ++num_with[term], length += tf;
    total += length;
    num_nonempty += length > 0 ? 1 : 0;
  }
  std::map<std::string, float> scores;
  for (std::size_t i = 0; i < documents.size(); ++i) {
    double sum = 0;
    std::uint32_t length = 0;
    for (const auto& [term, tf] : counted[i]) length += static_cast<std::uint32_t>(tf);
    const double rounded = internal::byte_to_length(internal::length_to_byte(length));
    for (const auto& [term, qtf] : count(query)) {
      const auto found = counted[i].find(term);
      if (found == counted[i].end()) continue;
      const double df = num_with[term];
      const double idf = std::log(1 + (num_nonempty - df + 0.5) / (df + 0.5));
      const double tf = found->second;
      sum += qtf * idf * tf / (tf + 0.9 * (0.6 + 0.4 * rounded / (total / num_nonempty)));
    }
    if (sum > 0) scores[documents[i].docid] = static_cast<float>(sum);
  }
  return scores;
}

TEST(Searcher, ScoresEveryDocumentThatTheDefinitionScores) {
  const TestFolder folder;
  const std::vector<TestDocument> documents = random_documents(3, 6000);
  const Index index = index_of(folder, documents);
  const Searcher searcher(index);
  RandomStream random(4, 0);
  for (int i = 0; i < 8; ++i) {
    const std::string query = random_query(random);
    const auto expected = scores_by_definition(documents, query);
    const SearchResult result = searcher.search(query, documents.size()).value();
    ASSERT_EQ(result.hits.size(), expected.size()) << query;
    for (const Hit& hit : result.hits) {
      const auto place = expected.find(std::string(index.docid(hit.doc)));
      ASSERT_NE(place, expected.end());
      EXPECT_NEAR(hit.score, place->second, 1e-5 * (1 + place->second)) << query;
    }
  }
}

TEST(SearchAll, GivesTheSameForAnyNumberOfThreads) {
  const TestFolder folder;
  const Index index = index_of(folder, random_documents(5, 9000));
  const Searcher searcher(index);
  RandomStream random(6, 0);
  std::vector<Topic> topics;
  for (int i = 0; i < 60; ++i) {
    topics.push_back({Qid(std::to_string(i)), random_query(random), {}});
  }
  const auto one = search_all(searcher, topics, 50, false, 1).value();
  const auto three = search_all(searcher, topics, 50, false, 3).value();
  ASSERT_EQ(one.size(), topics.size());
  for (std::size_t i = 0; i < one.size(); ++i)
    expect_same(one[i].hits, three[i].hits, topics[i].query);
}

TEST(SearchEach, StopsAtTheFirstFailure) {
  const TestFolder folder;
  const Index index = index_of(folder, {{"a", "one word"}});
  const Searcher searcher(index);
  const std::vector<Topic> topics(1000, Topic{Qid("1"), "word", {}});
  std::size_t num_taken = 0;
  const Status status = search_each(
      searcher, topics, 10, false, 1, [&](std::size_t topic, const SearchResult& result) {
        EXPECT_EQ(result.hits.size(), 1u);
        ++num_taken;
        return topic == 3 ? Status(Error{Errc::kUnavailable, "the disk is full", "run"})
                          : ok_status();
      });
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().message, "the disk is full");
  EXPECT_EQ(num_taken, 4u);
}

}  // namespace
}  // namespace rr
