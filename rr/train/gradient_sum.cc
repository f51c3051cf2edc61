#include "rr/train/gradient_sum.h"

namespace rr {

GradientSum::GradientSum(std::span<const Parameter> parameters, Ranks& ranks,
                         std::size_t bucket_bytes)
    : ranks_(ranks) {
  const std::size_t most = bucket_bytes / sizeof(float);
  for (std::size_t end = parameters.size(); end > 0;) {
    float* const last = parameters[end - 1].gradient.data() + parameters[end - 1].gradient.size();
    std::size_t first = end - 1;
    const auto size = [&] {
      return static_cast<std::size_t>(last - parameters[first].gradient.data());
    };
    while (first > 0 && size() < most) --first;
    buckets_.push_back({first, {parameters[first].gradient.data(), size()}});
    end = first;
  }
}

GradientListener GradientSum::listener() {
  return [this](std::size_t first) { begin_from(first); };
}

void GradientSum::begin_from(std::size_t first) {
  for (; next_ < buckets_.size() && buckets_[next_].first >= first; ++next_) {
    ranks_.begin_sum(buckets_[next_].values);
  }
}

void GradientSum::finish() {
  begin_from(0);
  ranks_.finish_sums();
  next_ = 0;
}

}  // namespace rr
