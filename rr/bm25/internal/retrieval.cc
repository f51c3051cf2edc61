#include "rr/bm25/internal/retrieval.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>

#include "rr/bm25/internal/posting_list.h"
#include "rr/bm25/internal/top_k.h"

namespace rr::internal {
namespace {

// Documents scored together; their sums stay in the first-level cache.
constexpr std::size_t kWindowDocs = 4096;

// Rounds what a term gives to a multiple of a power of two so small that every sum of a query is
// exact in a double. So a score does not depend on the order in which its terms were added, and
// pruned search finds what exhaustive search finds to the last bit. Contributions are 32-bit
// floats: but for terms that give next to nothing, they are such multiples already.
class Rounding {
 public:
  // `limit`: no sum of the query is larger.
  explicit Rounding(double limit)
      : shift_(std::ldexp(1.5, limit > 0 ? std::ilogb(limit) + 1 : 0)) {}

  double round(float value) const { return (static_cast<double>(value) + shift_) - shift_; }

 private:
  double shift_;
};

// One term of the query on its way through its list.
class TermScorer {
 public:
  TermScorer(PostingList list, float weight, std::span<const float> inverse_norms,
             std::span<const std::uint8_t> lengths, Rounding rounding)
      : list_(std::move(list)),
        weight_(weight),
        inverse_norms_(inverse_norms),
        lengths_(lengths),
        rounding_(rounding) {
    bounds_.reserve(list_.blocks().size());
    for (std::size_t block = 0; block < list_.blocks().size(); ++block) {
      double bound = 0;
      for (const Impact& impact : list_.impacts_of(block)) {
        bound = std::max(bound, score(impact.frequency, impact.length));
      }
      bounds_.push_back(bound);
    }
  }

  // Goes to the window [begin, end). False where the list has nothing from there on.
  bool enter(std::uint64_t begin, std::uint64_t end) {
    const auto blocks = list_.blocks();
    while (first_ < blocks.size() && blocks[first_].last_doc < begin) ++first_;
    window_bound_ = 0;
    for (std::size_t i = first_; i < blocks.size() && starts_before(i, end); ++i) {
      window_bound_ = std::max(window_bound_, bounds_[i]);
    }
    at_ = first_;
    return first_ < blocks.size();
  }

  // The most that a document of the window gets; 0: none is in the list.
  double window_bound() const { return window_bound_; }

  // Adds what the window's documents get to `sums` and marks them. False: the list is damaged.
  bool add_all(std::uint64_t begin, std::uint64_t end, std::span<double> sums,
               std::span<std::uint64_t> marks) {
    for (std::size_t i = first_; i < bounds_.size() && starts_before(i, end); ++i) {
      if (!decode(i)) return false;
      const std::size_t size = list_.size_of(i);
      const auto docs = std::span(docs_).first(size);
      const auto from = std::lower_bound(docs.begin(), docs.end(), begin) - docs.begin();
      const auto to = std::lower_bound(docs.begin() + from, docs.end(), end) - docs.begin();
      add_range(static_cast<std::size_t>(from), static_cast<std::size_t>(to), begin, sums, marks);
    }
    return true;
  }

  // The block that would hold `doc`, of increasing calls in a window; false: there is none.
  bool find_block(std::uint32_t doc) {
    const auto blocks = list_.blocks();
    while (at_ < blocks.size() && blocks[at_].last_doc < doc) ++at_;
    return at_ < blocks.size() && starts_before(at_, std::uint64_t{doc} + 1);
  }
  double block_bound() const { return bounds_[at_]; }

  // What the document of find_block() gets, 0 where it is not in the list. False: damaged.
  bool score_of(std::uint32_t doc, double& score_out) {
    if (!decode(at_)) return false;
    const auto docs = std::span(docs_).first(list_.size_of(at_));
    const auto place = std::lower_bound(docs.begin(), docs.end(), doc);
    score_out = 0;
    if (place == docs.end() || *place != doc) return true;
    const auto i = static_cast<std::size_t>(place - docs.begin());
    score_out = score(frequencies_[i], lengths_[doc]);
    return true;
  }

