#include "rr/bm25/index_builder.h"

#include <fmt/core.h>
#include <zstd.h>

#include <algorithm>
#include <future>
#include <limits>
#include <memory>
#include <numeric>
#include <queue>
#include <string>
#include <utility>
#include <vector>

#include "rr/base/check.h"
#include "rr/base/file.h"
#include "rr/base/mapped_file.h"
#include "rr/base/thread_pool.h"
#include "rr/bm25/analyzer.h"
#include "rr/bm25/internal/building_folder.h"
#include "rr/bm25/internal/index_files.h"
#include "rr/bm25/internal/index_format.h"
#include "rr/bm25/internal/inverted_buffer.h"
#include "rr/bm25/internal/little_endian.h"
#include "rr/bm25/internal/output_file.h"
#include "rr/bm25/internal/small_float.h"
#include "rr/ir/corpus_file.h"

namespace rr {
namespace {

namespace fs = std::filesystem;
using namespace internal;

constexpr std::size_t kFrameBytes = 16 << 10;  // of text, compressed as one
constexpr std::size_t kBatchBytes = 8 << 20;   // of text, analyzed between two looks at memory
constexpr std::uint32_t kMaxDocuments = std::numeric_limits<std::uint32_t>::max() - 1;
constexpr int kCompressionLevel = 3;

// Consecutive passages, compressed together.
struct Frame {
  std::uint32_t first_doc = 0;
  std::vector<Passage> passages;
  std::string compressed;
  std::vector<std::uint32_t> lengths;  // terms of each passage
};

struct Batch {
  std::vector<Frame> frames;
  bool is_last = false;
};

// Gives the next passage; false at the end.
using PassageSource = std::function<Result<bool>(Passage&)>;

// Reads passages in batches whose frames depend on the passages alone.
class BatchReader {
 public:
  // `name` stands for the passages in messages.
  BatchReader(PassageSource passages, std::string name, std::uint32_t most)
      : passages_(std::move(passages)), name_(std::move(name)), most_(most) {}

  Result<Batch> next() {
    Batch batch;
    for (std::size_t batch_bytes = 0; batch_bytes < kBatchBytes && !batch.is_last;) {
      Frame frame{.first_doc = num_documents_, .passages = {}, .compressed = {}, .lengths = {}};
      RR_TRY(const std::size_t bytes, fill(frame, batch.is_last));
      batch_bytes += bytes + frame.passages.size() * sizeof(Passage);
      if (!frame.passages.empty()) batch.frames.push_back(std::move(frame));
    }
    return batch;
  }

 private:
  Result<std::size_t> fill(Frame& frame, bool& is_last) {
    std::size_t bytes = 0;
    while (bytes < kFrameBytes) {
      Passage passage;
      RR_TRY(const bool more, passages_(passage));
      is_last = !more;
      if (!more) break;
      if (num_documents_ == most_) {
        return Error{
            Errc::kRejected,
            fmt::format("expected at most {} passages in an index, found more; divide the corpus",
                        kMaxDocuments),
            name_};
      }
      ++num_documents_;
      bytes += passage.title.size() + passage.text.size() + 1;
      frame.passages.push_back(std::move(passage));
    }
    return bytes;
  }

  PassageSource passages_;
  std::string name_;
  std::uint32_t most_;
  std::uint32_t num_documents_ = 0;
};

// What one thread needs: each has its frames by their numbers, so that nothing depends on timing.
struct Worker {
  EnglishAnalyzer analyzer;
  InvertedBuffer postings;
  std::string text;

  void index(Frame& frame) {
    std::string raw;
    std::uint32_t doc = frame.first_doc;
    for (const Passage& passage : frame.passages) {
      put_varint(raw, passage.title.size());
      raw += passage.title;
      put_varint(raw, passage.text.size());
      raw += passage.text;
      text = passage.title;
      text += '\n';
      text += passage.text;
      const auto& terms = analyzer.numbers_of(text);
      postings.add(doc++, terms);
      frame.lengths.push_back(static_cast<std::uint32_t>(terms.size()));
    }
    compress(raw, frame.compressed);
  }

