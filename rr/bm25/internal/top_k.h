#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

#include "rr/bm25/internal/index_files.h"
#include "rr/bm25/searcher.h"

namespace rr::internal {

// The best k hits so far: higher scores first, equal ones by docid. Keeps a few more than k and
// drops the worst of them now and then, which costs less than keeping k in order.
class TopK {
 public:
  // `files` must outlive the object. Requires k >= 1.
  TopK(std::size_t k, const IndexFiles& files) : k_(k), files_(&files) {
    hits_.reserve(std::min<std::size_t>(2 * k + kSlack, files.statistics().num_documents));
  }

  // What a document must reach, at least, to come in; it may still be refused.
  float threshold() const { return threshold_; }

  void offer(Hit hit) {
    if (hit.score < threshold_) return;
    hits_.push_back(hit);
    if (hits_.size() >= 2 * k_ + kSlack) settle();
  }

  // Raises the threshold where enough came in since it was raised.
  void refresh() {
    if (hits_.size() >= k_ + k_ / 4 || (hits_.size() >= k_ && is_open())) settle();
  }

  std::vector<Hit> take() {
    if (hits_.size() > k_) settle();
    std::sort(hits_.begin(), hits_.end(), Better{files_});
    return std::move(hits_);
  }

 private:
  static constexpr std::size_t kSlack = 256;

  struct Better {
    const IndexFiles* files;
    bool operator()(const Hit& a, const Hit& b) const {
      if (a.score != b.score) return a.score > b.score;
      return files->comes_first(a.doc, b.doc);
    }
  };

  bool is_open() const { return threshold_ == -std::numeric_limits<float>::infinity(); }

  // Requires at least k hits.
  void settle() {
    const auto kth = hits_.begin() + static_cast<std::ptrdiff_t>(k_) - 1;
    std::nth_element(hits_.begin(), kth, hits_.end(), Better{files_});
    threshold_ = kth->score;
    hits_.resize(k_);
  }

  std::size_t k_;
  const IndexFiles* files_;
  float threshold_ = -std::numeric_limits<float>::infinity();
  std::vector<Hit> hits_;
};

}  // namespace rr::internal
