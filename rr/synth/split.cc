#include "rr/synth/split.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>
#include <unordered_set>
#include <utility>

#include "rr/base/check.h"
#include "rr/base/random.h"
#include "rr/synth/contamination.h"
#include "rr/synth/internal/count_words.h"
#include "rr/synth/text_fingerprint.h"

namespace rr {
namespace {

bool can_be_example(const Sample& sample) {
  return !sample.final_list.empty() && !sample.reasoning.empty();
}

// Samples of one query, by number; they share a fate.
using Group = std::vector<std::size_t>;

// The part of a sample whose group was given `wanted`.
Part part_of(const Sample& sample, Part wanted, const SampleSplitOptions& options) {
  const bool example = can_be_example(sample);
  const bool task = options.keep_noisy || !is_noisy(sample);
  if (wanted == Part::kSft && !example) return task ? Part::kRanking : Part::kLeftOut;
  if (wanted != Part::kSft && !task) return example ? Part::kSft : Part::kLeftOut;
  return wanted;
}

// Groups are given whole: where one is an example and another of its samples cannot be, it is left
// out.
void assign(std::span<const Sample> samples, const Group& group, Part wanted,
            const SampleSplitOptions& options, std::vector<Part>& parts) {
  const Part first = part_of(samples[group.front()], wanted, options);
  for (const std::size_t number : group) {
    const Part own = part_of(samples[number], first, options);
    parts[number] = own == first ? first : Part::kLeftOut;
  }
}

std::size_t share_of(double share, std::size_t count) {
  return static_cast<std::size_t>(std::lround(share * static_cast<double>(count)));
}

std::string cell(const std::string& text) {
  std::string clean;
  for (const char c : text) {
    if (c == '|') clean += '\\';
    clean += c == '\n' || c == '\r' ? ' ' : c;
  }
  return clean;
}

// Mean, median, 95th percentile and most of some counts.
std::string spread(std::vector<std::size_t> counts) {
  if (counts.empty()) return "–";
  std::sort(counts.begin(), counts.end());
  double sum = 0;
  for (const std::size_t count : counts) sum += static_cast<double>(count);
  const auto at = [&](double share) {
    return counts[static_cast<std::size_t>(share * static_cast<double>(counts.size() - 1))];
  };
  return fmt::format("{:.1f} | {} | {} | {}", sum / static_cast<double>(counts.size()), at(0.5),
                     at(0.95), counts.back());
}

std::string table_of_parts(std::span<const Sample> samples, std::span<const Part> parts) {
  std::map<std::string, std::array<std::size_t, 4>> counts;
  std::array<std::size_t, 4> all = {};
  for (std::size_t i = 0; i < samples.size(); ++i) {
    ++counts[samples[i].dataset][static_cast<std::size_t>(parts[i])];
    ++all[static_cast<std::size_t>(parts[i])];
  }
  std::string text =
      "| data set | sft | ranking tasks | validation | left out |\n"
      "|---|---:|---:|---:|---:|\n";
  const auto row = [](const std::string& name, const std::array<std::size_t, 4>& count) {
    return fmt::format("| {} | {} | {} | {} | {} |\n", cell(name), count[0], count[1], count[2],
                       count[3]);
  };
  for (const auto& [dataset, count] : counts) text += row(dataset, count);
  return text + row("**all**", all);
}

std::string table_of_lengths(std::span<const Sample> samples) {
  std::vector<std::size_t> lists, positives, queries, passages, chains;
  for (const Sample& sample : samples) {
    lists.push_back(sample.initial_list.size());
    positives.push_back(sample.relevant.size());
    queries.push_back(internal::count_words(sample.query));
    for (const Passage& passage : sample.passages) {
      passages.push_back(internal::count_words(passage.text));
    }
    if (!sample.reasoning.empty()) chains.push_back(internal::count_words(sample.reasoning));
  }
  return "| | mean | median | 95 % | most |\n|---|---:|---:|---:|---:|\n| passages of a list | " +
         spread(lists) + " |\n| positives of a list | " + spread(positives) +
         " |\n| words of a query | " + spread(queries) + " |\n| words of a passage | " +
         spread(passages) + " |\n| words of a chain | " + spread(chains) + " |\n";
}

std::string list_of_noise(const LabelNoise& noise) {
  return fmt::format(
      "- {} lists are all positive, {} hold a text twice, {} label a text both ways.\n"
      "- In {} of {} the teacher's first choice is no positive.\n",
      noise.all_positive, noise.repeated_text, noise.contradictory, noise.first_is_negative,
      noise.samples);
}

std::string table_of_scores(std::span<const Sample> samples) {
  std::map<std::string, std::pair<double, std::size_t>> sums;
  for (const Sample& sample : samples) {
    for (const auto& [name, value] : sample.scores.items()) {
      if (!value.is_number()) continue;
      sums[name].first += value.get<double>();
      ++sums[name].second;
    }
  }
  if (sums.empty()) return "None.\n";
  std::string text = "| score | mean | samples |\n|---|---:|---:|\n";
  for (const auto& [name, sum] : sums) {
    text += fmt::format("| {} | {:.4f} | {} |\n", cell(name),
                        sum.first / static_cast<double>(sum.second), sum.second);
  }
  return text;
}

// "- name: n samples" for each name that a sample has; `unknown` stands for none.
std::string counted(const std::map<std::string, std::size_t>& counts) {
  std::string text;
  for (const auto& [name, count] : counts) {
    text += fmt::format("- {}: {} sample{}\n", name.empty() ? "not stated" : name, count,
                        count == 1 ? "" : "s");
  }
  return text;
}

std::string list_of_sources(std::span<const Sample> samples) {
  std::map<std::string, std::size_t> licences, teachers, prompts;
  for (const Sample& sample : samples) {
    ++licences[sample.licence];
    const Json provenance = sample.other.value("provenance", Json::object());
    ++teachers[provenance.is_object() && provenance.contains("teacher")
                   ? provenance["teacher"].dump()
                   : std::string()];
    if (!provenance.is_object() || !provenance.contains("prompts")) continue;
    for (const Json& prompt : provenance["prompts"]) {
      if (prompt.is_string()) ++prompts[prompt.get<std::string>()];
    }
  }
  std::string text =
      "Licences of the texts:\n" + counted(licences) + "\nTeachers:\n" + counted(teachers);
  if (!prompts.empty()) text += "\nPrompts:\n" + counted(prompts);
  return text;
}

}  // namespace

const char* part_name(Part part) {
  constexpr std::array kNames = {"sft", "ranking", "validation", "left out"};
  return kNames.at(static_cast<std::size_t>(part));
}

std::vector<Part> split_samples(std::span<const Sample> samples,
                                const SampleSplitOptions& options) {
  RR_CHECK(options.sft_share >= 0 && options.sft_share <= 1, "a share is in [0, 1]");
  RR_CHECK(options.validation_share >= 0 && options.validation_share <= 1, "a share is in [0, 1]");
  // A query belongs to the data set in which it came first.
  std::map<std::string, std::pair<std::string, Group>> by_words;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    auto& [dataset, group] = by_words[words_of(samples[i].query)];
    if (group.empty()) dataset = samples[i].dataset;
    group.push_back(i);
  }
  std::map<std::string, std::vector<const Group*>> strata;
  for (const auto& [words, entry] : by_words) strata[entry.first].push_back(&entry.second);