  std::size_t memory_bytes() const { return postings.memory_bytes() + analyzer.memory_bytes(); }

  Status spill(const fs::path& path) {
    const Status spilled = postings.spill(analyzer, path);
    analyzer.forget();
    return spilled;
  }

  static void compress(const std::string& raw, std::string& compressed) {
    ZSTD_CCtx* context = ZSTD_createCCtx();
    ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, kCompressionLevel);
    ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1);
    compressed.resize(ZSTD_compressBound(raw.size()));
    const std::size_t size =
        ZSTD_compress2(context, compressed.data(), compressed.size(), raw.data(), raw.size());
    ZSTD_freeCCtx(context);
    RR_CHECK(ZSTD_isError(size) == 0, "zstd compresses any bytes into its own bound");
    compressed.resize(size);
    compressed.shrink_to_fit();
  }
};

// The table of documents as it grows.
struct Documents {
  std::vector<std::uint8_t> lengths;
  std::vector<std::uint64_t> docid_ends;
  std::string docids;

  std::string_view docid(std::uint32_t doc) const {
    const std::uint64_t begin = doc == 0 ? 0 : docid_ends[doc - 1];
    return std::string_view(docids).substr(begin, docid_ends[doc] - begin);
  }
};

using ProgressFunction = std::function<void(std::uint64_t)>;

// Makes one segment in a new folder of the index that is being built.
class SegmentBuilder {
 public:
  // known: the other segments of the index, which must outlive the builder; nullptr: there are
  // none.
  SegmentBuilder(const fs::path& index, std::string name, const IndexOptions& options,
                 const IndexFiles* known)
      : folder_(index / name),
        options_(options),
        known_(known),
        pool_(options.num_threads),
        workers_(options.num_threads) {
    header_.name = std::move(name);
  }

  // `source` stands for the passages in messages.
  Result<SegmentHeader> run(PassageSource passages, const std::string& source,
                            const ProgressFunction& progress) {
    RR_TRY_STATUS(make_folder(folder_));
    RR_TRY_STATUS(read_all(std::move(passages), source, progress));
    header_.statistics.num_documents = documents_.lengths.size();
    if (documents_.lengths.empty()) {
      return Error{Errc::kMalformed, "expected at least one passage, found none", source};
    }
    RR_TRY_STATUS(write_documents(source));
    RR_TRY_STATUS(spill());
    RR_TRY_STATUS(merge());
    std::error_code ignored;
    for (std::size_t i = 0; i < num_spills_; ++i) fs::remove(spill_path(i), ignored);
    sync_folder(folder_);
    return header_;
  }

  std::size_t num_spills() const { return num_spills_; }
  // Of the segment's terms, those that no other segment has.
  std::uint64_t num_new_terms() const { return num_new_terms_; }

 private:
  // The next batch is read while this one is analyzed.
  Status read_all(PassageSource passages, const std::string& source,
                  const ProgressFunction& progress) {
    RR_TRY(OutputFile texts, OutputFile::create(folder_ / kTextsFile));
    const std::uint64_t num_known = known_ == nullptr ? 0 : known_->statistics().num_documents;
    BatchReader reader(std::move(passages), source,
                       static_cast<std::uint32_t>(kMaxDocuments - num_known));
    std::string directory;
    for (auto next = reader.next();;) {
      RR_TRY(Batch batch, std::move(next));
      auto pending = std::async(batch.is_last ? std::launch::deferred : std::launch::async,
                                [&reader] { return reader.next(); });
      const Status taken = take(batch, texts, directory);
      if (!batch.is_last) next = pending.get();
      RR_TRY_STATUS(taken);
      if (progress) progress(documents_.lengths.size());
      if (batch.is_last) break;
    }
    RR_TRY_STATUS(seal(kTextsFile, texts));
    return write_whole(kFramesFile, directory);
  }

