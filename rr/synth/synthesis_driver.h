#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "rr/base/result.h"
#include "rr/lm/generator.h"
#include "rr/synth/topic_synthesis.h"

namespace rr {

// A topic with all that a sample of it is made from.
struct SynthesisInput {
  SourceTopic topic;
  CandidateInputs candidates;
  TopicQrels labels;  // of kWeb
};

// A model that labels and ranks. The generator must outlive the run.
struct Teacher {
  Generator* generator = nullptr;
  std::size_t max_thinking = 3072;  // tokens of thoughts before an order
  std::size_t max_selection = 256;  // tokens of a selection, thoughts included where a model thinks
  Sampling sampling = {};
};

class SynthesisListener {
 public:
  virtual ~SynthesisListener() = default;

  // A question has its reply; `topic` has its record last.
  virtual void on_step(const TopicSynthesis& /*topic*/) {}

  // A topic is done. A failure ends the run.
  virtual Status on_topic(const TopicSynthesis& topic, const TopicOutcome& outcome) = 0;
};

// Takes all topics to their samples, at most max_in_flight at once and each at its own pace,
// through run_dialogues(). What a topic gives does not depend on the others, nor on the order in
// which they end. A question is labelled "qid/step/index": requests of equal labels are the same
// request.
//
// Where the teacher's model is known (Generator::text_model()), options.fits is replaced by what
// its context holds. Where a question fails, what still runs is cancelled and the error names the
// topic and the step; topics that were done by then have been told to the listener.
//
// judge: required iff options.judge. Everything passed in must outlive the call; inputs are
// pointers, for they are large and a resumed run takes some of them.
Status synthesize_all(std::span<const SynthesisInput* const> inputs, const Teacher& teacher,
                      const Teacher* judge, const TeacherPrompts& prompts,
                      const SynthesisOptions& options, std::size_t max_in_flight,
                      SynthesisListener& listener);

}  // namespace rr
