#include "rr/bm25/internal/retrieval.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <utility>

#include "rr/bm25/internal/posting_list.h"
#include "rr/bm25/internal/top_k.h"

namespace rr::internal {
namespace {

// Documents scored together; their sums stay in the first-level cache.
constexpr std::size_t kWindowDocs = 4096;
// The first windows are smaller: what they find raises the threshold for the rest.
constexpr std::size_t kFirstWindowDocs = 512;
constexpr std::size_t kChunkDocs = 16;  // of these, looked through together

// The sum of a document that no term gave anything: unlike a sum of zeros, it has a sign.
constexpr double kUntouched = -0.0;

// Rounds what a term gives to a multiple of a power of two so small that every sum of a query is
// exact in a double. So a score does not depend on the order in which its terms were added, and
// pruned search finds what exhaustive search finds to the last bit. Contributions are 32-bit
// floats: but for terms that give next to nothing, they are such multiples already.
class Rounding {
 public:
  // `limit`: no sum of the query is larger.
  explicit Rounding(double limit = 0)
      : shift_(std::ldexp(1.5, limit > 0 ? std::ilogb(limit) + 1 : 0)) {}

  double round(float value) const { return (static_cast<double>(value) + shift_) - shift_; }

 private:
  double shift_;
};

// Whether one of eight numbers is at least `cut`, two at a time.
bool any_at_least(const double* numbers, double cut) {
  using Two [[gnu::vector_size(16)]] = double;
  const Two cuts = {cut, cut};
  Two two;
  std::memcpy(&two, numbers, sizeof two);
  auto found = two >= cuts;
  for (std::size_t i = 2; i < 8; i += 2) {
    std::memcpy(&two, numbers + i, sizeof two);
    found |= two >= cuts;
  }
  return (found[0] | found[1]) != 0;
}

// What scoring needs of the segment and the query.
struct Scoring {
  std::span<const float> inverse_norms;
  std::span<const std::uint8_t> lengths;
  Rounding rounding;
};

// One term of the query on its way through its list. Kept from query to query for its memory.
class TermScorer {
 public:
  TermScorer() {}  // NOLINT: leaves the arrays as they are

  // False: the list is damaged.
  bool start(const PostingList& list, float weight, const Scoring& scoring) {
    list_ = list;
    weight_ = weight;
    scoring_ = &scoring;
    num_blocks_ = list.num_blocks();
    first_ = at_ = 0;
    decoded_ = kNone;
    last_docs_.clear();
    bounds_.clear();
    return num_blocks_ == 1 ? start_short() : start_long();
  }

  // Goes to the window [begin, end). False where the list has nothing from there on.
  bool enter(std::uint64_t begin, std::uint64_t end) {
    while (first_ < num_blocks_ && last_docs_[first_] < begin) ++first_;
    window_bound_ = 0;
    most_postings_ = 0;
    for (std::size_t i = first_; i < num_blocks_ && starts_before(i, end); ++i) {
      window_bound_ = std::max(window_bound_, bounds_[i]);
      most_postings_ += list_.size_of(i);
    }
    at_ = first_;
    return first_ < num_blocks_;
  }

  // The most that a document of the window gets; 0: none is in the list, or none gets anything.
  double window_bound() const { return window_bound_; }
  bool is_in_window(std::uint64_t end) const { return starts_before(first_, end); }
  // No more postings than these are in the window.
  std::size_t most_postings() const { return most_postings_; }

  // Adds what the window's documents get to `sums` and marks their chunks. False: damaged.
  bool add_all(std::uint64_t begin, std::uint64_t end, std::span<double> sums,
               std::span<std::uint8_t> marks) {
    for (std::size_t i = first_; i < num_blocks_ && starts_before(i, end); ++i) {
      if (!decode(i)) return false;
      const std::uint32_t* docs = docs_.data();
      const std::size_t size = list_.size_of(i);
      std::size_t from = 0;
      std::size_t to = size;
      if (docs[0] < begin) from = first_at_least(begin);
      if (docs[size - 1] >= end) to = first_at_least(end);
      for (std::size_t j = from; j < to; ++j) {
        const std::size_t place = docs[j] - begin;
        sums[place] += scores_[j];
        marks[place / kChunkDocs] = 1;
      }
    }
    return true;
  }

