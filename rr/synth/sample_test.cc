#include "rr/synth/sample.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/shared_data.h"
#include "tests/test_folder.h"

namespace rr {
namespace {

using ::testing::HasSubstr;

constexpr const char* kRecord =
    R"({"dataset":"math-qa","qid":7,"initial_list":["a","b"],"final_list":["b","a"],)"
    R"("reasoning":"b proves it","relevant_docids":["b"]})";

Result<Sample> parse(const std::string& text) {
  return sample_from_json(parse_json(text, "f").value(), "f:1");
}

std::string refusal(const std::string& text) {
  const auto sample = parse(text);
  return sample.ok() ? "" : sample.error().to_string();
}

TEST(Sample, ReadsAPublishedRecord) {
  const Sample sample = parse(kRecord).value();
  EXPECT_EQ(sample.dataset, "math-qa");
  EXPECT_EQ(sample.qid, Qid("7"));
  EXPECT_EQ(sample.final_list, (std::vector{Docid("b"), Docid("a")}));
  EXPECT_EQ(sample.relevant, std::vector{Docid("b")});
  EXPECT_EQ(sample.reasoning, "b proves it");
  EXPECT_FALSE(sample.has_texts());
  EXPECT_EQ(labels_of(sample), (TopicQrels{{Docid("a"), 0}, {Docid("b"), 1}}));
}

TEST(Sample, KeepsFieldsThatItDoesNotKnow) {
  const std::string line =
      R"({"dataset":"d","qid":"q","domain":"web","query":"why?","initial_list":["a","b"],)"
      R"("final_list":["b","a"],"reasoning":"r","relevant_docids":["b"],"hard_negatives":["a"],)"
      R"("passages":[{"docid":"a","text":"x"},{"docid":"b","title":"t","text":"y"}],)"
      R"("scores":{"ndcg@10":1.0},"licence":"CC0","split":"sft","provenance":{"seed":3}})";
  EXPECT_EQ(to_json_line(to_json(parse(line).value())), line);
}

TEST(Sample, TheOrderMayBeAbsent) {
  for (const char* order : {R"("final_list":null,)", R"("final_list":[],)", ""}) {
    const auto sample = parse(std::string(R"({"dataset":"d","qid":"q","initial_list":["a"],)") +
                              order + R"("relevant_docids":["a"]})");
    ASSERT_TRUE(sample.ok()) << order;
    EXPECT_TRUE(sample->final_list.empty());
    EXPECT_TRUE(to_json(sample.value())["final_list"].is_null());
  }
}

TEST(Sample, SaysWhatIsWrongAndWhere) {
  const std::string head = R"({"dataset":"d","qid":"q",)";
  EXPECT_THAT(refusal(R"({"qid":"q"})"), HasSubstr("f:1: expected a field \"dataset\""));
  EXPECT_THAT(refusal(head + R"("initial_list":[],"relevant_docids":["a"]})"),
              HasSubstr("at least one docid in \"initial_list\""));
  EXPECT_THAT(refusal(head + R"("initial_list":["a","a"],"relevant_docids":["a"]})"),
              HasSubstr("each docid once in \"initial_list\", found \"a\" again"));
  EXPECT_THAT(refusal(head + R"("initial_list":["a"],"final_list":["z"],"relevant_docids":["a"]})"),
              HasSubstr("found \"z\", which is not among them"));
  EXPECT_THAT(
      refusal(head + R"("initial_list":["a","b"],"final_list":["b"],"relevant_docids":["a"]})"),
      HasSubstr("all 2 passages of the list, found 1"));
  EXPECT_THAT(refusal(head + R"("initial_list":["a"],"relevant_docids":[]})"),
              HasSubstr("at least one docid in \"relevant_docids\""));
  EXPECT_THAT(refusal(head + R"("initial_list":["a","b"],"relevant_docids":["a"],)"
                             R"("passages":[{"docid":"b","text":""},{"docid":"a","text":""}]})"),
              HasSubstr("those of \"initial_list\", in its order"));
  EXPECT_THAT(refusal(head + R"("initial_list":["a",1.5],"relevant_docids":["a"]})"),
              HasSubstr("expected ids"));
}

TEST(Sample, AFileHoldsATopicOnce) {
  const TestFolder folder;
  const auto samples =
      read_samples(folder.write("samples.jsonl", std::string(kRecord) + "\n\n" + kRecord + "\n"));
  ASSERT_FALSE(samples.ok());
  EXPECT_THAT(samples.error().to_string(), HasSubstr(".jsonl:3: expected each topic once"));
}

TEST(Sample, ReadsARealTeachersWindows) {
  const auto path = shared_data("teacher-textbooks/windows.jsonl");
  RR_NEEDS_FILE(path);
  const auto samples = read_samples(path);
  ASSERT_TRUE(samples.ok()) << samples.error().to_string();
  ASSERT_EQ(samples->size(), 2299u);  // wc -l
  EXPECT_TRUE(samples->front().other.contains("grades"));
}

TEST(Domain, NamesComeBack) {
  for (const Domain domain : {Domain::kComplexQa, Domain::kCoding, Domain::kMathProblem,
                              Domain::kMathTheorem, Domain::kWeb}) {
    EXPECT_EQ(find_domain(domain_name(domain)), domain);
  }
  EXPECT_FALSE(find_domain("poetry"));
}

}  // namespace
}  // namespace rr
