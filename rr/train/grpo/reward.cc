#include "rr/train/grpo/reward.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "rr/measures/ndcg.h"
#include "rr/measures/precision.h"
#include "rr/measures/rbo.h"

namespace rr {
namespace {

constexpr std::array kRules = {std::pair("strict", RewardRule::kStrict),
                               std::pair("published", RewardRule::kPublished)};
constexpr std::array kFormats = {std::pair("tagged", AnswerFormat::kTagged),
                                 std::pair("whole", AnswerFormat::kWhole)};
constexpr std::array kOverlaps = {std::pair("normalized", RewardOverlap::kNormalized),
                                  std::pair("bounded", RewardOverlap::kBounded),
                                  std::pair("average", RewardOverlap::kAverage)};

template <typename Value, std::size_t kCount>
const char* name_of(const std::array<std::pair<const char*, Value>, kCount>& names, Value value) {
  const auto found =
      std::find_if(names.begin(), names.end(), [&](const auto& n) { return n.second == value; });
  return found->first;
}

// Takes the keys of an object one by one, and knows which are left.
class KeyReader {
 public:
  KeyReader(const Json& json, std::string where) : json_(json), where_(std::move(where)) {}

  template <typename Value, std::size_t kCount>
  Status choice(const char* key, const std::array<std::pair<const char*, Value>, kCount>& names,
                Value& value) {
    const Json* const found = take(key);
    if (found == nullptr) return ok_status();
    std::string known;
    for (const auto& [name, meaning] : names) {
      if (*found == name) {
        value = meaning;
        return ok_status();
      }
      known += (known.empty() ? "" : ", ") + std::string(name);
    }
    return wrong(key, fmt::format("one of {}", known), *found);
  }

  Status number(const char* key, double least, double most, double& value) {
    const Json* const found = take(key);
    if (found == nullptr) return ok_status();
    if (!found->is_number() || !(found->get<double>() >= least && found->get<double>() <= most)) {
      return wrong(key, fmt::format("a number from {} to {}", least, most), *found);
    }
    value = found->get<double>();
    return ok_status();
  }

  Status count(const char* key, std::size_t least, std::size_t& value) {
    const Json* const found = take(key);
    if (found == nullptr) return ok_status();
    if (!found->is_number_unsigned() || found->get<std::size_t>() < least) {
      return wrong(key, fmt::format("a whole number of at least {}", least), *found);
    }
    value = found->get<std::size_t>();
    return ok_status();
  }

  Status flag(const char* key, bool& value) {
    const Json* const found = take(key);
    if (found == nullptr) return ok_status();
    if (!found->is_boolean()) return wrong(key, "true or false", *found);
    value = found->get<bool>();
    return ok_status();
  }

  Status nothing_left() const {
    for (const auto& [key, value] : json_.items()) {
      if (taken_.count(key) > 0) continue;
      return Error{Errc::kMalformed, fmt::format("\"{}\" is no option of the reward", key), where_};
    }
    return ok_status();
  }

 private:
  const Json* take(const char* key) {
    taken_.insert(key);
    const auto found = json_.find(key);
    return found == json_.end() ? nullptr : &*found;
  }

  Status wrong(const char* key, const std::string& expected, const Json& found) const {
    return Error{Errc::kMalformed,
                 fmt::format("expected \"{}\" to be {}, found {}", key, expected, found.dump()),
                 where_};
  }