  // The block that would hold `doc`, of increasing calls in a window; false: there is none.
  bool find_block(std::uint32_t doc) {
    while (at_ < num_blocks_ && last_docs_[at_] < doc) ++at_;
    return at_ < num_blocks_ && starts_before(at_, std::uint64_t{doc} + 1);
  }
  double block_bound() const { return bounds_[at_]; }

  // What the document of find_block() gets, 0 where it is not in the list. False: damaged.
  bool score_of(std::uint32_t doc, double& score_out) {
    if (!decode(at_)) return false;
    const std::size_t i = first_at_least(doc);
    score_out = i < list_.size_of(at_) && docs_[i] == doc ? scores_[i] : 0;
    return true;
  }

 private:
  static constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();

  // One block: decoded once, and its bound is the best of its scores.
  bool start_short() {
    if (!decode(0)) return false;
    const std::size_t size = list_.size_of(0);
    last_docs_.push_back(docs_[size - 1]);
    bounds_.push_back(*std::max_element(scores_.begin(), scores_.begin() + size));
    return true;
  }

  bool start_long() {
    for (std::size_t block = 0; block < num_blocks_; ++block) {
      if (!list_.impacts_of(block, impacts_)) return false;
      float bound = 0;
      for (const Impact& impact : impacts_) {
        const float norm = scoring_->inverse_norms[impact.length];
        bound = std::max(bound, contribution(impact.frequency, norm));
      }
      last_docs_.push_back(list_.last_doc(block));
      bounds_.push_back(scoring_->rounding.round(bound));
    }
    return true;
  }

  bool starts_before(std::size_t block, std::uint64_t end) const {
    return block == 0 || last_docs_[block - 1] + std::uint64_t{1} < end;
  }

  // In the decoded block: a binary search without branches, which nothing could predict.
  std::size_t first_at_least(std::uint64_t doc) const {
    const std::uint32_t* base = docs_.data();
    for (std::size_t rest = list_.size_of(decoded_); rest > 1;) {
      const std::size_t half = rest / 2;
      base += half * static_cast<std::size_t>(base[half - 1] < doc);
      rest -= half;
    }
    return static_cast<std::size_t>(base - docs_.data()) + (*base < doc ? 1 : 0);
  }

  // Lucene's BM25Scorer: weight - weight / (1 + tf / norm), monotonic in both.
  float contribution(std::uint32_t frequency, float inverse_norm) const {
    const auto tf = static_cast<float>(static_cast<std::int32_t>(frequency));
    return weight_ - weight_ / (1.0F + tf * inverse_norm);
  }

  // The block's documents, and what each gets.
  bool decode(std::size_t block) {
    if (decoded_ == block) return true;
    decoded_ = kNone;
    std::array<std::uint32_t, kBlockSize> frequencies;
    std::array<float, kBlockSize> scores;
    if (!list_.decode(block, docs_, frequencies)) return false;
    decoded_ = block;
    const std::size_t size = list_.size_of(block);
    const std::uint8_t* lengths = scoring_->lengths.data();
    const float* inverse_norms = scoring_->inverse_norms.data();
    for (std::size_t i = 0; i < size; ++i) scores[i] = inverse_norms[lengths[docs_[i]]];
    for (std::size_t i = 0; i < size; ++i) scores[i] = contribution(frequencies[i], scores[i]);
    const Rounding rounding = scoring_->rounding;
    for (std::size_t i = 0; i < size; ++i) scores_[i] = rounding.round(scores[i]);
    return true;
  }

  PostingList list_;
  float weight_ = 0;
  const Scoring* scoring_ = nullptr;
  std::size_t num_blocks_ = 0;
  std::vector<std::uint32_t> last_docs_;  // of each block
  std::vector<double> bounds_;            // of each block
  std::vector<Impact> impacts_;
  double window_bound_ = 0;
  std::size_t most_postings_ = 0;
  std::size_t first_ = 0;        // the first block that reaches into the window
  std::size_t at_ = 0;           // where find_block() is
  std::size_t decoded_ = kNone;  // the block that stands in what follows
  std::array<std::uint32_t, kBlockSize> docs_;
  std::array<double, kBlockSize> scores_;
};

struct Candidate {
  std::uint32_t doc;
  double sum;
};

}  // namespace

struct RetrievalMemory {
  std::vector<TermScorer> scorers;
  std::vector<TermScorer*> active;   // with postings from the window on; kept as sorted as before
  std::vector<TermScorer*> present;  // in the window
  std::vector<double> sums = std::vector<double>(kWindowDocs, kUntouched);
  std::vector<std::uint8_t> marks = std::vector<std::uint8_t>(kWindowDocs / kChunkDocs, 0);
  // The first num_candidates of them; one may be written behind the last.
  std::vector<Candidate> candidates = std::vector<Candidate>(kWindowDocs + 1);
  std::size_t num_candidates = 0;
};

namespace {

// Block-max MaxScore, window by window: S. Ding and T. Suel, "Faster top-k document retrieval using
// block-max indexes", SIGIR 2011; H. Turtle and J. Flood, IP&M 31(6), 1995. The terms that together
// cannot lift a document over the threshold are looked up only for documents that others found.
class SegmentSearch {
 public:
  // first_doc: the segment's first document in the index.
  SegmentSearch(RetrievalMemory& memory, TopK& top, std::uint32_t first_doc, bool is_pruned)
      : memory_(memory), top_(top), first_doc_(first_doc), is_pruned_(is_pruned) {}

