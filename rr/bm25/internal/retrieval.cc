#include "rr/bm25/internal/retrieval.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>

#include "rr/bm25/internal/posting_list.h"
#include "rr/bm25/internal/top_k.h"
#include "rr/bm25/internal/window_kernels.h"

namespace rr::internal {
namespace {

// Documents whose bounds are summed together: their sums and shares stay in the nearest caches.
constexpr std::uint32_t kWindowDocs = 8192;
static_assert(kWindowDocs % kGroupDocs == 0);

// A query of more terms is scored exhaustively: the bounds' rounding would leave nothing out.
constexpr std::size_t kMostBoundedTerms = 16384;

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

// What a query needs of a segment.
struct SegmentScoring {
  std::span<const float> inverse_norms;
  std::span<const std::uint8_t> lengths;
  const ShareTable* shares;
  Rounding rounding;

  // Lucene's BM25Scorer: weight - weight / (1 + tf / norm), monotonic in both.
  double contribution(float weight, std::uint32_t frequency, std::uint32_t doc) const {
    const auto tf = static_cast<float>(static_cast<std::int32_t>(frequency));
    return rounding.round(weight - weight / (1.0F + tf * inverse_norms[lengths[doc]]));
  }
};

// Turns scores into sums of whole numbers that are never too low: a term's weight becomes at most
// 255, and a document gets the 256th part of weight times share, rounded up.
class BoundScale {
 public:
  // Requires 1 to kMostBoundedTerms terms.
  explicit BoundScale(std::span<const QueryTerm> terms) {
    double highest = 0;
    double total = 0;
    for (const QueryTerm& term : terms) {
      highest = std::max(highest, static_cast<double>(term.weight()));
      total += static_cast<double>(term.weight());
    }
    // Each term is rounded up twice at most: in its codes and in its list.
    const double room = 65535 - 2 * static_cast<double>(terms.size());
    scale_ = std::min(255 / highest, room / total) * (1 - kMargin);
  }

  std::uint8_t weight(float weight) const {
    return static_cast<std::uint8_t>(
        std::clamp(std::ceil(static_cast<double>(weight) * scale_), 1.0, 255.0));
  }

  // A document with this score has at least this sum; one with any term of the query has 1.
  std::uint16_t cut(float score) const {
    const double sum = static_cast<double>(score) * scale_ * 255 / 256 * (1 - kMargin);
    return static_cast<std::uint16_t>(std::clamp(std::floor(sum), 1.0, 65535.0));
  }

 private:
  static constexpr double kMargin = 1e-6;  // far more than a float is rounded by
  double scale_ = 1;
};

struct Window {
  std::uint32_t begin;
  std::uint32_t end;
};

// A document whose bound reaches the threshold, and its score as far as it is known.
struct Candidate {
  std::uint32_t doc;
  double sum;
};

// One term of the query on its way through its list, window by window. Kept from query to query for
// its memory.
class TermCursor {
 public:
  TermCursor() {}  // NOLINT: leaves the arrays as they are

  // False: the list is damaged.
  bool start(const PostingList& list, float weight, std::uint8_t bound_weight,
             const SegmentScoring& scoring) {
    codes_ = list.codes();
    listed_ = list.listed();
    weight_ = weight;
    bound_weight_ = bound_weight;
    scoring_ = &scoring;
    for (Block& block : blocks_) block.number = kNone;
    block_ = 0;
    return enter_block();
  }

  bool is_dense() const { return codes_ != nullptr; }
  const std::uint8_t* codes() const { return codes_; }
  std::uint8_t bound_weight() const { return bound_weight_; }
  bool has_listed(const Window& window) const { return next_doc_ < window.end; }

