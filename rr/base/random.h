#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

namespace rr {

// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): the block
// of four words that belongs to a counter under a key. Pure: the same arguments, the same words.
std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key);

// The stream that belongs to a name (a label, a qid): its 64-bit FNV-1a, the same on every machine,
// so that equal seeds draw apart under different names.
std::uint64_t stream_of(std::string_view name);

// Random numbers that depend on (seed, stream, position) only, never on who else draws or in what
// order: one stream a request, a topic or an example, and results do not change with the batch.
class RandomStream {
 public:
  RandomStream(std::uint64_t seed, std::uint64_t stream) : seed_(seed), stream_(stream) {}

  // Uniform in [0, 1) with 53 bits. The first form gives the value at a position of the stream and
  // moves nothing; the second draws on from position 0.
  double uniform_at(std::uint64_t position) const;
  double uniform() { return uniform_at(position_++); }

  // Uniform in 0..bound-1, without bias (multiplication with rejection: Lemire, ACM TOMACS 29(1),
  // 2019). Requires bound >= 1.
  std::uint64_t below(std::uint64_t bound);

 private:
  std::uint64_t bits_at(std::uint64_t position) const;

  std::uint64_t seed_;
  std::uint64_t stream_;
  std::uint64_t position_ = 0;
};

// Fisher-Yates over `items` by the stream's next numbers.
template <typename Range>
void shuffle(Range& items, RandomStream& random) {
  using std::swap;
  for (auto remaining = items.size(); remaining > 1; --remaining) {
    swap(items[remaining - 1], items[random.below(remaining)]);
  }
}

}  // namespace rr