  // False: a list is damaged.
  bool run(std::uint64_t num_docs) {
    std::uint64_t size = kFirstWindowDocs;
    for (std::uint64_t begin = 0; begin < num_docs && !memory_.active.empty();) {
      const std::uint64_t end = std::min(begin + size, num_docs);
      if (!score_window(begin, end)) return false;
      begin = end;
      size = std::min<std::uint64_t>(begin, kWindowDocs);
      top_.refresh();
    }
    return true;
  }

 private:
  bool can_enter(double bound) const { return static_cast<float>(bound) >= top_.threshold(); }

  // The window's terms, those that give least first. They stand much as in the window before.
  void enter_window(std::uint64_t begin, std::uint64_t end) {
    auto& active = memory_.active;
    std::erase_if(active, [&](TermScorer* term) { return !term->enter(begin, end); });
    for (std::size_t i = 1; i < active.size(); ++i) {
      TermScorer* const term = active[i];
      std::size_t place = i;
      for (; place > 0 && active[place - 1]->window_bound() > term->window_bound(); --place) {
        active[place] = active[place - 1];
      }
      active[place] = term;
    }
    memory_.present.clear();
    for (TermScorer* term : active) {
      if (term->is_in_window(end)) memory_.present.push_back(term);
    }
  }

  bool score_window(std::uint64_t begin, std::uint64_t end) {
    enter_window(begin, end);
    const auto& present = memory_.present;
    std::size_t num_optional = 0;
    double optional_bound = 0;
    while (is_pruned_ && num_optional < present.size() &&
           !can_enter(optional_bound + present[num_optional]->window_bound())) {
      optional_bound += present[num_optional++]->window_bound();
    }
    if (num_optional == present.size()) return true;
    for (std::size_t i = num_optional; i < present.size(); ++i) {
      if (!present[i]->add_all(begin, end, memory_.sums, memory_.marks)) {
        clear_window(end - begin);
        return false;
      }
    }
    collect(begin, optional_bound);
    if (!add_optional(num_optional, optional_bound, begin, end)) return false;
    for (const Candidate& candidate : std::span(memory_.candidates).first(memory_.num_candidates)) {
      top_.offer({first_doc_ + candidate.doc, static_cast<float>(candidate.sum)});
    }
    return true;
  }

  void clear_window(std::uint64_t size) {
    std::fill_n(memory_.sums.begin(), size, kUntouched);
    std::fill_n(memory_.marks.begin(), (size + kChunkDocs - 1) / kChunkDocs, std::uint8_t{0});
  }

  // Takes the touched documents that may still come in, and clears the window.
  void collect(std::uint64_t begin, double optional_bound) {
    auto& candidates = memory_.candidates;
    std::size_t num_candidates = 0;
    // No sum below it comes in: rounding to a float is monotonic, and what these doubles lose is
    // far less than the float below the threshold is away from it.
    const double cut =
        std::nextafter(top_.threshold(), -std::numeric_limits<float>::infinity()) - optional_bound;
    for (std::size_t chunk = 0; chunk < memory_.marks.size(); ++chunk) {
      if (std::exchange(memory_.marks[chunk], std::uint8_t{0}) == 0) continue;
      const std::size_t first = chunk * kChunkDocs;
      double* const sums = memory_.sums.data() + first;
      for (std::size_t i = 0; i < kChunkDocs; i += 8) {
        if (!any_at_least(sums + i, cut)) continue;
        // Written whether it stays or not: a branch here could not be predicted.
        for (std::size_t j = i; j < i + 8; ++j) {
          candidates[num_candidates] = {static_cast<std::uint32_t>(begin + first + j), sums[j]};
          const std::size_t is_touched = std::signbit(sums[j]) ? 0 : 1;
          num_candidates += is_touched & (can_enter(sums[j] + optional_bound) ? 1U : 0U);
        }
      }
      std::fill_n(sums, kChunkDocs, kUntouched);
    }
    memory_.num_candidates = num_candidates;
  }