  // Adds to `sums` what the window's listed documents get at most, beyond what their codes give.
  // False: damaged.
  bool add_bounds(const Window& window, std::span<std::uint16_t> sums) {
    first_block_ = block_;
    first_at_ = at_;
    is_in_window_ = has_listed(window);
    while (has_listed(window)) {
      const Block* block = load(block_);
      if (block == nullptr) return false;
      const std::size_t size = listed_.size_of(block_);
      add_block(*block, size, window, sums);
      if (at_ < size) {
        next_doc_ = block->docs[at_];
      } else if (++block_; !enter_block()) {
        return false;
      }
    }
    return true;
  }

  // Adds to the window's candidates what the term gives them, exactly. False: damaged.
  bool add_scores(std::span<Candidate> candidates) {
    if (!is_dense() && !is_in_window_) return true;
    std::size_t number = first_block_;
    for (Candidate& candidate : candidates) {
      std::uint32_t frequency = is_dense() ? code_of(codes_, candidate.doc) : 0;
      const bool may_be_listed = is_in_window_ && (!is_dense() || frequency == kMostCode);
      if (may_be_listed && !find_listed(candidate.doc, number, frequency)) return false;
      candidate.sum += scoring_->contribution(weight_, frequency, candidate.doc);  // 0 of none
    }
    return true;
  }

 private:
  static constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();
  static constexpr std::uint32_t kNoDoc = std::numeric_limits<std::uint32_t>::max();

  struct Block {
    std::size_t number;
    std::array<std::uint32_t, kBlockSize> docs;
    std::array<std::uint32_t, kBlockSize> frequencies;
  };

  // The decoded block; null: damaged. Two are kept, as the scores of a window are mostly of two.
  const Block* load(std::size_t number) {
    Block& block = blocks_[number % blocks_.size()];
    if (block.number == number) return &block;
    block.number = kNone;
    if (!listed_.decode(number, block.docs, block.frequencies)) return nullptr;
    block.number = number;
    return &block;
  }

  bool enter_block() {
    at_ = 0;
    next_doc_ = kNoDoc;
    if (block_ == listed_.num_blocks()) return true;
    const Block* block = load(block_);
    if (block == nullptr) return false;
    next_doc_ = block->docs[0];
    return true;
  }

  void add_block(const Block& block, std::size_t size, const Window& window,
                 std::span<std::uint16_t> sums) {
    const ShareTable& shares = *scoring_->shares;
    const std::uint32_t known = is_dense() ? kMostCode : 0;
    const std::uint8_t* const lengths = scoring_->lengths.data();
    const int weight = bound_weight_;
    std::size_t at = at_;
    for (; at < size && block.docs[at] < window.end; ++at) {
      const std::uint32_t doc = block.docs[at];
      const int share =
          shares.share(block.frequencies[at], lengths[doc]) - shares.share(known, lengths[doc]);
      std::uint16_t& sum = sums[doc - window.begin];
      sum = static_cast<std::uint16_t>(sum + ((share * weight + 255) >> 8));
    }
    at_ = at;
  }

  // Among the places [from, to), at least one: a binary search without branches, which nothing
  // could predict.
  static std::size_t first_at_least(const Block& block, std::size_t from, std::size_t to,
                                    std::uint32_t doc) {
    const std::uint32_t* base = block.docs.data() + from;
    for (std::size_t rest = to - from; rest > 1;) {
      const std::size_t half = rest / 2;
      base += half * static_cast<std::size_t>(base[half - 1] < doc);
      rest -= half;
    }
    return static_cast<std::size_t>(base - block.docs.data()) + (*base < doc ? 1 : 0);
  }

  // Sets the frequency where the document is listed. `number` is the block to look in from, of
  // increasing documents. False: damaged.
  bool find_listed(std::uint32_t doc, std::size_t& number, std::uint32_t& frequency) {
    while (number + 1 < listed_.num_blocks() && listed_.last_doc(number) < doc) ++number;
    const Block* block = load(number);
    if (block == nullptr) return false;
    const std::size_t from = number == first_block_ ? first_at_ : 0;
    const std::size_t to = number == block_ ? at_ : listed_.size_of(number);
    if (from == to) return true;
    const std::size_t i = first_at_least(*block, from, to, doc);
    const bool is_listed = i < to && block->docs[i] == doc;
    frequency = is_listed ? block->frequencies[i] : frequency;
    return true;
  }

