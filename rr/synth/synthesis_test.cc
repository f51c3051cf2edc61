#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "rr/lm/replay_generator.h"
#include "rr/synth/synthesis_driver.h"
#include "rr/synth/synthesis_record.h"

namespace rr {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kSecret = "XYZZY the gold answer";

Passage passage(const std::string& docid) { return {Docid(docid), "", "text of " + docid}; }

SourceTopic topic_of(const std::string& qid = "q") {
  return {{Qid(qid), "why?", {}}, "set", kSecret, {}, "CC0"};
}

// Documents d1 ... dn.
std::vector<Passage> documents(std::size_t count, const std::string& prefix = "d") {
  std::vector<Passage> list;
  for (std::size_t i = 1; i <= count; ++i) list.push_back(passage(prefix + std::to_string(i)));
  return list;
}

CandidateInputs inputs_of(Domain domain) {
  CandidateInputs inputs;
  if (domain == Domain::kComplexQa) inputs.linked = documents(4, "link");
  inputs.retrieved = documents(6);
  return inputs;
}

std::string identity_order(std::size_t size) {
  std::string order;
  for (std::size_t i = 1; i <= size; ++i) order += fmt::format("{}[{}]", i == 1 ? "" : " > ", i);
  return order;
}

// A topic and what drives it by hand.
struct Conversation {
  explicit Conversation(Domain domain, SynthesisOptions set = {}, TopicQrels labels = {})
      : source(topic_of()), prompts(domain, {}, {}) {
    set.domain = domain;
    session.emplace(source, inputs_of(domain), labels, prompts, set);
  }

  // Replies to the question at hand, which must be of this step.
  void reply(SynthesisStep step, const std::string& text) {
    const auto question = session->next();
    ASSERT_TRUE(question.has_value());
    EXPECT_EQ(question->step, step);
    Completion completion;
    completion.text = text;
    session->accept(completion);
  }
  void rank() {
    const auto question = session->next();
    ASSERT_TRUE(question.has_value());
    reply(question->step, "<think>because</think>" + identity_order(question->num_passages));
  }

