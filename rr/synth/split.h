#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "rr/rerank/training_data.h"
#include "rr/synth/sample.h"

namespace rr {

// What a sample is used for.
enum class Part {
  kSft,         // an example to imitate
  kRanking,     // a task with rewards
  kValidation,  // a task to measure on
  kLeftOut,
};
const char* part_name(Part part);  // "sft", "ranking", "validation", "left out"

struct SampleSplitOptions {
  double sft_share = 0.5;          // of what is not validation, in [0, 1]
  double validation_share = 0.05;  // of each data set, rounded to the nearest number, in [0, 1]
  std::uint64_t seed = 0;

  // false: lists that are all positive, hold a text twice or label one both ways (is_noisy()) are
  // no tasks; they may still be examples.
  bool keep_noisy = false;
};

// A part for each sample, by (seed, data set and query) only: each data set is divided in the same
// proportions. Samples whose queries have equal words (words_of()) get the same part, so no query
// is in two. What cannot be an example, having no order or no reasoning, is a task where it can be
// one; a noisy list is an example where it can be one; what can be neither is left out. Requires
// texts.
std::vector<Part> split_samples(std::span<const Sample> samples, const SampleSplitOptions& options);

// The sample as a task. Requires texts.
RankingTask task_of(const Sample& sample);

// What somebody who uses the data should know, as Markdown: counts by data set and part, lengths,
// positives, label noise, scores, teachers, prompts, licences. parts[i] belongs to samples[i];
// `notes` are lines of their own.
std::string data_card(std::span<const Sample> samples, std::span<const Part> parts,
                      std::span<const std::string> notes);

}  // namespace rr