 private:
  static constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();

  bool starts_before(std::size_t block, std::uint64_t end) const {
    return block == 0 || list_.blocks()[block - 1].last_doc + std::uint64_t{1} < end;
  }

  bool decode(std::size_t block) {
    if (decoded_ == block) return true;
    decoded_ = block;
    return list_.decode(block, docs_, frequencies_);
  }

  // Lucene's BM25Scorer: weight - weight / (1 + tf / norm), monotonic in both.
  float contribution(std::uint32_t frequency, float inverse_norm) const {
    const auto tf = static_cast<float>(static_cast<std::int32_t>(frequency));
    return weight_ - weight_ / (1.0F + tf * inverse_norm);
  }
  double score(std::uint32_t frequency, std::uint8_t length) const {
    return rounding_.round(contribution(frequency, inverse_norms_[length]));
  }

  void add_range(std::size_t from, std::size_t to, std::uint64_t begin, std::span<double> sums,
                 std::span<std::uint64_t> marks) {
    std::array<float, kBlockSize> scores;
    for (std::size_t i = from; i < to; ++i) scores[i] = inverse_norms_[lengths_[docs_[i]]];
    for (std::size_t i = from; i < to; ++i) {
      scores[i] = contribution(frequencies_[i], scores[i]);
    }
    for (std::size_t i = from; i < to; ++i) {
      const std::size_t place = docs_[i] - begin;
      sums[place] += rounding_.round(scores[i]);
      marks[place / 64] |= std::uint64_t{1} << (place % 64);
    }
  }

  PostingList list_;
  float weight_;
  std::span<const float> inverse_norms_;
  std::span<const std::uint8_t> lengths_;
  Rounding rounding_;
  std::vector<double> bounds_;  // of each block
  double window_bound_ = 0;
  std::size_t first_ = 0;  // the first block that reaches into the window
  std::size_t at_ = 0;     // where find_block() is
  std::size_t decoded_ = kNone;
  std::array<std::uint32_t, kBlockSize> docs_{};
  std::array<std::uint32_t, kBlockSize> frequencies_{};
};

// Block-max MaxScore, window by window: S. Ding and T. Suel, "Faster top-k document retrieval using
// block-max indexes", SIGIR 2011; H. Turtle and J. Flood, IP&M 31(6), 1995. The terms that together
// cannot lift a document over the threshold are looked up only for documents that others found.
class Retrieval {
 public:
  Retrieval(const IndexFiles& files, std::size_t k, SearchMethod method)
      : files_(files),
        top_(k, files),
        is_pruned_(method == SearchMethod::kPruned),
        sums_(kWindowDocs, 0.0),
        marks_(kWindowDocs / 64, 0) {}

  // Of the segment with this number.
  Status run(std::size_t segment, std::vector<TermScorer>& terms) {
    active_.clear();
    for (TermScorer& term : terms) active_.push_back(&term);
    first_doc_ = files_.first_doc(segment);
    const Segment& files = files_.segments()[segment];
    const std::uint64_t num_docs = files.statistics().num_documents;
    for (std::uint64_t begin = 0; begin < num_docs && !active_.empty(); begin += kWindowDocs) {
      if (!score_window(begin, std::min(begin + kWindowDocs, num_docs))) {
        return files.damaged_postings();
      }
    }
    return ok_status();
  }

  std::vector<Hit> take() { return top_.take(); }

 private:
  struct Candidate {
    std::uint32_t doc;
    double sum;
  };

  bool can_enter(double bound) const { return static_cast<float>(bound) >= top_.threshold(); }

  // The window's terms, those that give least first.
  void enter_window(std::uint64_t begin, std::uint64_t end) {
    std::erase_if(active_, [&](TermScorer* term) { return !term->enter(begin, end); });
    present_.clear();
    for (TermScorer* term : active_) {
      if (term->window_bound() > 0) present_.push_back(term);
    }
    std::stable_sort(present_.begin(), present_.end(), [](TermScorer* a, TermScorer* b) {
      return a->window_bound() < b->window_bound();
    });
  }

