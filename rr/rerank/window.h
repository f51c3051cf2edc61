#pragma once

#include <cstddef>
#include <limits>
#include <memory>
#include <vector>

#include "rr/base/result.h"

namespace rr {

// Ranks [start, end) of a topic's candidates, counted from 0.
struct Window {
  std::size_t start = 0;
  std::size_t end = 0;
  std::size_t pass = 0;  // which pass over the list it belongs to, from 0

  std::size_t size() const { return end - start; }
  friend bool operator==(const Window&, const Window&) = default;
};

// Decides which candidates one model call sees. A planner knows ranks only: no text, no scores.
class WindowPlanner {
 public:
  virtual ~WindowPlanner() = default;

  // The windows over num_candidates ranks, in the order in which to rerank them: a window is run
  // on what the windows before it left. Every window is non-empty and inside
  // [0, num_candidates); none for no candidates.
  virtual std::vector<Window> plan(std::size_t num_candidates) const = 0;
};

// kDefault: SlidingWindows. kPublished: the loop of the published system, defects included.
enum class LoopRule { kDefault, kPublished };

struct LoopOptions {
  static constexpr std::size_t kWholeList = std::numeric_limits<std::size_t>::max();

  std::size_t window = 20;  // passages a model call sees, >= 1
  std::size_t stride = 10;  // ranks by which the next window is nearer to the head, >= 1
  std::size_t rank_start = 0;
  std::size_t rank_end = kWholeList;  // only ranks [rank_start, rank_end) are reranked
  std::size_t passes = 1;             // times over the list, >= 1
  LoopRule rule = LoopRule::kDefault;
};

// Windows of w ranks slide from the end of the list to its head, s ranks at a time. w is cut to the
// range that is reranked, so there is at least one window wherever there is a rank to look at; the
// last window starts at rank_start. Every pass covers the whole range.
class SlidingWindows : public WindowPlanner {
 public:
  // Requires 1 <= stride <= window, rank_start <= rank_end and passes >= 1; options.rule is not
  // looked at.
  explicit SlidingWindows(const LoopOptions& options);
  SlidingWindows(std::size_t window, std::size_t stride)
      : SlidingWindows(LoopOptions{.window = window, .stride = stride}) {}

  std::vector<Window> plan(std::size_t num_candidates) const override;

 private:
  LoopOptions options_;
};

// The same as ReasonRank's code runs it (8421BCD/ReasonRank at 06721fd). It differs where
//   - w is cut to the number of candidates and not to the range, and nothing at all is ranked when
//     the range is exactly w - s ranks long (top 10 with 20/10);
//   - pass k starts at rank_start + s * k, so that the head is ranked in the first pass only;
//   - s > w leaves gaps.
class PublishedLoop : public WindowPlanner {
 public:
  // Requires window, stride and passes >= 1; options.rule is not looked at.
  explicit PublishedLoop(const LoopOptions& options);

  std::vector<Window> plan(std::size_t num_candidates) const override;

 private:
  LoopOptions options_;
};

// The planner of options.rule. Refuses options that its rule cannot follow, in one sentence for the
// user: a window, stride, depth or number of passes of 0, and a stride above the window where the
// rule is kDefault.
Result<std::unique_ptr<WindowPlanner>> make_window_planner(const LoopOptions& options);

}  // namespace rr