  Status take(Batch& batch, OutputFile& texts, std::string& directory) {
    pool_.run(workers_.size(), [&](std::size_t part) {
      for (std::size_t i = part; i < batch.frames.size(); i += workers_.size()) {
        workers_[part].index(batch.frames[i]);
      }
    });
    for (const Frame& frame : batch.frames) {
      RR_TRY_STATUS(texts.write(frame.compressed));
      put_fixed(directory, texts.size());
      put_fixed(directory, frame.first_doc);
      ++header_.num_frames;
      add_documents(frame);
    }
    std::size_t memory = 0;
    for (const Worker& worker : workers_) memory += worker.memory_bytes();
    return memory > options_.memory_bytes ? spill() : ok_status();
  }

  void add_documents(const Frame& frame) {
    for (std::size_t i = 0; i < frame.passages.size(); ++i) {
      documents_.docids += frame.passages[i].docid.str();
      documents_.docid_ends.push_back(documents_.docids.size());
      documents_.lengths.push_back(length_to_byte(frame.lengths[i]));
      header_.statistics.total_terms += frame.lengths[i];
      header_.statistics.num_nonempty += frame.lengths[i] > 0 ? 1 : 0;
    }
  }

  fs::path spill_path(std::size_t number) const {
    return folder_ / fmt::format("spill.{}", number);
  }

  Status spill() {
    for (Worker& worker : workers_) {
      if (worker.postings.empty()) continue;
      RR_TRY_STATUS(worker.spill(spill_path(num_spills_)));
      ++num_spills_;
    }
    return ok_status();
  }

  // Documents by docid, for ties and to find a docid twice.
  Status write_documents(const std::string& source) {
    std::vector<std::uint32_t> order(documents_.lengths.size());
    std::iota(order.begin(), order.end(), 0U);
    std::stable_sort(order.begin(), order.end(), [this](std::uint32_t a, std::uint32_t b) {
      return documents_.docid(a) < documents_.docid(b);
    });
    for (std::size_t i = 1; i < order.size(); ++i) {
      const std::string_view docid = documents_.docid(order[i]);
      if (docid != documents_.docid(order[i - 1])) continue;
      return Error{Errc::kMalformed,
                   fmt::format("expected each document once, found \"{}\" as passages {} and {}",
                               docid, order[i - 1] + 1, order[i] + 1),
                   source};
    }
    RR_TRY_STATUS(check_new(source));
    std::string bytes(documents_.lengths.begin(), documents_.lengths.end());
    for (const std::uint32_t doc : order) put_fixed(bytes, doc);
    for (const std::uint64_t end : documents_.docid_ends) put_fixed(bytes, end);
    bytes += documents_.docids;
    documents_.docids = {};
    documents_.docid_ends = {};
    return write_whole(kDocumentsFile, bytes);
  }

  // No document may be in the index already.
  Status check_new(const std::string& source) const {
    for (std::uint32_t doc = 0; known_ != nullptr && doc < documents_.lengths.size(); ++doc) {
      if (!known_->find(documents_.docid(doc))) continue;
      return Error{Errc::kMalformed,
                   fmt::format("expected new documents, found \"{}\", which the index has already; "
                               "take it out, or make the index anew",
                               documents_.docid(doc)),
                   source};
    }
    return ok_status();
  }

  // Joins the spilled files term by term.
  Status merge() {
    std::vector<SpillReader> spills;
    using Head = std::pair<std::string, std::size_t>;
    std::priority_queue<Head, std::vector<Head>, std::greater<>> heads;
    for (std::size_t i = 0; i < num_spills_; ++i) {
      RR_TRY(SpillReader spill, SpillReader::open(spill_path(i)));
      RR_TRY(const bool more, spill.next());
      if (more) heads.emplace(spill.term(), i);
      spills.push_back(std::move(spill));
    }
    RR_TRY(OutputFile file, OutputFile::create(folder_ / kPostingsFile));
    std::vector<Posting> postings;
    while (!heads.empty()) {
      const std::string term = heads.top().first;
      postings.clear();
      while (!heads.empty() && heads.top().first == term) {
        const std::size_t i = heads.top().second;
        heads.pop();
        RR_TRY_STATUS(spills[i].append_postings(postings));
        RR_TRY(const bool more, spills[i].next());
        if (more) heads.emplace(spills[i].term(), i);
      }
      RR_TRY_STATUS(write_term(term, postings, file));
    }
    RR_TRY_STATUS(file.write(std::string(kUnpackSlack, '\0')));
    RR_TRY_STATUS(seal(kPostingsFile, file));
    return write_terms();
  }

