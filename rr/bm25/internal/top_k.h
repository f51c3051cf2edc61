#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include "rr/bm25/internal/index_files.h"
#include "rr/bm25/searcher.h"

namespace rr::internal {

// The best k hits so far: higher scores first, equal ones by docid.
class TopK {
 public:
  // `files` must outlive the object. Requires k >= 1.
  TopK(std::size_t k, const IndexFiles& files) : k_(k), files_(&files) {}

  // What a document must reach, at least, to come in; a tie may still be refused.
  float threshold() const {
    return hits_.size() < k_ ? -std::numeric_limits<float>::infinity() : hits_.front().score;
  }

  void offer(Hit hit) {
    const auto better = [this](const Hit& a, const Hit& b) { return is_better(a, b); };
    if (hits_.size() == k_) {
      if (!is_better(hit, hits_.front())) return;
      std::pop_heap(hits_.begin(), hits_.end(), better);
      hits_.pop_back();
    }
    hits_.push_back(hit);
    std::push_heap(hits_.begin(), hits_.end(), better);
  }

  std::vector<Hit> take() {
    std::sort(hits_.begin(), hits_.end(),
              [this](const Hit& a, const Hit& b) { return is_better(a, b); });
    return std::move(hits_);
  }

 private:
  bool is_better(const Hit& a, const Hit& b) const {
    if (a.score != b.score) return a.score > b.score;
    return files_->comes_first(a.doc, b.doc);
  }

  std::size_t k_;
  const IndexFiles* files_;
  std::vector<Hit> hits_;  // a heap, the worst in front
};

}  // namespace rr::internal
