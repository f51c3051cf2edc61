#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>
#include <utility>
#include <vector>

#include "rr/bm25/internal/index_files.h"
#include "rr/bm25/searcher.h"

namespace rr::internal {

// The best k hits so far: higher scores first, equal ones by docid.
class TopK {
 public:
  // `files` must outlive the object. Requires k >= 1.
  TopK(std::size_t k, const IndexFiles& files) : k_(k), better_{&files} {
    hits_.reserve(std::min<std::size_t>(k, files.statistics().num_documents));
  }

  std::size_t k() const { return k_; }
  bool is_full() const { return hits_.size() == k_; }

  // What a document must reach, at least, to come in; it may still be refused.
  float threshold() const {
    return is_full() ? hits_.front().score : -std::numeric_limits<float>::infinity();
  }

  void offer(Hit hit) {
    if (is_full()) {
      if (hit.score < hits_.front().score || !better_(hit, hits_.front())) return;
      std::pop_heap(hits_.begin(), hits_.end(), better_);
      hits_.pop_back();
    }
    hits_.push_back(hit);
    std::push_heap(hits_.begin(), hits_.end(), better_);
  }

  std::vector<Hit> take() {
    std::sort_heap(hits_.begin(), hits_.end(), better_);
    return std::move(hits_);
  }

 private:
  struct Better {
    const IndexFiles* files;
    bool operator()(const Hit& a, const Hit& b) const {
      if (a.score != b.score) return a.score > b.score;
      return files->comes_first(a.doc, b.doc);
    }
  };

  std::size_t k_;
  Better better_;
  std::vector<Hit> hits_;  // a heap, the worst in front
};

}  // namespace rr::internal
