#include "rr/synth/topic_synthesis.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

#include "rr/base/check.h"
#include "rr/base/random.h"
#include "rr/measures/ndcg.h"
#include "rr/measures/rbo.h"
#include "rr/rerank/training_data.h"
#include "rr/synth/internal/count_words.h"
#include "rr/synth/teacher_reply.h"

namespace rr {
namespace {

constexpr double kPersistence = 0.9;
constexpr std::size_t kCutoff = 10;
constexpr const char* kRankingTemplate = "teacher-ranking-v1";

const char* selection_template(Domain domain, SynthesisStep step) {
  if (step == SynthesisStep::kHardNegatives) return "teacher-complex-qa-hard-negatives-v1";
  switch (domain) {
    case Domain::kComplexQa:
      return "teacher-complex-qa-positives-v1";
    case Domain::kCoding:
      return "teacher-coding-positives-v1";
    case Domain::kMathProblem:
      return "teacher-math-problem-positives-v1";
    default:
      return "teacher-math-theorem-positives-v1";
  }
}

std::vector<PromptTemplate> selection_templates(Domain domain) {
  std::vector<PromptTemplate> templates;
  for (const SynthesisStep step : {SynthesisStep::kPositives, SynthesisStep::kHardNegatives}) {
    templates.push_back(PromptTemplate::named(selection_template(domain, step)));
  }
  return templates;
}

void set_if(Json& json, const char* key, std::size_t count) {
  if (count > 0) json[key] = count;
}

// Each step of a topic draws apart from the others.
std::uint64_t stream(const SourceTopic& topic, std::string_view purpose, std::size_t index) {
  return stream_of(
      fmt::format("{}/{}/{}/{}", topic.dataset, topic.topic.qid.str(), purpose, index));
}

}  // namespace

const char* step_name(SynthesisStep step) {
  constexpr std::array kNames = {"positives", "hard_negatives", "ranking", "judgement"};
  return kNames.at(static_cast<std::size_t>(step));
}

const char* drop_reason_name(DropReason reason) {
  constexpr std::array kNames = {
      "no_candidates",      "no_positive", "no_negative", "unreadable_selection",
      "incomplete_ranking", "long_chain",  "too_long"};
  return kNames.at(static_cast<std::size_t>(reason));
}

bool teacher_labels(Domain domain) { return domain != Domain::kWeb; }

TeacherPrompts::TeacherPrompts(Domain domain, PassageCut cut, TextRepair repair)
    : domain_(domain),
      texts_({.mode = PromptMode::kReasoning, .cut = std::move(cut), .repair = std::move(repair)}),
      selections_(selection_templates(domain)),
      ranking_(PromptTemplate::named(kRankingTemplate)) {}

Messages TeacherPrompts::selection(SynthesisStep step, std::string_view query,
                                   std::string_view answer,
                                   std::span<const std::string_view> passages) const {
  const std::array values = {Placeholder{"{query}", query}, Placeholder{"{answer}", answer}};
  return selections_.at(static_cast<std::size_t>(step)).fill(values, passages);
}

Messages TeacherPrompts::ranking(std::string_view query,
                                 std::span<const std::string_view> passages) const {
  const std::array values = {Placeholder{"{query}", query}};
  return ranking_.fill(values, passages);
}

std::vector<std::string> TeacherPrompts::template_names() const {
  std::vector<std::string> names;
  if (teacher_labels(domain_)) {
    names.emplace_back(selection_template(domain_, SynthesisStep::kPositives));
  }
  if (domain_ == Domain::kComplexQa) {
    names.emplace_back(selection_template(domain_, SynthesisStep::kHardNegatives));
  }
  names.emplace_back(kRankingTemplate);
  return names;
}

TopicSynthesis::TopicSynthesis(const SourceTopic& topic, const CandidateInputs& inputs,
                               const TopicQrels& labels, const TeacherPrompts& prompts,
                               const SynthesisOptions& options)
    : topic_(&topic), prompts_(&prompts), options_(options) {
  RR_CHECK(options.rankings >= 1 && options.selection_size >= 1, "something to ask");
  Candidates candidates = gather_candidates(options.domain, inputs, options.candidates);
  for (Passage& passage : candidates.linked) {
    linked_.push_back(passages_.size());
    passages_.push_back(std::move(passage));
  }
  for (Passage& passage : candidates.retrieved) {
    retrieved_.push_back(passages_.size());
    passages_.push_back(std::move(passage));
  }
  for (const Passage& passage : passages_) texts_.push_back(prompts.prepare_passage(passage));
  query_ = prompts.prepare_query(topic.topic.query);
  answer_ = prompts.prepare_query(topic.answer);
  is_positive_.resize(passages_.size());
  if (passages_.empty()) {
    drop(DropReason::kNoCandidates);
  } else if (teacher_labels(options.domain)) {
    select(SynthesisStep::kPositives, options.domain == Domain::kComplexQa ? linked_ : retrieved_);
  } else {
    label_by(labels);
  }
  go_on();
}

Messages TopicSynthesis::messages_of(const Pending& pending) const {
  std::vector<std::string_view> texts;
  for (const std::size_t number : pending.shown) texts.push_back(texts_[number]);
  const bool ranks =
      pending.step == SynthesisStep::kRanking || pending.step == SynthesisStep::kJudgement;
  return ranks ? prompts_->ranking(query_, texts)
               : prompts_->selection(pending.step, query_, answer_, texts);
}

bool TopicSynthesis::fits(const Pending& pending) const {
  return !options_.fits || options_.fits(messages_of(pending));
}

void TopicSynthesis::drop(DropReason reason) {
  dropped_ = reason;
  pending_.clear();
}

// Asks about a pool in batches, each as large as its prompt may be.
void TopicSynthesis::select(SynthesisStep step, const std::vector<std::size_t>& pool) {
  Pending batch{step, 0, {}};
  for (const std::size_t number : pool) {
    batch.shown.push_back(number);
    if (batch.shown.size() <= options_.selection_size && fits(batch)) continue;
    batch.shown.pop_back();
    if (batch.shown.empty()) return drop(DropReason::kTooLong);
    pending_.push_back(batch);
    batch = {step, batch.index + 1, {number}};
    if (!fits(batch)) return drop(DropReason::kTooLong);
  }
  if (!batch.shown.empty()) pending_.push_back(std::move(batch));
}

void TopicSynthesis::label_by(const TopicQrels& labels) {
  for (std::size_t number = 0; number < passages_.size(); ++number) {
    const auto label = labels.find(passages_[number].docid);
    is_positive_[number] = label != labels.end() && label->second > 0;
  }
}

std::optional<TopicSynthesis::Question> TopicSynthesis::next() const {
  if (pending_.empty()) return std::nullopt;
  const Pending& pending = pending_.front();
  return Question{pending.step, pending.index, pending.shown.size(), messages_of(pending)};
}

// What follows once nothing is left to ask of a step.
void TopicSynthesis::go_on() {
  if (dropped_ || !pending_.empty() || listed_) return;
  if (std::find(is_positive_.begin(), is_positive_.end(), true) == is_positive_.end()) {
    return drop(DropReason::kNoPositive);
  }
  if (options_.domain == Domain::kComplexQa && !hard_negatives_asked_) {
    hard_negatives_asked_ = true;
    select(SynthesisStep::kHardNegatives, retrieved_);
    if (dropped_ || !pending_.empty()) return;
  }
  make_list();
}

void TopicSynthesis::make_list() {
  // Of the searched passages in complex QA only those picked have a label.
  const auto& judged = options_.domain == Domain::kComplexQa ? linked_ : retrieved_;
  for (const std::size_t number : judged) {
    (is_positive_[number] ? labelled_.positives : labelled_.negatives).push_back(number);
  }
  if (labelled_.negatives.empty() && labelled_.hard_negatives.empty()) {
    return drop(DropReason::kNoNegative);
  }
  listed_ = true;
  list_ = choose_list(labelled_, options_.list, options_.seed, stream(*topic_, "list", 0));
  for (std::size_t i = 0; i < options_.rankings; ++i) {
    Pending ranking{SynthesisStep::kRanking, i, list_};
    RandomStream random(options_.seed, stream(*topic_, "ranking", i));
    if (i > 0) shuffle(ranking.shown, random);
    pending_.push_back(std::move(ranking));
  }
  if (options_.judge) {
    Pending judgement{SynthesisStep::kJudgement, 0, list_};
    RandomStream random(options_.seed, stream(*topic_, "judgement", 0));
    shuffle(judgement.shown, random);
    pending_.push_back(std::move(judgement));
  }
  if (!fits(pending_.front())) drop(DropReason::kTooLong);
}

void TopicSynthesis::accept(const Completion& completion) {
  RR_CHECK(!pending_.empty(), "nothing was asked");
  const Pending pending = std::move(pending_.front());
  pending_.pop_front();
  StepRecord record{};
  record.step = pending.step;
  record.index = pending.index;
  record.shown = docids_of(pending.shown);
  record.reply = completion.text;
  record.prompt_tokens = completion.prompt_tokens;
  for (const StageReport& stage : completion.stages) record.completion_tokens += stage.num_tokens;
  record.seconds = completion.prefill_s + completion.decode_s;
  const bool selects =
      pending.step == SynthesisStep::kPositives || pending.step == SynthesisStep::kHardNegatives;
  if (selects) {
    accept_selection(pending, record);
  } else {
    accept_ranking(pending, record);
  }
  steps_.push_back(std::move(record));
  go_on();
}

void TopicSynthesis::accept_selection(const Pending& pending, StepRecord& record) {
  const ParsedSelection parsed = parse_selection(record.reply, pending.shown.size());
  set_if(record.trouble, "out_of_range", parsed.out_of_range);
  set_if(record.trouble, "duplicated", parsed.duplicated);
  if (parsed.has_prose && parsed.kind == ParsedSelection::Kind::kPicked) {
    record.trouble["prose"] = 1;
  }
  if (parsed.kind == ParsedSelection::Kind::kUnreadable) {
    record.trouble["unreadable"] = 1;
    return drop(DropReason::kUnreadableSelection);
  }
  for (const std::size_t position : parsed.picked) {
    const std::size_t number = pending.shown[position];
    record.read.push_back(passages_[number].docid);
    if (pending.step == SynthesisStep::kPositives) {
      is_positive_[number] = true;
    } else {
      labelled_.hard_negatives.push_back(number);
    }
  }
}

void TopicSynthesis::accept_ranking(const Pending& pending, StepRecord& record) {
  const ParsedTeacherRanking parsed = parse_teacher_ranking(record.reply, pending.shown.size());
  set_if(record.trouble, "duplicated", parsed.order.duplicated);
  set_if(record.trouble, "out_of_range", parsed.order.out_of_range);
  set_if(record.trouble, "digit_like", parsed.order.digit_like);
  set_if(record.trouble, "missing", parsed.order.missing);
  RankingReply reply{pending.shown, {}, std::string(parsed.thoughts)};
  for (const std::size_t position : parsed.order.order) {
    reply.order.push_back(pending.shown[position]);
  }
  record.read = docids_of(reply.order);
  const bool is_gold = pending.step == SynthesisStep::kRanking && pending.index == 0;
  if (!parsed.is_whole()) {
    // A further ranking that is not whole gives no score; the sample stands without it.
    if (is_gold) drop(DropReason::kIncompleteRanking);
    return;
  }
  if (is_gold && options_.max_chain_words > 0 &&
      internal::count_words(parsed.thoughts) > options_.max_chain_words) {
    return drop(DropReason::kLongChain);
  }
  if (pending.step == SynthesisStep::kJudgement) {
    judgement_ = std::move(reply);
  } else {
    rankings_.push_back(std::move(reply));
  }
}

std::vector<Docid> TopicSynthesis::docids_of(const std::vector<std::size_t>& numbers) const {
  std::vector<Docid> docids;
  for (const std::size_t number : numbers) docids.push_back(passages_[number].docid);
  return docids;
}

Json TopicSynthesis::repairs() const {
  Json counts = Json::object();
  for (const StepRecord& step : steps_) {
    const bool ranks =
        step.step == SynthesisStep::kRanking || step.step == SynthesisStep::kJudgement;
    for (const auto& [key, value] : step.trouble.items()) {
      const std::string name = ranks ? key : "selection_" + key;
      counts[name] = counts.value(name, std::size_t{0}) + value.get<std::size_t>();
    }
  }
  return counts;
}

Json TopicSynthesis::scores(const TopicQrels& labels) const {
  Json scores = Json::object();
  if (rankings_.size() > 1) {
    double sum = 0;
    std::size_t pairs = 0;
    for (std::size_t i = 0; i < rankings_.size(); ++i) {
      for (std::size_t j = i + 1; j < rankings_.size(); ++j, ++pairs) {
        sum += normalized_rbo_at(list_.size(), kPersistence, docids_of(rankings_[i].order),
                                 docids_of(rankings_[j].order));
      }
    }
    scores["agreement"] = sum / static_cast<double>(pairs);
  }
  if (judgement_) {
    const std::vector<Docid> judged = docids_of(judgement_->order);
    scores["judge_ndcg@10"] = ndcg_at(kCutoff, judged, labels);
    scores["judge_agreement"] =
        normalized_rbo_at(list_.size(), kPersistence, judged, docids_of(rankings_.front().order));
  }
  return scores;
}

Json TopicSynthesis::provenance() const {
  Json json = options_.provenance;
  std::size_t prompt_tokens = 0;
  std::size_t completion_tokens = 0;
  double seconds = 0;
  for (const StepRecord& step : steps_) {
    prompt_tokens += step.prompt_tokens;
    completion_tokens += step.completion_tokens;
    seconds += step.seconds;
  }
  json["requests"] = steps_.size();
  json["prompt_tokens"] = prompt_tokens;
  json["completion_tokens"] = completion_tokens;
  json["seconds"] = seconds;
  if (options_.prompt_price > 0 || options_.completion_price > 0) {
    constexpr double kMillion = 1e6;
    json["cost_usd"] = (static_cast<double>(prompt_tokens) * options_.prompt_price +
                        static_cast<double>(completion_tokens) * options_.completion_price) /
                       kMillion;
  }
  if (Json counts = repairs(); !counts.empty()) json["repairs"] = std::move(counts);
  return json;
}

Sample TopicSynthesis::make_sample() const {
  Sample sample;
  sample.dataset = topic_->dataset;
  sample.qid = topic_->topic.qid;
  sample.domain = domain_name(options_.domain);
  sample.query = topic_->topic.query;
  sample.licence = topic_->licence;
  sample.initial_list = docids_of(list_);
  sample.final_list = docids_of(rankings_.front().order);
  sample.reasoning = rankings_.front().thoughts;
  const auto& hard = labelled_.hard_negatives;
  for (const std::size_t number : list_) {
    sample.passages.push_back(passages_[number]);
    if (is_positive_[number]) sample.relevant.push_back(passages_[number].docid);
    if (std::find(hard.begin(), hard.end(), number) != hard.end()) {
      sample.hard_negatives.push_back(passages_[number].docid);
    }
  }
  sample.scores = scores(labels_of(sample));
  Json others = Json::array();
  for (std::size_t i = 1; i < rankings_.size(); ++i) {
    others.push_back({{"initial_list", docids_to_json(docids_of(rankings_[i].shown))},
                      {"final_list", docids_to_json(docids_of(rankings_[i].order))},
                      {"reasoning", rankings_[i].thoughts}});
  }
  if (!others.empty()) sample.other["other_rankings"] = std::move(others);
  sample.other["provenance"] = provenance();
  return sample;
}

TopicOutcome TopicSynthesis::outcome() const {
  RR_CHECK(pending_.empty(), "the topic is not done");
  TopicOutcome outcome;
  outcome.candidates = passages_.size();
  outcome.positives =
      static_cast<std::size_t>(std::count(is_positive_.begin(), is_positive_.end(), true));
  outcome.negatives = labelled_.negatives.size() + labelled_.hard_negatives.size();
  outcome.dropped = dropped_;
  if (!dropped_) outcome.sample = make_sample();
  return outcome;
}

}  // namespace rr
