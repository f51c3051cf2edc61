#include "rr/synth/contamination.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "rr/ir/corpus_file.h"
#include "rr/ir/topics_file.h"

namespace rr {
namespace {

namespace fs = std::filesystem;

// GPT-3's and later reports' length of a run that two texts do not share by chance.
constexpr std::size_t kRunWords = 13;

bool exists_plain_or_gzip(const fs::path& path) {
  return fs::exists(path) || fs::exists(path.string() + ".gz");
}

bool is_collection(const fs::path& folder) {
  return exists_plain_or_gzip(folder / "queries.jsonl") ||
         exists_plain_or_gzip(folder / "corpus.jsonl");
}

bool is_jsonl(const fs::path& file) {
  const std::string name = file.filename().string();
  return name.ends_with(".jsonl") || name.ends_with(".jsonl.gz");
}

Status add_topics(const fs::path& path, TestSets& sets) {
  RR_TRY(const ReadTopics read, read_topics(path));
  for (const Topic& topic : read.topics) {
    sets.add(path.string(), TextKind::kQuery, topic.qid.str(), topic.query);
  }
  return ok_status();
}

Status add_corpus(const fs::path& folder, TestSets& sets) {
  RR_TRY(CorpusReader corpus, CorpusReader::open(folder));
  for (Passage passage;;) {
    RR_TRY(const bool more, corpus.next(passage));
    if (!more) return ok_status();
    const std::string text =
        passage.title.empty() ? passage.text : passage.title + " " + passage.text;
    sets.add(folder.string(), TextKind::kPassage, passage.docid.str(), text);
  }
}

Status add_collection(const fs::path& folder, TestSets& sets) {
  if (exists_plain_or_gzip(folder / "queries.jsonl")) RR_TRY_STATUS(add_topics(folder, sets));
  if (exists_plain_or_gzip(folder / "corpus.jsonl")) RR_TRY_STATUS(add_corpus(folder, sets));
  return ok_status();
}

std::vector<fs::path> sorted_entries(const fs::path& folder) {
  std::vector<fs::path> entries;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) entries.push_back(entry.path());
  std::sort(entries.begin(), entries.end());
  return entries;
}

bool drops(const OverlapHit& hit, DropRule rule) {
  if (rule == DropRule::kNone) return false;
  const bool passages_only =
      hit.kind == TextKind::kPassage && hit.overlap.test_kind == TextKind::kPassage;
  return rule == DropRule::kAll || !passages_only;
}

std::string full_text(const Passage& passage) {
  return passage.title.empty() ? passage.text : passage.title + " " + passage.text;
}

// The overlaps of a passage's text, looked up once however many samples hold it.
class PassageOverlaps {
 public:
  explicit PassageOverlaps(const TestSets& tests) : tests_(&tests) {}

  const std::vector<Overlap>& of(const Passage& passage) {
    const std::string text = full_text(passage);
    const auto [it, is_new] = known_.try_emplace(hash_of(text));
    if (is_new) it->second = tests_->overlaps_of(text);
    return it->second;
  }

 private:
  const TestSets* tests_;
  std::unordered_map<std::uint64_t, std::vector<Overlap>> known_;
};

// Queries of the samples kept so far.
class EarlierQueries {
 public:
  std::optional<Overlap> find(std::string_view words) const {
    if (words.empty()) return std::nullopt;
    if (const std::uint32_t same = exact_.first(hash_of(words));
        same != internal::HashMultimap::kNoValue) {
      return Overlap{OverlapKind::kExact, "samples", TextKind::kQuery, names_[same], 1};
    }
    const auto near = near_.find(min_hash(words));
    if (!near) return std::nullopt;
    return Overlap{OverlapKind::kNear, "samples", TextKind::kQuery, names_[near->text],
                   near->similarity};
  }

  void add(std::string_view words, const Sample& sample) {
    if (words.empty()) return;
    exact_.insert(hash_of(words), static_cast<std::uint32_t>(names_.size()));
    near_.add(min_hash(words));
    names_.push_back(fmt::format("{}/{}", sample.dataset, sample.qid.str()));
  }

