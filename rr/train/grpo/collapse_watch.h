#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace rr {

// What of a step shows whether learning by rewards still goes somewhere.
struct StepSigns {
  double right_form = 0;  // share of rollouts with their tags in place
  double teaching = 0;    // share of groups whose rewards differ
  double entropy = 0;     // of a token, nats
  double kl = 0;          // from the reference, of a token
  double cut = 0;         // share of rollouts that reached the limit
};

// Notices that a run has collapsed, when a sign has held for `patience` steps in a row: says so
// once, and again after it was gone.
class CollapseWatch {
 public:
  explicit CollapseWatch(std::size_t patience = 5) : patience_(patience) {}

  // Sentences for people, each with what to try; mostly none.
  std::vector<std::string> look(const StepSigns& signs);

 private:
  static constexpr std::size_t kNumSigns = 5;
  std::size_t patience_;
  std::size_t held_[kNumSigns] = {};
};

}  // namespace rr
