#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace rr {

// Which scores a final ranking carries. kPublished: documents move and scores stay, so rank j has
// the first stage's score of rank j. kDefault: the scores of this header.
enum class ScoreRule { kDefault, kPublished };

// What one window's answer says about the candidates in it.
struct JudgedWindow {
  std::vector<std::size_t> candidates;  // best first, as the model put them

  // Natural log of the probability of each choice among the candidates not yet chosen, in the same
  // order; the last is 0. Empty: not known.
  std::vector<double> choice_logprobs;
};

// Scores from the probabilities of the choices. order: the final ranking, candidates by number,
// best first. windows: those of the last pass, in the order in which they ran.
//
// Each window is read as a draw from a Plackett-Luce model (Plackett, Applied Statistics 24(2),
// 1975), where choice i has the probability p_i = worth_i / (worth_i + worth of all after it). That
// gives the worths back, up to a factor:
//
//   log worth_i = log p_i + sum_{k<i} log(1 - p_k)
//
// The last window that ran (at the head) sets the scale; each one before it is shifted by the mean
// difference over the candidates that it shares with the windows after it. Where worths disagree
// with the final order, they are pooled into means (isotonic regression), so that scores never
// contradict ranks. A candidate in no window takes the worth of its neighbour towards the head.
//
// score = log(worth / sum of all worths): the log of the chance that the model would name this
// candidate first of all. At most 0 (up to the steps below); a difference of two scores is the
// log-odds of one before the other. Comparable within a topic.
//
// The scores are 32-bit floats and fall strictly from rank to rank: by at least 1e-4 or by one step
// of the float, so that no reader of the run sees ties.
//
// Where a choice probability of a window is unknown, or there is no window, all scores are 1/rank.
std::vector<double> choice_scores(std::span<const std::size_t> order,
                                  std::span<const JudgedWindow> windows);

// 1, 1/2, 1/3, ...: strictly decreasing as 32-bit floats up to 16 million.
std::vector<double> rank_scores(std::size_t num_candidates);

}  // namespace rr