  const std::uint8_t* codes_ = nullptr;
  BlockList listed_;
  float weight_ = 0;
  std::uint8_t bound_weight_ = 0;
  const SegmentScoring* scoring_ = nullptr;
  std::uint32_t next_doc_ = kNoDoc;  // the next that is listed
  std::size_t block_ = 0;            // where it stands
  std::size_t at_ = 0;               // and its place there
  std::size_t first_block_ = 0;      // where it stood when it entered the window
  std::size_t first_at_ = 0;
  bool is_in_window_ = false;  // with a listed document
  std::array<Block, 2> blocks_;
};

}  // namespace

struct RetrievalMemory {
  std::vector<TermCursor> cursors;
  std::vector<DensePair> pairs;
  std::vector<std::size_t> pair_ends;  // of the pairs that are added together
  std::vector<std::uint16_t> sums = std::vector<std::uint16_t>(kWindowDocs, 0);
  std::vector<std::uint32_t> places = std::vector<std::uint32_t>(kWindowDocs + 1);
  std::vector<Candidate> candidates;
};

namespace {

// Finds the best documents of a segment in two steps, window by window. The bounds of all documents
// are summed in 16-bit integers: for frequent terms many documents at once, from codes, for the
// others posting by posting. Then the documents are scored whose bound reaches the threshold.
class SegmentSearch {
 public:
  // first_doc: the segment's first document in the index.
  SegmentSearch(RetrievalMemory& memory, std::span<TermCursor> cursors, const BoundScale& scale,
                const ShareRows& rows, std::uint32_t first_doc, TopK& top)
      : memory_(memory),
        cursors_(cursors),
        scale_(scale),
        rows_(rows),
        first_doc_(first_doc),
        top_(top) {
    pair_dense();
  }

  // False: a list is damaged.
  bool run(std::uint32_t num_docs) {
    for (std::uint32_t begin = 0; begin < num_docs;) {
      const std::uint32_t end = begin + std::min(kWindowDocs, num_docs - begin);
      if (!score_window({begin, end})) return false;
      begin = end;
    }
    return true;
  }

 private:
  std::uint16_t cut() const { return scale_.cut(top_.threshold()); }

  bool score_window(const Window& window) {
    const std::size_t padded =
        (window.end - window.begin + kGroupDocs - 1) / kGroupDocs * kGroupDocs;
    sums_ = std::span(memory_.sums).first(padded);
    bool has_listed = false;
    for (TermCursor& cursor : cursors_) {
      has_listed |= cursor.has_listed(window);
      if (!cursor.add_bounds(window, sums_)) return clear(false);
    }
    bool is_sound = true;
    if (can_enter(has_listed)) {
      add_dense(window.begin);
      is_sound = score_best(window.begin);
    }
    return has_listed || dense_bound_ > 0 ? clear(is_sound) : is_sound;
  }

  // Whether the window may have a document of the best.
  bool can_enter(bool has_listed) const {
    if (dense_bound_ >= cut()) return true;
    return has_listed && kernels_.highest(sums_.data(), sums_.size()) + dense_bound_ >= cut();
  }

  bool clear(bool is_sound) {
    std::fill(sums_.begin(), sums_.end(), std::uint16_t{0});
    return is_sound;
  }