 private:
  internal::HashMultimap exact_;
  NearDuplicates near_;
  std::vector<std::string> names_;
};

// Texts of a list by their words, with their labels: which faults it has.
struct ListFaults {
  bool repeated_text = false;
  bool contradictory = false;
  bool all_positive = false;
};

ListFaults faults_of(const Sample& sample) {
  const std::unordered_set<Docid> relevant(sample.relevant.begin(), sample.relevant.end());
  ListFaults faults;
  std::unordered_map<std::string, bool> labels;
  std::size_t positives = 0;
  for (const Passage& passage : sample.passages) {
    const bool is_positive = relevant.contains(passage.docid);
    positives += is_positive ? 1U : 0U;
    const auto [known, is_new] = labels.emplace(words_of(full_text(passage)), is_positive);
    if (is_new) continue;
    faults.repeated_text = true;
    if (known->second != is_positive) faults.contradictory = true;
  }
  faults.all_positive = positives == sample.passages.size();
  return faults;
}

}  // namespace

const char* text_kind_name(TextKind kind) { return kind == TextKind::kQuery ? "query" : "passage"; }

const char* overlap_kind_name(OverlapKind kind) {
  constexpr std::array kNames = {"exact", "near", "13-gram"};
  return kNames.at(static_cast<std::size_t>(kind));
}

void TestSets::add(const std::string& test_set, TextKind kind, const std::string& id,
                   std::string_view text) {
  if (test_sets_.empty() || test_sets_.back() != test_set) test_sets_.push_back(test_set);
  const std::string words = words_of(text);
  if (words.empty()) return;
  const auto entry = static_cast<std::uint32_t>(entries_.size());
  entries_.push_back({static_cast<std::uint32_t>(test_sets_.size() - 1), kind, id});
  if (kind == TextKind::kQuery) ++num_queries_;
  num_bytes_ += text.size();
  Texts& own = texts(kind);
  const std::uint64_t hash = hash_of(words);
  if (own.exact.contains(hash)) return;  // what finds this text finds the first of its kind
  own.exact.insert(hash, entry);
  own.near.add(min_hash(words));
  own.near_entries.push_back(entry);
  for (const std::uint64_t run : ngram_hashes(words, kRunWords)) {
    if (!own.ngrams.contains(run)) own.ngrams.insert(run, entry);
  }
}

Overlap TestSets::overlap(OverlapKind kind, std::uint32_t entry, double share) const {
  const Entry& found = entries_[entry];
  return {kind, test_sets_[found.test_set], found.kind, found.id, share};
}

std::optional<Overlap> TestSets::overlap_with(const Texts& texts, std::string_view words,
                                              const std::vector<std::uint64_t>& ngrams,
                                              const MinHash& fingerprint) const {
  constexpr std::uint32_t kNone = internal::HashMultimap::kNoValue;
  if (const std::uint32_t same = texts.exact.first(hash_of(words)); same != kNone) {
    return overlap(OverlapKind::kExact, same, 1);
  }
  if (const auto near = texts.near.find(fingerprint)) {
    return overlap(OverlapKind::kNear, texts.near_entries[near->text], near->similarity);
  }
  std::size_t shared = 0;
  std::uint32_t first = kNone;
  for (const std::uint64_t run : ngrams) {
    const std::uint32_t entry = texts.ngrams.first(run);
    if (entry == kNone) continue;
    ++shared;
    if (first == kNone) first = entry;
  }
  if (shared == 0) return std::nullopt;
  return overlap(OverlapKind::kNgram, first,
                 static_cast<double>(shared) / static_cast<double>(ngrams.size()));
}