  Status write_term(const std::string& term, std::vector<Posting>& postings, OutputFile& file) {
    const auto by_doc = [](const Posting& a, const Posting& b) { return a.doc < b.doc; };
    if (!std::is_sorted(postings.begin(), postings.end(), by_doc)) {
      std::sort(postings.begin(), postings.end(), by_doc);
    }
    encoded_.clear();
    encode_postings(postings, static_cast<std::uint32_t>(documents_.lengths.size()), encoded_);
    if (encoded_.size() > std::numeric_limits<std::uint32_t>::max()) {
      return Error{Errc::kRejected,
                   "the term \"" + term +
                       "\" stands in too many passages; divide "
                       "the corpus",
                   folder_.string()};
    }
    RR_TRY_STATUS(file.write(encoded_));
    terms_ += term;
    put_fixed(term_ends_, static_cast<std::uint64_t>(terms_.size()));
    put_fixed(posting_counts_, static_cast<std::uint32_t>(postings.size()));
    put_fixed(posting_ends_, file.size());
    ++header_.statistics.num_terms;
    if (known_ == nullptr || !known_->has_term(term)) ++num_new_terms_;
    header_.statistics.num_postings += postings.size();
    return ok_status();
  }

  Status write_terms() {
    RR_TRY(OutputFile file, OutputFile::create(folder_ / kTermsFile));
    for (const std::string* bytes : {&term_ends_, &posting_ends_, &posting_counts_, &terms_}) {
      RR_TRY_STATUS(file.write(*bytes));
    }
    return seal(kTermsFile, file);
  }

  Status write_whole(const char* name, std::string_view bytes) {
    RR_TRY(OutputFile file, OutputFile::create(folder_ / name));
    RR_TRY_STATUS(file.write(bytes));
    return seal(name, file);
  }

  Status seal(const char* name, OutputFile& file) {
    RR_TRY_STATUS(file.close());
    header_.files[name] = file.seal();
    return ok_status();
  }

  fs::path folder_;
  IndexOptions options_;
  const IndexFiles* known_;
  ThreadPool pool_;
  std::vector<Worker> workers_;
  Documents documents_;
  SegmentHeader header_;
  std::size_t num_spills_ = 0;
  std::uint64_t num_new_terms_ = 0;
  std::string encoded_;
  // The table of terms, column by column.
  std::string terms_;
  std::string term_ends_;
  std::string posting_ends_;
  std::string posting_counts_;
};

// Gives one file to two folders; a copy where the file system has no hard links.
Status link_file(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::create_hard_link(from, to, error);
  if (!error) return ok_status();
  RR_TRY(const MappedFile source, MappedFile::open(from));
  RR_TRY(OutputFile copy, OutputFile::create(to));
  const auto bytes = source.bytes();
  RR_TRY_STATUS(copy.write({reinterpret_cast<const char*>(bytes.data()), bytes.size()}));
  return copy.close();
}

Status link_segments(const fs::path& from, const Header& header, const fs::path& to) {
  for (const SegmentHeader& segment : header.segments) {
    RR_TRY_STATUS(make_folder(to / segment.name));
    for (const char* name : kSegmentFiles) {
      RR_TRY_STATUS(link_file(from / segment.name / name, to / segment.name / name));
    }
    sync_folder(to / segment.name);
  }
  return ok_status();
}

// The passages of an index, in the order of their documents. The index must outlive the source.
PassageSource passages_of(const IndexFiles& files) {
  struct State {
    std::size_t segment = 0;
    std::size_t frame = 0;
    std::vector<Passage> passages;
    std::size_t next = 0;
  };
  return [&files, state = std::make_shared<State>()](Passage& passage) -> Result<bool> {
    while (state->next == state->passages.size()) {
      if (state->segment == files.segments().size()) return false;
      const Segment& segment = files.segments()[state->segment];
      if (state->frame == segment.num_frames()) {
        state->frame = 0;
        ++state->segment;
        continue;
      }
      RR_TRY(state->passages, segment.passages_of_frame(state->frame++));
      state->next = 0;
    }
    passage = std::move(state->passages[state->next++]);
    return true;
  };
}

