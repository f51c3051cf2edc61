#include "rr/ir/convert.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "rr/base/file.h"
#include "rr/ir/internal/test_file.h"
#include "tests/shared_data.h"
#include "tests/test_folder.h"

namespace rr {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Converted {
  std::string text;
  std::vector<std::string> notes;
  std::string refusal;
};

// What `convert(output)` writes.
Converted written_by(const std::function<Result<Conversion>(AtomicFile&)>& convert) {
  const TestFolder folder;
  AtomicFile output = std::move(AtomicFile::create(folder / "out").value());
  const Result<Conversion> conversion = convert(output);
  if (!conversion.ok()) return {"", {}, conversion.error().to_string()};
  EXPECT_TRUE(output.commit().ok());
  return {read_file(folder / "out").value(), conversion->notes, ""};
}

Converted qrels_as(QrelsFormat to, std::string_view text, bool lossy = false) {
  const TestFile file(text);
  return written_by(
      [&](AtomicFile& output) { return convert_qrels(file.path(), to, {lossy}, output); });
}
Converted topics_as(TopicsFormat to, std::string_view text, bool lossy = false) {
  const TestFile file(text);
  return written_by(
      [&](AtomicFile& output) { return convert_topics(file.path(), to, {lossy}, output); });
}
Converted corpus_as(CorpusFormat to, std::string_view text, bool lossy = false) {
  const TestFile file(text);
  return written_by(
      [&](AtomicFile& output) { return convert_corpus(file.path(), to, {lossy}, output); });
}
Converted run_as(RunFormat to, std::string_view text, const RunSources& sources = {}) {
  const TestFile file(text);
  return written_by(
      [&](AtomicFile& output) { return convert_run(file.path(), to, sources, output); });
}

TEST(ConvertQrels, BetweenTrecAndBeirInTheOrderOfTheFile) {
  const std::string trec = "q2 0 b%20c 1\nq1 0 a -1\n";
  const std::string beir = "query-id\tcorpus-id\tscore\nq2\tb%20c\t1\nq1\ta\t-1\n";
  EXPECT_EQ(qrels_as(QrelsFormat::kBeir, trec).text, beir);
  EXPECT_EQ(qrels_as(QrelsFormat::kTrec, beir).text, trec);
  EXPECT_EQ(qrels_as(QrelsFormat::kTrec, "q 7 a 1\n").text, "q 7 a 1\n");
}

TEST(ConvertQrels, AnIterationIsNotLostInSilence) {
  EXPECT_THAT(qrels_as(QrelsFormat::kBeir, "q 0 a 1\nq 7 b 1\n").refusal,
              HasSubstr(":2: BEIR qrels have no iteration, found \"7\"; --lossy"));
  const Converted lossy = qrels_as(QrelsFormat::kBeir, "# c\nq Q0 a 1\nq 7 b 1\n", true);
  EXPECT_THAT(lossy.notes, ElementsAre("1 iteration other than 0 left out", "1 comment left out"));
  EXPECT_THAT(qrels_as(QrelsFormat::kTrec, "q 0 a 1\nq 0 a 2\n").refusal, HasSubstr(":2: "));
}

TEST(ConvertTopics, BetweenJsonlAndTsv) {
  const std::string jsonl = "{\"_id\":\"1\",\"text\":\"why\\tso?\"}\n";
  EXPECT_EQ(topics_as(TopicsFormat::kTsv, jsonl).text, "1\twhy\tso?\n");
  EXPECT_EQ(topics_as(TopicsFormat::kJsonl, "1\twhy\tso?\n").text, jsonl);
}

TEST(ConvertTopics, KeepWhatIsExcludedOrSayThatTheyDoNot) {
  const std::string bright =
      R"({"query": "a\nb", "id": 7, "excluded_ids": ["x y"], "reasoning": "..."})";
  const Converted jsonl = topics_as(TopicsFormat::kJsonl, bright);
  EXPECT_EQ(jsonl.text, "{\"_id\":\"7\",\"text\":\"a\\nb\",\"excluded_ids\":[\"x%20y\"]}\n");
  EXPECT_THAT(jsonl.notes, ElementsAre("1 field that topics do not have left out"));
  EXPECT_THAT(topics_as(TopicsFormat::kTsv, bright).refusal,
              HasSubstr("topic 7: TSV has no line ends in a query; --lossy"));
  const Converted lossy = topics_as(TopicsFormat::kTsv, bright, true);
  EXPECT_EQ(lossy.text, "7\ta b\n");
  EXPECT_EQ(lossy.notes.size(), 3u);
}

TEST(ConvertCorpus, BetweenBeirPyseriniAndTsv) {
  const std::string beir = "{\"_id\":\"a\",\"title\":\"\",\"text\":\"one\\ttwo\"}\n";
  EXPECT_EQ(corpus_as(CorpusFormat::kPyserini, beir).text,
            "{\"id\":\"a\",\"contents\":\"one\\ttwo\"}\n");
  EXPECT_EQ(corpus_as(CorpusFormat::kTsv, beir).text, "a\tone\ttwo\n");
  EXPECT_EQ(corpus_as(CorpusFormat::kBeir, "a\tone\ttwo\n").text, beir);
  EXPECT_EQ(corpus_as(CorpusFormat::kBeir, "{\"id\":\"a\",\"contents\":\"one\\ttwo\"}\n").text,
            beir);
}

TEST(ConvertCorpus, TitlesGoBeforeTheirTextsAndAreCounted) {
  const std::string beir = R"({"_id": "a", "title": "T", "text": "one", "url": "u"})";
  const Converted pyserini = corpus_as(CorpusFormat::kPyserini, beir);
  EXPECT_EQ(pyserini.text, "{\"id\":\"a\",\"contents\":\"T\\none\"}\n");
  EXPECT_THAT(pyserini.notes, ElementsAre("1 field that passages do not have left out",
                                          "1 title put before its text"));
  EXPECT_EQ(corpus_as(CorpusFormat::kTsv, beir).text, "a\tT one\n");
  EXPECT_THAT(corpus_as(CorpusFormat::kTsv, R"({"_id": "a", "text": "one\ntwo"})").refusal,
              HasSubstr(":1: TSV has no line ends in a text; --lossy"));
  EXPECT_EQ(corpus_as(CorpusFormat::kTsv, R"({"_id": "a", "text": "1\r\n2"})", true).text,
            "a\t1  2\n");
}

TEST(ConvertRun, ToRequestsAndBack) {
  const TestFile topics("1\twhy?\n2\thow?\n");
  const TestFile corpus("a\tone\nb c\ttwo\n");
  const RunSources sources{topics.path(), corpus.path()};
  const std::string trec = "2 Q0 b%20c 1 2.5 t\n2 Q0 a 2 1 t\n1 Q0 a 1 0.125 t\n";
  const Converted lines = run_as(RunFormat::kRequestsJsonl, trec, sources);
  EXPECT_THAT(lines.text,
              HasSubstr("{\"query\":{\"text\":\"how?\",\"qid\":\"2\"},\"candidates\":[{\"docid\":"
                        "\"b%20c\",\"score\":2.5,\"doc\":{\"text\":\"two\"}},"));
  const Converted array = run_as(RunFormat::kRequests, lines.text);
  EXPECT_EQ(run_as(RunFormat::kRequestsJsonl, array.text).text, lines.text);
  const Converted back = run_as(RunFormat::kTrec, array.text);
  EXPECT_EQ(back.text, "2 Q0 b%20c 1 2.5 requests\n2 Q0 a 2 1 requests\n1 Q0 a 1 0.125 requests\n");
  EXPECT_THAT(back.notes, ElementsAre("2 requests whose queries and texts have no place in a run"));
}

TEST(ConvertRun, NeedsTextsForRequests) {
  EXPECT_THAT(run_as(RunFormat::kRequests, "1 Q0 a 1 1 t\n").refusal, HasSubstr("--corpus"));
  EXPECT_EQ(run_as(RunFormat::kTrec, "1 Q0 a 7 1 t\n").text, "1 Q0 a 1 1 t\n");
}

TEST(Convert, RealRequestsComeBackAsTheyWere) {
  const fs::path file = shared_data("trec-dl19-rerank") / "retrieve_results_BM25_dl19.json";
  RR_NEEDS_FILE(file);
  const auto as = [](const fs::path& path, RunFormat to) {
    return written_by([&](AtomicFile& output) { return convert_run(path, to, {}, output); });
  };
  const Converted lines = as(file, RunFormat::kRequestsJsonl);
  const TestFile again(lines.text);
  EXPECT_EQ(as(again.path(), RunFormat::kTrec).text, as(file, RunFormat::kTrec).text);
  EXPECT_EQ(as(again.path(), RunFormat::kRequestsJsonl).text, lines.text);
}

}  // namespace
}  // namespace rr