  std::vector<Part> parts(samples.size(), Part::kLeftOut);
  for (auto& [dataset, groups] : strata) {
    RandomStream random(options.seed, stream_of("split/" + dataset));
    shuffle(groups, random);
    const std::size_t validation = share_of(options.validation_share, groups.size());
    const std::size_t sft = share_of(options.sft_share, groups.size() - validation);
    for (std::size_t i = 0; i < groups.size(); ++i) {
      Part wanted = Part::kRanking;
      if (i < validation) wanted = Part::kValidation;
      if (i >= validation && i < validation + sft) wanted = Part::kSft;
      assign(samples, *groups[i], wanted, options, parts);
    }
  }
  return parts;
}

RankingTask task_of(const Sample& sample) {
  RR_CHECK(sample.has_texts(), "a task needs texts");
  return {sample.dataset,  sample.domain,     sample.qid,       sample.query,
          sample.passages, labels_of(sample), sample.final_list};
}

std::string data_card(std::span<const Sample> samples, std::span<const Part> parts,
                      std::span<const std::string> notes) {
  RR_CHECK(samples.size() == parts.size(), "a part for each sample");
  std::string text =
      "# Data card\n\nTraining data for listwise reranking with reasoning, written by `reasonrank "
      "split`. Files: `sft.jsonl` (examples to imitate), `ranking_tasks.jsonl` (lists with labels, "
      "for reinforcement learning), `validation.jsonl` (the same, to measure on). They share no "
      "topic and no query.\n\n## Samples\n\n";
  text += table_of_parts(samples, parts);
  text +=
      "\nLeft out: noisy lists without reasoning, and further samples of a query that cannot "
      "have its part.\n\n## Lengths\n\n";
  text += table_of_lengths(samples);
  text +=
      "\n## Labels\n\nPointwise and binary; every passage of a list that is no positive is a "
      "negative.\n\n";
  text += list_of_noise(label_noise(samples));
  text += "\n## Scores\n\n" + table_of_scores(samples);
  text += "\n## Sources\n\n" + list_of_sources(samples);
  if (!notes.empty()) text += "\n## How it was made\n\n";
  for (const std::string& note : notes) text += "- " + note + "\n";
  return text;
}

}  // namespace rr