std::vector<Overlap> TestSets::overlaps_of(std::string_view text) const {
  std::vector<Overlap> found;
  const std::string words = words_of(text);
  if (words.empty()) return found;
  const std::vector<std::uint64_t> ngrams = ngram_hashes(words, kRunWords);
  const MinHash fingerprint = min_hash(words);
  for (const Texts* texts : {&queries_, &passages_}) {
    if (auto overlap = overlap_with(*texts, words, ngrams, fingerprint)) {
      found.push_back(std::move(*overlap));
    }
  }
  return found;
}

Status add_test_sets(const fs::path& path, TestSets& sets) {
  if (!fs::is_directory(path)) return add_topics(path, sets);
  if (is_collection(path)) return add_collection(path, sets);
  bool found = false;
  for (const fs::path& entry : sorted_entries(path)) {
    if (fs::is_directory(entry) && is_collection(entry)) {
      RR_TRY_STATUS(add_collection(entry, sets));
      found = true;
    } else if (!fs::is_directory(entry) && is_jsonl(entry)) {
      RR_TRY_STATUS(add_topics(entry, sets));
      found = true;
    }
  }
  if (found) return ok_status();
  return Error{Errc::kNotFound,
               "expected a test set: queries.jsonl or corpus.jsonl, folders with these, or .jsonl "
               "files of topics; found none",
               path.string()};
}

Decontamination decontaminate(std::span<const Sample> samples, const TestSets& tests,
                              DropRule rule) {
  Decontamination result;
  DecontaminationReport& report = result.report;
  PassageOverlaps passages(tests);
  EarlierQueries earlier;
  for (const Sample& sample : samples) {
    std::vector<OverlapHit> hits;
    const auto add = [&](TextKind kind, const Docid& docid, const Overlap& overlap) {
      hits.push_back({sample.dataset, sample.qid, kind, docid, overlap, false});
      hits.back().drops = drops(hits.back(), rule);
    };
    for (const Overlap& overlap : tests.overlaps_of(sample.query)) {
      add(TextKind::kQuery, Docid(), overlap);
    }
    for (const Passage& passage : sample.passages) {
      for (const Overlap& overlap : passages.of(passage)) {
        add(TextKind::kPassage, passage.docid, overlap);
      }
    }
    const bool leaks =
        std::any_of(hits.begin(), hits.end(), [](const OverlapHit& hit) { return hit.drops; });
    const std::string words = words_of(sample.query);
    const auto twin = earlier.find(words);
    if (twin) {
      hits.push_back({sample.dataset, sample.qid, TextKind::kQuery, Docid(), *twin, true});
    }
    const bool keep = !leaks && !twin;
    if (keep) earlier.add(words, sample);
    ++report.samples;
    if (keep) ++report.kept;
    if (leaks) ++report.leaked;
    if (twin && !leaks) ++report.repeated;
    result.is_kept.push_back(keep);
    report.hits.insert(report.hits.end(), hits.begin(), hits.end());
  }
  return result;
}

LabelNoise label_noise(std::span<const Sample> samples) {
  LabelNoise noise;
  for (const Sample& sample : samples) {
    const ListFaults faults = faults_of(sample);
    ++noise.samples;
    noise.mean_list += static_cast<double>(sample.initial_list.size());
    noise.mean_positives += static_cast<double>(sample.relevant.size());
    if (faults.all_positive) ++noise.all_positive;
    if (faults.repeated_text) ++noise.repeated_text;
    if (faults.contradictory) ++noise.contradictory;
    const auto& relevant = sample.relevant;
    if (sample.final_list.empty()) continue;
    const Docid& first = sample.final_list.front();
    if (std::find(relevant.begin(), relevant.end(), first) == relevant.end()) {
      ++noise.first_is_negative;
    }
  }
  if (noise.samples == 0) return noise;
  noise.mean_list /= static_cast<double>(noise.samples);
  noise.mean_positives /= static_cast<double>(noise.samples);
  return noise;
}

bool is_noisy(const Sample& sample) {
  const ListFaults faults = faults_of(sample);
  return faults.all_positive || faults.repeated_text;
}

}  // namespace rr