// Writes the header and puts the finished index in its place.
Result<IndexReport> publish(BuildingFolder& folder, const Header& header) {
  const std::string line = format_header(header);
  RR_TRY(OutputFile file, OutputFile::create(folder.path() / kHeaderFile));
  RR_TRY_STATUS(file.write(line));
  RR_TRY_STATUS(file.close());
  RR_TRY_STATUS(folder.publish());
  IndexReport report;
  report.statistics = header.statistics;
  report.num_segments = header.segments.size();
  report.index_bytes = total_bytes(header) + line.size();
  return report;
}

// An index of one segment.
Result<IndexReport> build_whole(BuildingFolder& folder, PassageSource passages,
                                const std::string& source, const IndexOptions& options,
                                const ProgressFunction& progress) {
  SegmentBuilder builder(folder.path(), segment_name(0), options, nullptr);
  RR_TRY(SegmentHeader segment, builder.run(std::move(passages), source, progress));
  Header header;
  header.statistics = segment.statistics;
  header.segments.push_back(std::move(segment));
  RR_TRY(IndexReport report, publish(folder, header));
  report.num_spills = builder.num_spills();
  report.num_added = header.statistics.num_documents;
  return report;
}

PassageSource passages_of(CorpusReader& corpus) {
  return [&corpus](Passage& passage) { return corpus.next(passage); };
}

}  // namespace

Result<IndexReport> build_index(const fs::path& corpus, const fs::path& target,
                                const IndexOptions& options, const ProgressFunction& progress) {
  RR_CHECK(options.num_threads >= 1, "indexing needs a thread");
  RR_TRY(CorpusReader reader, CorpusReader::open(corpus));
  RR_TRY(BuildingFolder folder, BuildingFolder::create(target));
  RR_TRY(IndexReport report,
         build_whole(folder, passages_of(reader), display_name(corpus), options, progress));
  report.repaired_utf8 = reader.repaired_utf8();
  report.left_out = reader.left_out();
  return report;
}

Result<IndexReport> add_to_index(const fs::path& corpus, const fs::path& target,
                                 const IndexOptions& options, const ProgressFunction& progress) {
  RR_CHECK(options.num_threads >= 1, "indexing needs a thread");
  RR_TRY(CorpusReader reader, CorpusReader::open(corpus));
  RR_TRY(BuildingFolder folder, BuildingFolder::create(target));
  RR_TRY(const IndexFiles known, IndexFiles::open(target));
  Header header = known.header();
  SegmentBuilder builder(folder.path(), segment_name(header.segments.size()), options, &known);
  RR_TRY(SegmentHeader segment, builder.run(passages_of(reader), display_name(corpus), progress));
  RR_TRY_STATUS(link_segments(target, header, folder.path()));
  header.statistics.num_documents += segment.statistics.num_documents;
  header.statistics.num_nonempty += segment.statistics.num_nonempty;
  header.statistics.num_terms += builder.num_new_terms();
  header.statistics.total_terms += segment.statistics.total_terms;
  header.statistics.num_postings += segment.statistics.num_postings;
  header.segments.push_back(std::move(segment));
  RR_TRY(IndexReport report, publish(folder, header));
  report.num_spills = builder.num_spills();
  report.num_added = header.segments.back().statistics.num_documents;
  report.repaired_utf8 = reader.repaired_utf8();
  report.left_out = reader.left_out();
  return report;
}

Result<IndexReport> merge_index(const fs::path& target, const IndexOptions& options,
                                const ProgressFunction& progress) {
  RR_CHECK(options.num_threads >= 1, "indexing needs a thread");
  RR_TRY(BuildingFolder folder, BuildingFolder::create(target));
  RR_TRY(const IndexFiles files, IndexFiles::open(target));
  RR_TRY(IndexReport report,
         build_whole(folder, passages_of(files), target.string(), options, progress));
  report.num_added = 0;
  return report;
}

}  // namespace rr