  // Makes pairs of the dense terms, and parts of the pairs that weigh together what the kernel
  // takes.
  void pair_dense() {
    memory_.pairs.clear();
    memory_.pair_ends.clear();
    const TermCursor* open = nullptr;
    std::uint32_t part_weight = 0;
    for (const TermCursor& cursor : cursors_) {
      if (!cursor.is_dense()) continue;
      dense_bound_ += cursor.bound_weight();
      part_weight += cursor.bound_weight();
      if (part_weight > 255) {
        if (open != nullptr) memory_.pairs.push_back(pair_of(*std::exchange(open, nullptr)));
        memory_.pair_ends.push_back(memory_.pairs.size());
        part_weight = cursor.bound_weight();
      }
      if (open == nullptr) {
        open = &cursor;
      } else {
        memory_.pairs.push_back(pair_of(*std::exchange(open, nullptr), &cursor));
      }
    }
    if (open != nullptr) memory_.pairs.push_back(pair_of(*open));
    if (!memory_.pairs.empty()) memory_.pair_ends.push_back(memory_.pairs.size());
  }

  static DensePair pair_of(const TermCursor& a, const TermCursor* b = nullptr) {
    DensePair pair{{a.codes(), b == nullptr ? a.codes() : b->codes()}, {}};
    for (std::uint32_t c = 1; c <= kMostCode; ++c) {
      for (std::uint32_t i = 0; i < pair.weights[c - 1].size(); ++i) {
        const std::uint32_t of_a = i % 4 == c ? a.bound_weight() : 0U;
        const std::uint32_t of_b = b != nullptr && i / 4 % 4 == c ? b->bound_weight() : 0U;
        pair.weights[c - 1][i] = static_cast<std::uint8_t>(of_a + of_b);
      }
    }
    return pair;
  }

  void add_dense(std::uint32_t begin) {
    const std::array<const std::uint8_t*, 3> shares = {rows_.row(1, begin), rows_.row(2, begin),
                                                       rows_.row(3, begin)};
    const std::size_t first_byte = begin / kGroupDocs * kGroupBytes;
    std::size_t first = 0;
    for (const std::size_t end : memory_.pair_ends) {
      kernels_.add_dense(memory_.pairs.data() + first, end - first, first_byte, shares.data(),
                         sums_.size(), sums_.data());
      first = end;
    }
  }

  // Until k hits are known, the k best bounds of the window come first: they give a threshold.
  bool score_best(std::uint32_t begin) {
    constexpr std::uint16_t kHighest = std::numeric_limits<std::uint16_t>::max();
    if (top_.is_full()) return score_places(begin, find_places(cut(), kHighest));
    const std::uint16_t middle = cut_of_best();
    if (!score_places(begin, find_places(middle, kHighest))) return false;
    return middle <= cut() || score_places(begin, find_places(cut(), middle - 1));
  }

  std::size_t find_places(std::uint16_t low, std::uint16_t high) {
    return kernels_.places_between(sums_.data(), sums_.size(), low, high, memory_.places.data());
  }

  // The highest cut that k of the window's sums reach; 1 where not so many have a term.
  std::uint16_t cut_of_best() const {
    std::uint32_t low = 1;
    std::uint32_t high = kernels_.highest(sums_.data(), sums_.size()) + 1U;
    while (low + 1 < high) {
      const std::uint32_t middle = (low + high) / 2;
      const std::size_t count =
          kernels_.count_at_least(sums_.data(), sums_.size(), static_cast<std::uint16_t>(middle));
      (count >= top_.k() ? low : high) = middle;
    }
    return static_cast<std::uint16_t>(low);
  }

  bool score_places(std::uint32_t begin, std::size_t count) {
    auto& candidates = memory_.candidates;
    candidates.clear();
    for (std::size_t i = 0; i < count; ++i) candidates.push_back({begin + memory_.places[i], 0});
    for (TermCursor& cursor : cursors_) {
      if (!cursor.add_scores(candidates)) return false;
    }
    for (const Candidate& candidate : candidates) {
      top_.offer({first_doc_ + candidate.doc, static_cast<float>(candidate.sum)});
    }
    return true;
  }