  SourceTopic source;
  TeacherPrompts prompts;
  std::optional<TopicSynthesis> session;
};

std::string all_text(const Messages& messages) {
  std::string text;
  for (const Message& message : messages) text += message.content + "\n";
  return text;
}

TEST(TopicSynthesis, ComplexQaGoesFromPositivesToHardNegativesToTheRanking) {
  Conversation talk(Domain::kComplexQa);
  EXPECT_THAT(all_text(talk.session->next()->messages), HasSubstr("Passage [4]: text of link4"));
  talk.reply(SynthesisStep::kPositives, "[2] [3]");
  EXPECT_THAT(all_text(talk.session->next()->messages), HasSubstr("hard negative"));
  talk.reply(SynthesisStep::kHardNegatives, "[1] [6]");
  talk.rank();
  EXPECT_FALSE(talk.session->next());
  const TopicOutcome outcome = talk.session->outcome();
  ASSERT_TRUE(outcome.sample);
  const Sample& sample = *outcome.sample;
  // Four linked passages and the two hard negatives; what else was searched has no label.
  EXPECT_EQ(sample.initial_list.size(), 6u);
  EXPECT_EQ(sample.final_list, sample.initial_list);
  EXPECT_THAT(sample.relevant, ::testing::UnorderedElementsAre(Docid("link2"), Docid("link3")));
  EXPECT_THAT(sample.hard_negatives, ::testing::UnorderedElementsAre(Docid("d1"), Docid("d6")));
  EXPECT_EQ(sample.reasoning, "because");
  EXPECT_EQ(sample.licence, "CC0");
  EXPECT_EQ(sample.other["provenance"]["requests"], 3u);
  EXPECT_EQ(sample.domain, "complex-qa");
}

TEST(TopicSynthesis, MathAndCodingSampleNegativesFromTheRest) {
  for (const Domain domain : {Domain::kCoding, Domain::kMathProblem, Domain::kMathTheorem}) {
    Conversation talk(domain, {.list = {.size = 4}});
    EXPECT_THAT(all_text(talk.session->next()->messages),
                HasSubstr(fmt::format("Solution: {}", kSecret)));
    talk.reply(SynthesisStep::kPositives, "[5]");
    talk.rank();
    const TopicOutcome outcome = talk.session->outcome();
    ASSERT_TRUE(outcome.sample);
    EXPECT_EQ(outcome.sample->initial_list.size(), 4u);
    EXPECT_THAT(outcome.sample->relevant, ElementsAre(Docid("d5")));
  }
}

TEST(TopicSynthesis, WebTakesItsLabelsFromTheQrels) {
  Conversation talk(Domain::kWeb, {}, {{Docid("d2"), 1}, {Docid("d3"), 0}, {Docid("z"), 1}});
  talk.rank();
  const TopicOutcome outcome = talk.session->outcome();
  ASSERT_TRUE(outcome.sample);
  EXPECT_THAT(outcome.sample->relevant, ElementsAre(Docid("d2")));
  Conversation unlabelled(Domain::kWeb);
  EXPECT_FALSE(unlabelled.session->next());
  EXPECT_EQ(unlabelled.session->outcome().dropped, DropReason::kNoPositive);
}

TEST(TopicSynthesis, WhoRanksNeverSeesTheAnswer) {
  for (const Domain domain : {Domain::kComplexQa, Domain::kCoding, Domain::kMathProblem,
                              Domain::kMathTheorem, Domain::kWeb}) {
    Conversation talk(domain, {.rankings = 3, .judge = true}, {{Docid("d2"), 1}});
    std::size_t rankings = 0;
    while (const auto question = talk.session->next()) {
      const std::string text = all_text(question->messages);
      const bool selects = question->step == SynthesisStep::kPositives ||
                           question->step == SynthesisStep::kHardNegatives;
      if (selects) {
        EXPECT_THAT(text, HasSubstr(kSecret)) << domain_name(domain);
        talk.reply(question->step, "[2]");
      } else {
        EXPECT_THAT(text, Not(HasSubstr("XYZZY"))) << domain_name(domain);
        ++rankings;
        talk.rank();
      }
    }
    EXPECT_EQ(rankings, 4u) << domain_name(domain);
    EXPECT_TRUE(talk.session->outcome().sample);
  }
}

TEST(TopicSynthesis, TopicsThatTeachNothingAreDroppedWithTheirReason) {
  const auto dropped_after = [](const std::string& reply) {
    Conversation talk(Domain::kMathTheorem);
    talk.reply(SynthesisStep::kPositives, reply);
    EXPECT_FALSE(talk.session->next());
    return talk.session->outcome().dropped;
  };
  EXPECT_EQ(dropped_after("None"), DropReason::kNoPositive);
  EXPECT_EQ(dropped_after("[1] [2] [3] [4] [5] [6]"), DropReason::kNoNegative);
  EXPECT_EQ(dropped_after("I'm sorry, I cannot help."), DropReason::kUnreadableSelection);

  Conversation incomplete(Domain::kMathTheorem);
  incomplete.reply(SynthesisStep::kPositives, "[1]");
  incomplete.reply(SynthesisStep::kRanking, "<think>x</think>[1] > [2]");
  EXPECT_EQ(incomplete.session->outcome().dropped, DropReason::kIncompleteRanking);

  Conversation chatty(Domain::kMathTheorem, {.max_chain_words = 2});
  chatty.reply(SynthesisStep::kPositives, "[1]");
  chatty.reply(SynthesisStep::kRanking, "<think>one two three</think>" + identity_order(6));
  EXPECT_EQ(chatty.session->outcome().dropped, DropReason::kLongChain);
}

TEST(TopicSynthesis, RepairsAreCounted) {
  Conversation talk(Domain::kMathTheorem);
  talk.reply(SynthesisStep::kPositives, "Relevant are [1] [1] [9]");
  talk.reply(SynthesisStep::kRanking, "<think>x</think>" + identity_order(6) + " > [3] > [77]");
  const Json repairs = talk.session->outcome().sample->other["provenance"]["repairs"];
  EXPECT_EQ(repairs, (Json{{"selection_out_of_range", 1},
                           {"selection_duplicated", 1},
                           {"selection_prose", 1},
                           {"duplicated", 1},
                           {"out_of_range", 1}}));
}

TEST(TopicSynthesis, ALongListIsSelectedInBatchesThatFit) {
  SynthesisOptions options;
  options.fits = [](const Messages& messages) {
    std::size_t passages = 0;
    const std::string text = all_text(messages);
    for (std::size_t at = text.find("text of"); at != text.npos;
         at = text.find("text of", at + 1)) {
      ++passages;
    }
    return passages <= 4 || messages.size() > 1;
  };
  Conversation talk(Domain::kMathTheorem, options);
  EXPECT_EQ(talk.session->next()->num_passages, 4u);
  talk.reply(SynthesisStep::kPositives, "[1]");
  EXPECT_EQ(talk.session->next()->num_passages, 2u);
  EXPECT_EQ(talk.session->next()->index, 1u);
  talk.reply(SynthesisStep::kPositives, "[2]");
  talk.rank();
  EXPECT_THAT(talk.session->outcome().sample->relevant,
              ::testing::UnorderedElementsAre(Docid("d1"), Docid("d6")));

  options.fits = [](const Messages&) { return false; };
  Conversation too_long(Domain::kMathTheorem, options);
  EXPECT_EQ(too_long.session->outcome().dropped, DropReason::kTooLong);
}

TEST(TopicSynthesis, SeveralRankingsAgreeOrNot) {
  Conversation talk(Domain::kMathTheorem, {.rankings = 2, .judge = true});
  talk.reply(SynthesisStep::kPositives, "[1]");
  talk.rank();
  const std::vector<Docid> first = talk.session->steps().back().read;
  // The second shuffle, put back into the first order: full agreement.
  const std::vector<Docid> shown = [&] {
    Conversation again(Domain::kMathTheorem, {.rankings = 2, .judge = true});
    again.reply(SynthesisStep::kPositives, "[1]");
    again.rank();
    again.rank();
    return again.session->steps().back().shown;
  }();
  EXPECT_NE(shown, first);
  std::string order;
  for (const Docid& docid : first) {
    const auto position = std::find(shown.begin(), shown.end(), docid) - shown.begin() + 1;
    order += fmt::format("{}[{}]", order.empty() ? "" : " > ", position);
  }
  talk.reply(SynthesisStep::kRanking, order);
  talk.rank();  // the judge keeps its own shuffle
  const Sample sample = *talk.session->outcome().sample;
  EXPECT_NEAR(sample.scores["agreement"].get<double>(), 1, 1e-12);
  EXPECT_LT(sample.scores["judge_agreement"].get<double>(), 1);
  EXPECT_GT(sample.scores["judge_ndcg@10"].get<double>(), 0);
  EXPECT_EQ(sample.other["other_rankings"].size(), 1u);
}

// Collects records by qid.
class Collector : public SynthesisListener {
 public:
  Status on_topic(const TopicSynthesis& topic, const TopicOutcome& outcome) override {
    const Json record = topic_record(topic, outcome);
    records[topic.topic().topic.qid.str()] = to_json_line(record);
    report.add(record);
    return ok_status();
  }
  std::map<std::string, std::string> records;
  SynthesisReport report;
};

std::vector<SynthesisInput> three_topics() {
  std::vector<SynthesisInput> inputs;
  for (const char* qid : {"a", "b", "c"}) {
    inputs.push_back({topic_of(qid), inputs_of(Domain::kMathTheorem), {}});
  }
  return inputs;
}

std::map<std::string, std::string> replies_for_three() {
  std::map<std::string, std::string> replies;
  for (const std::string qid : {"a", "b", "c"}) {
    replies[qid + "/positives/0"] = qid == "b" ? "None" : "[1] [2]";
    replies[qid + "/ranking/0"] = "<think>r</think>" + identity_order(6);
  }
  return replies;
}

std::vector<const SynthesisInput*> pointers_to(const std::vector<SynthesisInput>& inputs) {
  std::vector<const SynthesisInput*> pointers;
  for (const SynthesisInput& input : inputs) pointers.push_back(&input);
  return pointers;
}

TEST(SynthesizeAll, TopicsDoNotDependOnOneAnother) {
  const std::vector<SynthesisInput> inputs = three_topics();
  const TeacherPrompts prompts(Domain::kMathTheorem, {});
  std::vector<std::map<std::string, std::string>> runs;
  for (const std::size_t in_flight : {1U, 3U}) {
    ReplayGenerator generator(replies_for_three());
    const Teacher teacher{.generator = &generator};
    Collector collector;
    const Status status = synthesize_all(pointers_to(inputs), teacher, nullptr, prompts,
                                         {.domain = Domain::kMathTheorem}, in_flight, collector);
    ASSERT_TRUE(status.ok()) << status.error().to_string();
    EXPECT_EQ(collector.report.topics, 3u);
    EXPECT_EQ(collector.report.samples, 2u);
    EXPECT_EQ(collector.report.dropped["no_positive"], 1u);
    EXPECT_EQ(collector.report.requests, 5u);
    runs.push_back(collector.records);
  }
  EXPECT_EQ(runs[0], runs[1]);
}

TEST(SynthesizeAll, AFailureNamesTopicAndStep) {
  const std::vector<SynthesisInput> inputs = three_topics();
  const TeacherPrompts prompts(Domain::kMathTheorem, {});
  auto replies = replies_for_three();
  replies.erase("c/ranking/0");
  ReplayGenerator generator(replies);
  const Teacher teacher{.generator = &generator};
  Collector collector;
  const Status status = synthesize_all(pointers_to(inputs), teacher, nullptr, prompts,
                                       {.domain = Domain::kMathTheorem}, 1, collector);
  ASSERT_FALSE(status.ok());
  EXPECT_THAT(status.error().to_string(), HasSubstr("topic c/ranking/0"));
  EXPECT_EQ(collector.records.size(), 2u);  // those before it were told
}

TEST(TopicRecord, GivesTheLinesOfEachFile) {
  const std::vector<SynthesisInput> inputs = three_topics();
  const TeacherPrompts prompts(Domain::kMathTheorem, {});
  ReplayGenerator generator(replies_for_three());
  const Teacher teacher{.generator = &generator};
  Collector collector;
  ASSERT_TRUE(synthesize_all(pointers_to(inputs), teacher, nullptr, prompts,
                             {.domain = Domain::kMathTheorem}, 1, collector)
                  .ok());
  const RecordLines kept = lines_of(parse_json(collector.records["a"], "a").value());
  EXPECT_EQ(kept.dropped, "");
  const auto sample = sample_from_json(parse_json(kept.sample, "a").value(), "a");
  ASSERT_TRUE(sample.ok()) << sample.error().to_string();
  EXPECT_EQ(sample->passages.size(), 6u);
  EXPECT_EQ(std::count(kept.steps.begin(), kept.steps.end(), '\n'), 2);
  const RecordLines dropped = lines_of(parse_json(collector.records["b"], "b").value());
  EXPECT_EQ(dropped.sample, "");
  EXPECT_THAT(dropped.dropped, HasSubstr("\"reason\":\"no_positive\""));
}

}  // namespace
}  // namespace rr
