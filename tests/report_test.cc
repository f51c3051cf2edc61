#include <fmt/core.h>
#include <gtest/gtest.h>

#include <string>

#include "rr/base/file.h"
#include "rr/base/json.h"
#include "tests/program.h"

// Pages as a user makes them.

namespace rr {
namespace {

class Reporting : public Program {};

TEST_F(Reporting, ComparesInAPageThatShowsWhatTheTableSays) {
  const std::string tiny = std::string(RR_SOURCE_DIR) + "/data/tiny/";
  // The run backwards: topics lose, and some gain.
  ASSERT_EQ(run(fmt::format("sed 's/^\\([^ ]* [^ ]* [^ ]* [^ ]* \\)/\\1-/' {}bm25.trec > back.trec",
                            tiny))
                .exit_code,
            0);
  const std::string compare = fmt::format(
      "$R compare {0}qrels.trec {0}bm25.trec back.trec -m nDCG@10,RR --topics {0}queries.jsonl "
      "--corpus {0}corpus.jsonl ",
      tiny);
  const Outcome outcome = run(compare + "--html page.html --format json");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const std::string html = read_file(directory_ / "page.html").value();
  const Json json = parse_json(outcome.out, "stdout").value();
  for (const Json& measure : json["measures"]) {
    for (const Json& of_run : measure["runs"]) {
      const double mean = of_run["mean"].get<double>();
      EXPECT_THAT(html, HasSubstr(fmt::format("{:.4f}", mean)));
      EXPECT_THAT(html, HasSubstr(fmt::format("<td>{:.6g}</td>", mean)));
    }
    const Json& pair = measure["pairs"][0];
    EXPECT_THAT(html, HasSubstr(fmt::format("<td>{}/{}/{}</td>", pair["wins"].dump(),
                                            pair["ties"].dump(), pair["losses"].dump())));
  }
  EXPECT_THAT(html, HasSubstr("Topics most hurt"));
  ASSERT_EQ(run(compare + "--html again.html").exit_code, 0);
  EXPECT_EQ(read_file(directory_ / "again.html").value(), html);
}

TEST_F(Reporting, ThePageTakesNoMarkupFromItsInputs) {
  write("qrels.txt", "q1 0 <img/src=x> 1\n");
  write("a.trec", "q1 Q0 b 1 2.0 a\nq1 Q0 <img/src=x> 2 1.0 a\n");
  write("b.trec", "q1 Q0 <img/src=x> 1 2.0 b\nq1 Q0 b 2 1.0 b\n");
  write("topics.jsonl", R"({"_id": "q1", "text": "</script><script>alert(1)</script>"})"
                        "\n");
  const Outcome outcome =
      run("$R compare qrels.txt a.trec b.trec --topics topics.jsonl --html page.html");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const std::string html = read_file(directory_ / "page.html").value();
  EXPECT_THAT(html, HasSubstr("&lt;img/src=x&gt;"));
  EXPECT_THAT(html, HasSubstr("&lt;script&gt;alert(1)"));
  EXPECT_THAT(html, Not(HasSubstr("<img")));
  EXPECT_THAT(html, Not(HasSubstr("<script>alert")));
}

TEST_F(Reporting, TakesCostsFromTraces) {
  write("b.trec", "q1 Q0 b 1 2.0 b\nq1 Q0 a 2 1.0 b\n");
  const std::string window =
      R"({"start": 0, "end": 2, "response": "[2] > [1]", "tokens": {"prompt": 1200, "completion": 34}})";
  write("trace.jsonl",
        R"({"qid": "q1", "query": "why?", "initial": ["a", "b"], "seconds": 1.5, "windows": [)" +
            window + "," + window + "]}\n");
  // The option takes one value: what follows are qrels and runs.
  const Outcome outcome =
      run("$R compare --html page.html --trace b.trec=trace.jsonl qrels.txt run.trec b.trec");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const std::string html = read_file(directory_ / "page.html").value();
  EXPECT_THAT(html, HasSubstr("<td>1</td><td>2.0</td><td>2400.0</td><td>68.0</td><td>1.5</td>"
                              "<td>2468</td>"));
}

TEST_F(Reporting, DrawsTheCurvesOfRunsThatMayBeUnderWay) {
  for (const char* const name : {"a", "b"}) {
    fs::create_directories(directory_ / name);
    write(std::string(name) + "/run.json",
          R"({"program": "reasonrank 0.1", "kind": "sft", "settings": {"lr": 1e-05}})");
  }
  write("a/metrics.jsonl",
        "{\"step\":1,\"loss\":2.5}\n{\"step\":2,\"loss\":1.5}\n{\"step\":3,\"lo");
  write("b/metrics.jsonl", "{\"step\":1,\"loss\":2.25}\n");
  const Outcome one = run("$R report a -o one.html");
  ASSERT_EQ(one.exit_code, 0) << one.err;
  const std::string html = read_file(directory_ / "one.html").value();
  EXPECT_THAT(html, HasSubstr("1.5 (step 2)"));
  EXPECT_THAT(html, HasSubstr("last line is not whole"));
  ASSERT_EQ(run("$R report a b -o both.html").exit_code, 0);
  EXPECT_THAT(read_file(directory_ / "both.html").value(),
              HasSubstr("<tr><td>1</td><td>2.5</td><td>2.25</td></tr>"));
}

TEST_F(Reporting, SaysWhichFolderIsNoRun) {
  fs::create_directories(directory_ / "a");
  expect_refused("$R report a -o p.html", {"a: expected the folder of a run"});
  write("a/run.json", "{}");
  write("a/metrics.jsonl", "{\"step\":1}\n{\"step\":\n{\"step\":3}\n");
  expect_refused("$R report a -o p.html", {"metrics.jsonl:2"});
  expect_refused("$R report none -o p.html", {"none: expected the folder of a run"});
  expect_refused("$R report -o p.html", {"runs"}, 2);
  EXPECT_FALSE(fs::exists(directory_ / "p.html"));
}

TEST_F(Reporting, SaysWhatIsWrongWithAPagesInputs) {
  write("b.trec", "q1 Q0 b 1 2.0 b\nq1 Q0 a 2 1.0 b\n");
  const std::string compare = "$R compare qrels.txt run.trec b.trec ";
  expect_refused(compare + "--html none/page.html", {"none/page.html"});
  expect_refused(compare + "--topics topics.jsonl", {"--html"}, 2);
  expect_refused(compare + "--html p.html --trace c=t.jsonl", {"a to b", "c=t.jsonl"}, 2);
  expect_refused(compare + "--html p.html --trace b=x --trace b.trec=y", {"two traces", "b"}, 2);
  expect_refused(compare + "--html p.html --trace b=none.jsonl", {"none.jsonl"});
  write("others.jsonl", "{\"_id\": \"q9\", \"text\": \"why?\"}\n");
  expect_refused(compare + "--html p.html --topics others.jsonl",
                 {"others.jsonl", "none of the 1"});
  EXPECT_FALSE(fs::exists(directory_ / "p.html"));
}

}  // namespace
}  // namespace rr
