#include "rr/rerank/window.h"

#include <fmt/core.h>

#include <algorithm>

#include "rr/base/check.h"

namespace rr {
namespace {

// Ranks fit into signed numbers: the loop steps below 0 on its way.
using Rank = std::ptrdiff_t;

Rank signed_rank(std::size_t rank) { return static_cast<Rank>(rank); }

Window window_of(Rank start, Rank end, std::size_t pass) {
  return {static_cast<std::size_t>(start), static_cast<std::size_t>(end), pass};
}

struct LoopRange {
  Rank start;  // rank_start of this pass
  Rank end;
  Rank window;
  Rank stride;
};

void append_published_pass(const LoopRange& range, std::size_t pass, std::vector<Window>& windows) {
  Rank end = range.end;
  Rank start = end - range.window;
  while (end > range.start && start + range.stride != range.start) {
    start = std::max(start, range.start);
    windows.push_back(window_of(start, end, pass));
    end -= range.stride;
    start -= range.stride;
  }
}

void append_pass(const LoopRange& range, std::size_t pass, std::vector<Window>& windows) {
  for (Rank end = range.end;; end -= range.stride) {
    const Rank start = std::max(end - range.window, range.start);
    windows.push_back(window_of(start, end, pass));
    if (start == range.start) return;
  }
}

Error bad_option(const std::string& message) { return {Errc::kMalformed, message, ""}; }

}  // namespace

SlidingWindows::SlidingWindows(const LoopOptions& options) : options_(options) {
  RR_CHECK(options.stride >= 1 && options.stride <= options.window, "1 <= stride <= window");
  RR_CHECK(options.rank_start <= options.rank_end, "rank_start <= rank_end");
  RR_CHECK(options.passes >= 1, "at least one pass");
}

std::vector<Window> SlidingWindows::plan(std::size_t num_candidates) const {
  const std::size_t rank_end = std::min(options_.rank_end, num_candidates);
  if (rank_end <= options_.rank_start) return {};
  const std::size_t width = std::min(options_.window, rank_end - options_.rank_start);
  const LoopRange range{signed_rank(options_.rank_start), signed_rank(rank_end), signed_rank(width),
                        signed_rank(options_.stride)};
  std::vector<Window> windows;
  for (std::size_t pass = 0; pass < options_.passes; ++pass) append_pass(range, pass, windows);
  return windows;
}

PublishedLoop::PublishedLoop(const LoopOptions& options) : options_(options) {
  RR_CHECK(options.window >= 1 && options.stride >= 1, "window and stride of at least 1");
  RR_CHECK(options.passes >= 1, "at least one pass");
}

std::vector<Window> PublishedLoop::plan(std::size_t num_candidates) const {
  const std::size_t rank_end = std::min(options_.rank_end, num_candidates);
  LoopRange range{signed_rank(options_.rank_start), signed_rank(rank_end),
                  signed_rank(std::min(options_.window, num_candidates)),
                  signed_rank(options_.stride)};
  std::vector<Window> windows;
  for (std::size_t pass = 0; pass < options_.passes && range.start < range.end; ++pass) {
    append_published_pass(range, pass, windows);
    range.start += range.stride;
  }
  return windows;
}

Result<std::unique_ptr<WindowPlanner>> make_window_planner(const LoopOptions& options) {
  constexpr auto kMost = static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max());
  if (options.window < 1 || options.window > kMost) {
    return bad_option(fmt::format("expected a window of at least 1, found {}", options.window));
  }
  if (options.stride < 1 || options.stride > kMost) {
    return bad_option(fmt::format("expected a stride of at least 1, found {}", options.stride));
  }
  if (options.passes < 1) return bad_option("expected at least one pass, found 0");
  if (options.rank_end <= options.rank_start) {
    return bad_option(fmt::format("expected a depth above {}, found {}: nothing would be reranked",
                                  options.rank_start, options.rank_end));
  }
  if (options.rule == LoopRule::kPublished) {
    return std::unique_ptr<WindowPlanner>(std::make_unique<PublishedLoop>(options));
  }
  if (options.stride > options.window) {
    return bad_option(
        fmt::format("expected a stride of at most the window, found stride {} and window {}: "
                    "passages between the windows would never be seen",
                    options.stride, options.window));
  }
  return std::unique_ptr<WindowPlanner>(std::make_unique<SlidingWindows>(options));
}

}  // namespace rr