  bool add_optional(std::size_t num_optional, double optional_bound, std::uint64_t begin,
                    std::uint64_t end) {
    constexpr std::size_t kPostingsALookup = 8;  // so many cost as much to add as one to look up
    for (std::size_t i = num_optional; i-- > 0;) {
      TermScorer& term = *memory_.present[i];
      drop_candidates(optional_bound);
      optional_bound -= term.window_bound();  // of the terms after this one
      const bool adds_all = memory_.num_candidates * kPostingsALookup > term.most_postings();
      const bool is_sound =
          adds_all ? add_to_candidates(term, begin, end) : look_up_candidates(term, optional_bound);
      if (!is_sound) return false;
    }
    return true;
  }

  // Those that cannot come in with `rest` more.
  void drop_candidates(double rest) {
    auto& candidates = memory_.candidates;
    std::size_t num_kept = 0;
    for (std::size_t i = 0; i < memory_.num_candidates; ++i) {
      const Candidate candidate = candidates[i];
      candidates[num_kept] = candidate;
      num_kept += can_enter(candidate.sum + rest) ? 1 : 0;
    }
    memory_.num_candidates = num_kept;
  }

  // Through the window, which is clear.
  bool add_to_candidates(TermScorer& term, std::uint64_t begin, std::uint64_t end) {
    const bool is_sound = term.add_all(begin, end, memory_.sums, memory_.marks);
    for (std::size_t i = 0; is_sound && i < memory_.num_candidates; ++i) {
      Candidate& candidate = memory_.candidates[i];
      candidate.sum += memory_.sums[candidate.doc - begin];  // untouched: adds nothing
    }
    clear_window(end - begin);
    return is_sound;
  }

  bool look_up_candidates(TermScorer& term, double rest) {
    for (std::size_t i = 0; i < memory_.num_candidates; ++i) {
      Candidate& candidate = memory_.candidates[i];
      if (!term.find_block(candidate.doc) ||
          !can_enter(candidate.sum + term.block_bound() + rest)) {
        continue;
      }
      double score = 0;
      if (!term.score_of(candidate.doc, score)) return false;
      candidate.sum += score;
    }
    return true;
  }

  RetrievalMemory& memory_;
  TopK& top_;
  std::uint32_t first_doc_;
  bool is_pruned_;
};

}  // namespace

Retrieval::Retrieval() : memory_(std::make_unique<RetrievalMemory>()) {}
Retrieval::~Retrieval() = default;
Retrieval::Retrieval(Retrieval&&) noexcept = default;
Retrieval& Retrieval::operator=(Retrieval&&) noexcept = default;

Result<std::vector<Hit>> Retrieval::run(const IndexFiles& files, const QueryModel& model,
                                        std::span<const float> inverse_norms, std::size_t k,
                                        SearchMethod method) {
  double limit = 0;
  for (const QueryTerm& term : model.terms) {
    limit += static_cast<double>(term.boost * term.idf);
  }
  if (memory_->scorers.size() < model.terms.size()) memory_->scorers.resize(model.terms.size());
  TopK top(k, files);
  for (std::size_t i = 0; i < files.segments().size(); ++i) {
    const Segment& segment = files.segments()[i];
    const Scoring scoring{inverse_norms, segment.lengths(), Rounding(limit)};
    memory_->active.clear();
    for (std::size_t t = 0; t < model.terms.size(); ++t) {
      const QueryTerm& term = model.terms[t];
      const Segment::Term& place = model.places[i * model.terms.size() + t];
      if (place.num_documents == 0) continue;
      RR_TRY(const PostingList list, segment.postings_of(place));
      TermScorer& scorer = memory_->scorers[t];
      if (!scorer.start(list, term.boost * term.idf, scoring)) return segment.damaged_postings();
      memory_->active.push_back(&scorer);
    }
    SegmentSearch search(*memory_, top, files.first_doc(i), method == SearchMethod::kPruned);
    if (!search.run(segment.statistics().num_documents)) return segment.damaged_postings();
  }
  return top.take();
}

}  // namespace rr::internal
