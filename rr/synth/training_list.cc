#include "rr/synth/training_list.h"

#include <algorithm>

#include "rr/base/check.h"
#include "rr/base/random.h"

namespace rr {
namespace {

// A random choice of `count` of them at most, appended to the list.
void draw(std::vector<std::size_t> from, std::size_t count, RandomStream& random,
          std::vector<std::size_t>& list) {
  shuffle(from, random);
  from.resize(std::min(from.size(), count));
  list.insert(list.end(), from.begin(), from.end());
}

}  // namespace

std::vector<std::size_t> choose_list(const LabelledPassages& passages, const ListOptions& options,
                                     std::uint64_t seed, std::uint64_t stream) {
  RR_CHECK(options.size >= 2 && options.max_positives >= 1, "a list has room for both labels");
  RR_CHECK(!passages.positives.empty(), "a list needs a positive");
  RR_CHECK(!passages.hard_negatives.empty() || !passages.negatives.empty(),
           "a list needs a negative");
  RandomStream random(seed, stream);
  std::vector<std::size_t> list;
  draw(passages.positives, std::min(options.max_positives, options.size - 1), random, list);
  draw(passages.hard_negatives, options.size - list.size(), random, list);
  draw(passages.negatives, options.size - list.size(), random, list);
  shuffle(list, random);
  return list;
}

}  // namespace rr