  bool score_window(std::uint64_t begin, std::uint64_t end) {
    enter_window(begin, end);
    std::size_t num_optional = 0;
    double optional_bound = 0;
    while (is_pruned_ && num_optional < present_.size() &&
           !can_enter(optional_bound + present_[num_optional]->window_bound())) {
      optional_bound += present_[num_optional++]->window_bound();
    }
    if (num_optional == present_.size()) return true;
    for (std::size_t i = num_optional; i < present_.size(); ++i) {
      if (!present_[i]->add_all(begin, end, sums_, marks_)) return false;
    }
    collect(begin, optional_bound);
    if (!add_optional(num_optional, optional_bound)) return false;
    for (const Candidate& candidate : candidates_) {
      const auto score = static_cast<float>(candidate.sum);
      if (score >= top_.threshold()) top_.offer({first_doc_ + candidate.doc, score});
    }
    return true;
  }

  // Takes the marked documents that may still come in, and clears the window.
  void collect(std::uint64_t begin, double optional_bound) {
    candidates_.clear();
    for (std::size_t word = 0; word < marks_.size(); ++word) {
      for (std::uint64_t bits = std::exchange(marks_[word], 0); bits != 0; bits &= bits - 1) {
        const std::size_t place = word * 64 + static_cast<std::size_t>(std::countr_zero(bits));
        const double sum = std::exchange(sums_[place], 0.0);
        if (!can_enter(sum + optional_bound)) continue;
        candidates_.push_back({static_cast<std::uint32_t>(begin + place), sum});
      }
    }
  }

  bool add_optional(std::size_t num_optional, double optional_bound) {
    for (std::size_t i = num_optional; i-- > 0;) {
      TermScorer& term = *present_[i];
      const double rest = optional_bound - term.window_bound();  // of the terms after this one
      std::size_t num_kept = 0;
      for (Candidate candidate : candidates_) {
        if (!can_enter(candidate.sum + optional_bound)) continue;
        if (term.find_block(candidate.doc) &&
            can_enter(candidate.sum + term.block_bound() + rest)) {
          double score = 0;
          if (!term.score_of(candidate.doc, score)) return false;
          candidate.sum += score;
        }
        candidates_[num_kept++] = candidate;
      }
      candidates_.resize(num_kept);
      optional_bound = rest;
    }
    return true;
  }

  const IndexFiles& files_;
  TopK top_;
  bool is_pruned_;
  std::uint32_t first_doc_ = 0;  // of the segment
  std::vector<TermScorer*> active_;
  std::vector<TermScorer*> present_;
  std::vector<double> sums_;
  std::vector<std::uint64_t> marks_;
  std::vector<Candidate> candidates_;
};

}  // namespace

Result<std::vector<Hit>> retrieve(const IndexFiles& files, const QueryModel& model,
                                  std::span<const float> inverse_norms, std::size_t k,
                                  SearchMethod method) {
  double limit = 0;
  for (const QueryTerm& term : model.terms) {
    limit += static_cast<double>(term.boost * term.idf);
  }
  const Rounding rounding(limit);
  Retrieval retrieval(files, k, method);
  std::vector<TermScorer> scorers;
  for (std::size_t i = 0; i < files.segments().size(); ++i) {
    const Segment& segment = files.segments()[i];
    scorers.clear();
    scorers.reserve(model.terms.size());
    for (const QueryTerm& term : model.terms) {
      if (!term.places[i]) continue;
      RR_TRY(PostingList list, segment.postings_of(*term.places[i]));
      scorers.emplace_back(std::move(list), term.boost * term.idf, inverse_norms, segment.lengths(),
                           rounding);
    }
    RR_TRY_STATUS(retrieval.run(i, scorers));
  }
  return retrieval.take();
}

}  // namespace rr::internal
