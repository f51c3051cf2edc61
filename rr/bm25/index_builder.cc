#include "rr/bm25/index_builder.h"

#include <fmt/core.h>
#include <zstd.h>

#include <algorithm>
#include <future>
#include <limits>
#include <numeric>
#include <queue>
#include <string>
#include <utility>
#include <vector>

#include "rr/base/check.h"
#include "rr/base/file.h"
#include "rr/base/thread_pool.h"
#include "rr/bm25/analyzer.h"
#include "rr/bm25/internal/building_folder.h"
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

// Reads the corpus in batches whose frames depend on the corpus alone.
class BatchReader {
 public:
  explicit BatchReader(CorpusReader corpus) : corpus_(std::move(corpus)) {}

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

  std::size_t repaired_utf8() const { return corpus_.repaired_utf8(); }

 private:
  Result<std::size_t> fill(Frame& frame, bool& is_last) {
    std::size_t bytes = 0;
    while (bytes < kFrameBytes) {
      Passage passage;
      RR_TRY(const bool more, corpus_.next(passage));
      is_last = !more;
      if (!more) break;
      if (num_documents_ == kMaxDocuments) {
        return Error{Errc::kRejected,
                     fmt::format("expected at most {} passages, found more; divide the corpus",
                                 kMaxDocuments),
                     corpus_.where()};
      }
      ++num_documents_;
      bytes += passage.title.size() + passage.text.size() + 1;
      frame.passages.push_back(std::move(passage));
    }
    return bytes;
  }

  CorpusReader corpus_;
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
      const auto& terms = analyzer.terms_of(text);
      postings.add(doc++, terms);
      frame.lengths.push_back(static_cast<std::uint32_t>(terms.size()));
    }
    compress(raw, frame.compressed);
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

class Builder {
 public:
  Builder(BuildingFolder folder, const IndexOptions& options)
      : folder_(std::move(folder)),
        options_(options),
        pool_(options.num_threads),
        workers_(options.num_threads) {}

  Result<IndexReport> run(CorpusReader corpus, const std::string& corpus_name,
                          const std::function<void(std::uint64_t)>& progress) {
    RR_TRY_STATUS(read_all(std::move(corpus), progress));
    IndexStatistics& statistics = header_.statistics;
    statistics.num_documents = documents_.lengths.size();
    if (statistics.num_documents == 0) {
      return Error{Errc::kMalformed, "expected at least one passage, found none", corpus_name};
    }
    RR_TRY_STATUS(write_documents(corpus_name));
    RR_TRY_STATUS(spill());
    RR_TRY_STATUS(merge());
    RR_TRY_STATUS(finish());
    report_.statistics = statistics;
    return report_;
  }

 private:
  // The next batch is read while this one is analyzed.
  Status read_all(CorpusReader corpus, const std::function<void(std::uint64_t)>& progress) {
    RR_TRY(OutputFile texts, OutputFile::create(folder_.path() / kTextsFile));
    BatchReader reader(std::move(corpus));
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
    report_.repaired_utf8 = reader.repaired_utf8();
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
    for (const Worker& worker : workers_) memory += worker.postings.memory_bytes();
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
    return folder_.path() / fmt::format("spill.{}", number);
  }

  Status spill() {
    for (Worker& worker : workers_) {
      if (worker.postings.empty()) continue;
      RR_TRY_STATUS(worker.postings.spill(spill_path(report_.num_spills)));
      ++report_.num_spills;
    }
    return ok_status();
  }

  // Documents by docid, for ties and to find a docid twice.
  Status write_documents(const std::string& corpus_name) {
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
                   corpus_name};
    }
    std::string bytes(documents_.lengths.begin(), documents_.lengths.end());
    for (const std::uint32_t doc : order) put_fixed(bytes, doc);
    for (const std::uint64_t end : documents_.docid_ends) put_fixed(bytes, end);
    bytes += documents_.docids;
    documents_.docids = {};
    documents_.docid_ends = {};
    return write_whole(kDocumentsFile, bytes);
  }

  // Joins the spilled files term by term.
  Status merge() {
    std::vector<SpillReader> spills;
    using Head = std::pair<std::string, std::size_t>;
    std::priority_queue<Head, std::vector<Head>, std::greater<>> heads;
    for (std::size_t i = 0; i < report_.num_spills; ++i) {
      RR_TRY(SpillReader spill, SpillReader::open(spill_path(i)));
      RR_TRY(const bool more, spill.next());
      if (more) heads.emplace(spill.term(), i);
      spills.push_back(std::move(spill));
    }
    RR_TRY(OutputFile file, OutputFile::create(folder_.path() / kPostingsFile));
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
    encode_postings(postings, documents_.lengths, encoded_);
    if (encoded_.size() > std::numeric_limits<std::uint32_t>::max()) {
      return Error{Errc::kRejected,
                   "the term \"" + term +
                       "\" stands in too many passages; divide "
                       "the corpus",
                   folder_.path().string()};
    }
    RR_TRY_STATUS(file.write(encoded_));
    terms_ += term;
    put_fixed(term_ends_, static_cast<std::uint64_t>(terms_.size()));
    put_fixed(posting_counts_, static_cast<std::uint32_t>(postings.size()));
    put_fixed(posting_ends_, file.size());
    ++header_.statistics.num_terms;
    header_.statistics.num_postings += postings.size();
    return ok_status();
  }

  Status write_terms() {
    RR_TRY(OutputFile file, OutputFile::create(folder_.path() / kTermsFile));
    for (const std::string* bytes : {&term_ends_, &posting_ends_, &posting_counts_, &terms_}) {
      RR_TRY_STATUS(file.write(*bytes));
    }
    return seal(kTermsFile, file);
  }

  Status write_whole(const char* name, std::string_view bytes) {
    RR_TRY(OutputFile file, OutputFile::create(folder_.path() / name));
    RR_TRY_STATUS(file.write(bytes));
    return seal(name, file);
  }

  Status seal(const char* name, OutputFile& file) {
    RR_TRY_STATUS(file.close());
    header_.files[name] = file.seal();
    report_.index_bytes += file.size();
    return ok_status();
  }

  Status finish() {
    std::error_code ignored;
    for (std::size_t i = 0; i < report_.num_spills; ++i) fs::remove(spill_path(i), ignored);
    const std::string header = format_header(header_);
    RR_TRY(OutputFile file, OutputFile::create(folder_.path() / kHeaderFile));
    RR_TRY_STATUS(file.write(header));
    RR_TRY_STATUS(file.close());
    report_.index_bytes += header.size();
    return folder_.publish();
  }

  BuildingFolder folder_;
  IndexOptions options_;
  ThreadPool pool_;
  std::vector<Worker> workers_;
  Documents documents_;
  Header header_;
  IndexReport report_;
  std::string encoded_;
  // The table of terms, column by column.
  std::string terms_;
  std::string term_ends_;
  std::string posting_ends_;
  std::string posting_counts_;
};

}  // namespace

Result<IndexReport> build_index(const fs::path& corpus, const fs::path& target,
                                const IndexOptions& options,
                                const std::function<void(std::uint64_t)>& progress) {
  RR_CHECK(options.num_threads >= 1, "indexing needs a thread");
  RR_TRY(CorpusReader reader, CorpusReader::open(corpus));
  RR_TRY(BuildingFolder folder, BuildingFolder::create(target));
  return Builder(std::move(folder), options).run(std::move(reader), display_name(corpus), progress);
}

}  // namespace rr
