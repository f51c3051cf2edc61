#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "rr/base/json.h"
#include "rr/base/result.h"
#include "rr/synth/topic_synthesis.h"

namespace rr {

// A finished topic as one JSON object, for the journal of a run: {"qid", "sample" or "dropped",
// "steps"}. docs/formats/samples.md says what stands in the three.
Json topic_record(const TopicSynthesis& topic, const TopicOutcome& outcome);

// The lines that a record gives to the files of a run, each with its end.
struct RecordLines {
  std::string sample;   // empty: the topic was dropped
  std::string dropped;  // empty: it was not
  std::string steps;    // one or more lines; empty: nothing was asked
};
RecordLines lines_of(const Json& record);

// Sums over the records of a run.
struct SynthesisReport {
  std::size_t topics = 0;
  std::size_t samples = 0;
  std::size_t without_reasoning = 0;           // of these: an order and no thoughts
  std::map<std::string, std::size_t> dropped;  // by reason
  std::map<std::string, std::size_t> trouble;  // "positives: prose": replies off their format
  std::size_t requests = 0;
  std::size_t prompt_tokens = 0;
  std::size_t completion_tokens = 0;
  double model_s = 0;         // as the backend reports it, summed over requests
  std::size_t passages = 0;   // in the samples' lists
  std::size_t positives = 0;  // of these

  // Requires a record of topic_record().
  void add(const Json& record);
};

// The replies of a steps file by label, "qid/step/index": for a run that repeats what a teacher
// said once.
Result<std::map<std::string, std::string>> read_replies(const std::filesystem::path& path);

}  // namespace rr
