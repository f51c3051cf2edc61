#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rr/base/result.h"
#include "rr/synth/near_duplicates.h"
#include "rr/synth/sample.h"

// What training samples share with test sets, and with one another.

namespace rr {

enum class TextKind { kQuery, kPassage };
const char* text_kind_name(TextKind kind);  // "query", "passage"

// How two texts overlap; the first that holds. Of texts as words_of() gives them.
enum class OverlapKind {
  kExact,  // equal words
  kNear,   // similarity of their 5-character shingles of at least 0.8 (NearDuplicates)
  kNgram,  // a run of 13 words stands in both
};
const char* overlap_kind_name(OverlapKind kind);  // "exact", "near", "13-gram"

// A text of a test set that one of ours overlaps with.
struct Overlap {
  OverlapKind kind;
  std::string test_set;  // the folder or file
  TextKind test_kind;
  std::string test_id;  // qid or docid
  double share = 0;     // kExact 1; kNear the similarity; kNgram the share of our runs of 13 words
                        // that stand in the test set
};

// The texts of test sets, to be asked which of them a text overlaps with. Keeps no text: at most 50
// bytes for each of their words, and a kilobyte for each of their texts.
class TestSets {
 public:
  void add(const std::string& test_set, TextKind kind, const std::string& id,
           std::string_view text);

  // Overlaps with queries and with passages, at most one each. `text` as it is.
  std::vector<Overlap> overlaps_of(std::string_view text) const;

  std::size_t num_queries() const { return num_queries_; }
  std::size_t num_passages() const { return entries_.size() - num_queries_; }
  std::size_t num_bytes() const { return num_bytes_; }

 private:
  struct Entry {
    std::uint32_t test_set;
    TextKind kind;
    std::string id;
  };
  // Texts of one kind.
  struct Texts {
    internal::HashMultimap exact;
    internal::HashMultimap ngrams;  // each run's first text
    NearDuplicates near;
    std::vector<std::uint32_t> near_entries;  // by the numbers of `near`
  };

  Texts& texts(TextKind kind) { return kind == TextKind::kQuery ? queries_ : passages_; }
  std::optional<Overlap> overlap_with(const Texts& texts, std::string_view words,
                                      const std::vector<std::uint64_t>& ngrams,
                                      const MinHash& fingerprint) const;
  Overlap overlap(OverlapKind kind, std::uint32_t entry, double share) const;

  std::vector<std::string> test_sets_;
  std::vector<Entry> entries_;
  std::size_t num_queries_ = 0;
  std::size_t num_bytes_ = 0;
  Texts queries_;
  Texts passages_;
};

// Adds what stands at `path`: a folder with queries.jsonl and corpus.jsonl (BEIR; either may be
// absent), a folder of such folders, else every .jsonl file of a folder, or one file, as topics.
// Plain or gzip. Refused: a path without any of these.
Status add_test_sets(const std::filesystem::path& path, TestSets& sets);

// One overlap of a sample.
struct OverlapHit {
  std::string dataset;
  Qid qid;
  TextKind kind;       // which text of the sample
  Docid docid;         // of a passage
  Overlap overlap;     // with a test set; with an earlier sample's query test_set is "samples"
  bool drops = false;  // the sample is left out for it
};

// Which hits leave a sample out. Queries: its query overlaps with a test query, or one of its
// passages with a test query, or its query with a test passage. All: any hit, so also passages that
// the test set's corpus holds.
enum class DropRule { kQueries, kAll, kNone };

struct DecontaminationReport {
  std::size_t samples = 0;
  std::size_t kept = 0;
  std::size_t repeated = 0;      // dropped: the query is that of an earlier sample, exact or near
  std::size_t leaked = 0;        // dropped: by the rule
  std::vector<OverlapHit> hits;  // in the order of the samples
};

// Which samples stay, in order: is_kept[i] belongs to samples[i]. Of samples with equal or nearly
// equal queries the first stays. Requires texts.
struct Decontamination {
  std::vector<bool> is_kept;
  DecontaminationReport report;
};
Decontamination decontaminate(std::span<const Sample> samples, const TestSets& tests,
                              DropRule rule);

// Faults of labelled lists, as in an audit of the published data. Requires texts.
struct LabelNoise {
  std::size_t samples = 0;
  double mean_list = 0;               // passages
  double mean_positives = 0;          // of these
  std::size_t all_positive = 0;       // lists
  std::size_t repeated_text = 0;      // lists that hold a text twice
  std::size_t contradictory = 0;      // lists that label a text both ways
  std::size_t first_is_negative = 0;  // the teacher's first choice is no positive
};
LabelNoise label_noise(std::span<const Sample> samples);

// What makes one list unfit for rewards: all positive, a text twice, or a text labelled both ways.
bool is_noisy(const Sample& sample);

}  // namespace rr