  const Json& json_;
  std::string where_;
  std::unordered_set<std::string> taken_;
};

// The identifier of a position, as a teacher spells it.
Docid spelled(std::size_t position) { return Docid(std::to_string(position + 1)); }

// Positions, each once, where it was named last.
std::vector<std::size_t> last_places(const std::vector<std::size_t>& named) {
  std::vector<std::size_t> order;
  std::unordered_set<std::size_t> seen;
  for (std::size_t i = named.size(); i-- > 0;) {
    if (seen.insert(named[i]).second) order.push_back(named[i]);
  }
  std::reverse(order.begin(), order.end());
  return order;
}

}  // namespace

RewardOptions published_reward() {
  RewardOptions options;
  options.rule = RewardRule::kPublished;
  options.overlap = RewardOverlap::kAverage;
  return options;
}

const char* reward_format_name(RewardFormat format) {
  switch (format) {
    case RewardFormat::kWrongForm:
      return "wrong-form";
    case RewardFormat::kWrongAnswer:
      return "wrong-answer";
    case RewardFormat::kRight:
      break;
  }
  return "right";
}

Result<RewardOptions> reward_options_from_json(const Json& json, const std::string& where) {
  if (!json.is_object()) return Error{Errc::kMalformed, "expected a table of options", where};
  KeyReader keys(json, where);
  RewardOptions options;
  RR_TRY_STATUS(keys.choice("rule", kRules, options.rule));
  if (options.rule == RewardRule::kPublished) options = published_reward();
  RR_TRY_STATUS(keys.choice("format", kFormats, options.format));
  RR_TRY_STATUS(keys.number("ndcg-weight", 0, 1000, options.ndcg_weight));
  RR_TRY_STATUS(keys.number("recall-weight", 0, 1000, options.recall_weight));
  RR_TRY_STATUS(keys.number("overlap-weight", 0, 1000, options.overlap_weight));
  RR_TRY_STATUS(keys.count("cutoff", 1, options.cutoff));
  RR_TRY_STATUS(keys.choice("overlap", kOverlaps, options.overlap));
  RR_TRY_STATUS(keys.number("persistence", 1e-6, 1 - 1e-6, options.persistence));
  RR_TRY_STATUS(keys.flag("graded", options.graded));
  RR_TRY_STATUS(keys.number("wrong-form", -1000, 1000, options.wrong_form));
  RR_TRY_STATUS(keys.number("wrong-answer", -1000, 1000, options.wrong_answer));
  RR_TRY_STATUS(keys.number("cost-per-1000-tokens", 0, 1000, options.cost_per_1000_tokens));
  RR_TRY_STATUS(keys.count("overlong-tokens", 0, options.overlong_tokens));
  RR_TRY_STATUS(keys.nothing_left());
  return options;
}

Json to_json(const RewardOptions& options) {
  return {{"rule", name_of(kRules, options.rule)},
          {"format", name_of(kFormats, options.format)},
          {"ndcg-weight", options.ndcg_weight},
          {"recall-weight", options.recall_weight},
          {"overlap-weight", options.overlap_weight},
          {"cutoff", options.cutoff},
          {"overlap", name_of(kOverlaps, options.overlap)},
          {"persistence", options.persistence},
          {"graded", options.graded},
          {"wrong-form", options.wrong_form},
          {"wrong-answer", options.wrong_answer},
          {"cost-per-1000-tokens", options.cost_per_1000_tokens},
          {"overlong-tokens", options.overlong_tokens}};
}

std::string explain(const RewardOptions& options) {
  std::string text =
      fmt::format("reward = {:g} nDCG@{} + {:g} recall@{} + {:g} overlap\n", options.ndcg_weight,
                  options.cutoff, options.recall_weight, options.cutoff, options.overlap_weight);
  text += options.graded ? "nDCG: the gain of a passage is its grade\n"
                         : "nDCG: the gain of a relevant passage (grade above 0) is 1\n";
  switch (options.overlap) {
    case RewardOverlap::kNormalized:
      text += fmt::format(
          "overlap with the teacher's order: rank-biased overlap, persistence {:g}, divided by its "
          "greatest value: 1 for the same order\n",
          options.persistence);
      break;
    case RewardOverlap::kBounded:
      text += fmt::format(
          "overlap with the teacher's order: rank-biased overlap, persistence {:g}: below 1 for "
          "the same order\n",
          options.persistence);
      break;
    case RewardOverlap::kAverage:
      text += "overlap with the teacher's order: average overlap, as the published code has it\n";
      break;
  }
  text += "a task without a teacher's order has no overlap term\n";
  if (options.format == AnswerFormat::kTagged) {
    text += fmt::format(
        "{:g} where <think>...</think> and <answer>...</answer> do not follow one another\n",
        options.wrong_form);
  }
  text +=
      fmt::format("{:g} where the answer is {}\n", options.wrong_answer,
                  options.rule == RewardRule::kStrict
                      ? "no permutation of all passages in the form [3] > [1] > [2]"
                      : "not as many numbers, and distinct numbers, as the teacher's order has");
  text += fmt::format("most: {:g}\n",
                      options.ndcg_weight + options.recall_weight + options.overlap_weight);
  if (options.cost_per_1000_tokens > 0) {
    text +=
        fmt::format("less {:g} for each 1,000 tokens of the reply\n", options.cost_per_1000_tokens);
  }
  if (options.overlong_tokens > 0) {
    text += fmt::format("less up to 1 over the last {} tokens before the limit\n",
                        options.overlong_tokens);
  }
  return text;
}

TaskReward::TaskReward(const RankingTask& task, const RewardOptions& options) : options_(options) {
  const auto gain = [&](int grade) { return options.graded || grade <= 0 ? grade : 1; };
  std::unordered_map<Docid, std::size_t> positions;
  for (const Passage& passage : task.passages) {
    positions.emplace(passage.docid, positions.size());
    const auto grade = task.grades.find(passage.docid);
    grades_.push_back(grade == task.grades.end() ? kUnjudged : gain(grade->second));
  }
  for (const auto& [docid, grade] : task.grades) judgements_.push_back(gain(grade));
  std::sort(judgements_.begin(), judgements_.end(), std::greater<>());
  for (const Docid& docid : task.final_list) teacher_.push_back(spelled(positions.at(docid)));
}

Reward TaskReward::of(std::string_view reply, const ReplyLength& length) const {
  Reward reward;
  reward.penalty = penalty_of(length);
  std::optional<ReplyParts> parts = options_.format == AnswerFormat::kTagged
                                        ? find_reply_form(reply, TagCase::kExact)
                                        : split_reply(reply, AnswerFormat::kWhole);
  if (!parts) {
    reward.total = options_.wrong_form + reward.penalty;
    return reward;
  }
  const std::optional<Answer> answer = read(parts->answer);
  if (!answer) {
    reward.format = RewardFormat::kWrongAnswer;
    reward.total = options_.wrong_answer + reward.penalty;
    return reward;
  }
  JudgedRanking ranking;
  for (const std::size_t position : answer->order) ranking.grades.push_back(grades_[position]);
  ranking.judgements = judgements_;
  reward.format = RewardFormat::kRight;
  reward.ndcg = ndcg_at(options_.cutoff, ranking);
  reward.recall = recall_at(options_.cutoff, ranking);
  reward.overlap = overlap_of(answer->identifiers);
  reward.total = options_.ndcg_weight * reward.ndcg + options_.recall_weight * reward.recall +
                 options_.overlap_weight * reward.overlap + reward.penalty;
  return reward;
}

std::optional<TaskReward::Answer> TaskReward::read(std::string_view answer) const {
  return options_.rule == RewardRule::kStrict ? read_strictly(answer) : read_as_published(answer);
}

std::optional<TaskReward::Answer> TaskReward::read_strictly(std::string_view answer) const {
  auto order = read_strict_order(answer, grades_.size());
  if (!order) return std::nullopt;
  Answer read{std::move(*order), {}};
  for (const std::size_t position : read.order) read.identifiers.push_back(spelled(position));
  return read;
}

std::optional<TaskReward::Answer> TaskReward::read_as_published(std::string_view answer) const {
  const std::vector<NumberText> numbers = number_texts(answer);
  const std::size_t expected = teacher_.empty() ? grades_.size() : teacher_.size();
  std::unordered_set<std::string_view> distinct;
  for (const NumberText& number : numbers) distinct.insert(number.text);
  if (numbers.size() != expected || distinct.size() != expected) return std::nullopt;
  Answer read;
  std::vector<std::size_t> named;
  for (const NumberText& number : numbers) {
    if (!number.value) return std::nullopt;
    read.identifiers.emplace_back(std::string(number.text));
    if (*number.value > grades_.size()) continue;
    named.push_back(*number.value == 0 ? grades_.size() - 1 : *number.value - 1);
  }
  read.order = last_places(named);
  return read;
}

double TaskReward::overlap_of(const std::vector<Docid>& identifiers) const {
  if (teacher_.empty()) return 0;
  switch (options_.overlap) {
    case RewardOverlap::kNormalized:
      return normalized_rbo_at(kWholeRanking, options_.persistence, identifiers, teacher_);
    case RewardOverlap::kBounded:
      return rbo_at(kWholeRanking, options_.persistence, identifiers, teacher_);
    case RewardOverlap::kAverage:
      break;
  }
  return average_overlap_at(kWholeRanking, identifiers, teacher_);
}

double TaskReward::penalty_of(const ReplyLength& length) const {
  double penalty = -options_.cost_per_1000_tokens * static_cast<double>(length.tokens) / 1000;
  if (options_.overlong_tokens > 0 && length.limit > 0) {
    const auto over =
        static_cast<double>(length.tokens) -
        (static_cast<double>(length.limit) - static_cast<double>(options_.overlong_tokens));
    penalty -= std::clamp(over / static_cast<double>(options_.overlong_tokens), 0.0, 1.0);
  }
  return penalty;
}

}  // namespace rr