  RetrievalMemory& memory_;
  std::span<TermCursor> cursors_;
  const BoundScale& scale_;
  const ShareRows& rows_;
  std::uint32_t first_doc_;
  TopK& top_;
  const WindowKernels& kernels_ = window_kernels();
  std::span<std::uint16_t> sums_;
  std::uint32_t dense_bound_ = 0;  // the most that the codes of all terms give
};

// The lists of a query's terms in a segment; those that it has.
struct ListedTerm {
  PostingList list;
  float weight;
};
Result<std::vector<ListedTerm>> lists_of(const Segment& segment, std::size_t number,
                                         const QueryModel& query) {
  std::vector<ListedTerm> lists;
  for (std::size_t t = 0; t < query.terms.size(); ++t) {
    const Segment::Term& place = query.places[number * query.terms.size() + t];
    if (place.num_documents == 0) continue;
    RR_TRY(const PostingList list, segment.postings_of(place));
    lists.push_back({list, query.terms[t].weight()});
  }
  return lists;
}

// Scores every document that has a term. False: a list is damaged.
bool score_all(std::span<const ListedTerm> lists, const SegmentScoring& scoring,
               std::uint32_t first_doc, TopK& top) {
  std::vector<double> sums(scoring.lengths.size(), kUntouched);
  std::vector<Posting> postings;
  for (const ListedTerm& term : lists) {
    if (!term.list.decode_all(postings)) return false;
    for (const Posting& posting : postings) {
      sums[posting.doc] += scoring.contribution(term.weight, posting.frequency, posting.doc);
    }
  }
  for (std::uint32_t doc = 0; doc < sums.size(); ++doc) {
    if (!std::signbit(sums[doc])) top.offer({first_doc + doc, static_cast<float>(sums[doc])});
  }
  return true;
}

}  // namespace

ScoringModel::ScoringModel(const IndexFiles& files, std::vector<float> inverse_norms)
    : files_(&files), inverse_norms_(std::move(inverse_norms)), shares_(inverse_norms_) {
  for (const Segment& segment : files.segments()) rows_.emplace_back(shares_, segment.lengths());
}

Retrieval::Retrieval() : memory_(std::make_unique<RetrievalMemory>()) {}
Retrieval::~Retrieval() = default;
Retrieval::Retrieval(Retrieval&&) noexcept = default;
Retrieval& Retrieval::operator=(Retrieval&&) noexcept = default;

Result<std::vector<Hit>> Retrieval::run(const ScoringModel& scoring, const QueryModel& query,
                                        std::size_t k, SearchMethod method) {
  const IndexFiles& files = scoring.files();
  double limit = 0;
  for (const QueryTerm& term : query.terms) limit += static_cast<double>(term.weight());
  const BoundScale scale(query.terms);
  const bool is_exhaustive =
      method == SearchMethod::kExhaustive || query.terms.size() > kMostBoundedTerms;
  auto& cursors = memory_->cursors;
  if (cursors.size() < query.terms.size()) cursors.resize(query.terms.size());
  TopK top(k, files);
  for (std::size_t i = 0; i < files.segments().size(); ++i) {
    const Segment& segment = files.segments()[i];
    const SegmentScoring in_segment{scoring.inverse_norms(), segment.lengths(), &scoring.shares(),
                                    Rounding(limit)};
    RR_TRY(const std::vector<ListedTerm> lists, lists_of(segment, i, query));
    if (is_exhaustive) {
      if (!score_all(lists, in_segment, files.first_doc(i), top)) return segment.damaged_postings();
      continue;
    }
    for (std::size_t t = 0; t < lists.size(); ++t) {
      const bool is_sound = cursors[t].start(lists[t].list, lists[t].weight,
                                             scale.weight(lists[t].weight), in_segment);
      if (!is_sound) return segment.damaged_postings();
    }
    SegmentSearch search(*memory_, std::span(cursors).first(lists.size()), scale, scoring.rows(i),
                         files.first_doc(i), top);
    const auto num_docs = static_cast<std::uint32_t>(segment.statistics().num_documents);
    if (!search.run(num_docs)) return segment.damaged_postings();
  }
  return top.take();
}

}  // namespace rr::internal
