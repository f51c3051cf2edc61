// First stage: analysis in MB/s, indexing in documents/s, search in queries/s on one thread, over
// collections that live beside the repository. k = 100.

#include <benchmark/benchmark.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "rr/bm25/analyzer.h"
#include "rr/bm25/index_builder.h"
#include "rr/bm25/searcher.h"
#include "rr/ir/corpus_file.h"
#include "rr/ir/topics_file.h"
#include "tests/test_folder.h"

namespace {

namespace fs = std::filesystem;

struct Source {
  const char* folder;
  const char* corpus;
  const char* topics;
};
constexpr Source kSources[] = {
    {"beir-scifact", "corpus.jsonl", "queries.test.tsv"},
    {"beir-nfcorpus", "corpus.jsonl", "queries.test.tsv"},
    {"reasoning-bright-se-answers", "corpus.jsonl", "queries.jsonl"},
    {"teacher-textbooks", "corpus.jsonl.gz", "queries.jsonl"},
};

fs::path file_of(const Source& source, const char* name) {
  return fs::path(RR_SHARED_DATA) / source.folder / name;
}

void analyze_bench(benchmark::State& state) {
  const Source& source = kSources[state.range(0)];
  auto corpus = rr::CorpusReader::open(file_of(source, source.corpus));
  if (!corpus.ok()) return state.SkipWithError("needs the collection");
  std::vector<std::string> texts;
  std::int64_t bytes = 0;
  for (rr::Passage passage; corpus->next(passage).value();) {
    texts.push_back(passage.title + "\n" + passage.text);
    bytes += static_cast<std::int64_t>(texts.back().size());
  }
  for (auto _ : state) {
    rr::EnglishAnalyzer analyzer;
    for (const std::string& text : texts) benchmark::DoNotOptimize(analyzer.terms_of(text).size());
  }
  state.SetBytesProcessed(state.iterations() * bytes);
  state.SetLabel(source.folder);
}
BENCHMARK(analyze_bench)->DenseRange(0, 3)->Unit(benchmark::kMillisecond);

void index_bench(benchmark::State& state) {
  const Source& source = kSources[state.range(0)];
  const rr::TestFolder folder;
  std::int64_t num_documents = 0;
  for (auto _ : state) {
    const auto report =
        rr::build_index(file_of(source, source.corpus), folder / "idx", {.num_threads = 2});
    if (!report.ok()) return state.SkipWithError("needs the collection");
    num_documents += static_cast<std::int64_t>(report->statistics.num_documents);
  }
  state.SetItemsProcessed(num_documents);
  state.SetLabel(source.folder);
}
BENCHMARK(index_bench)->DenseRange(0, 3)->Unit(benchmark::kMillisecond)->UseRealTime();

void search_bench(benchmark::State& state) {
  const Source& source = kSources[state.range(0)];
  const auto topics = rr::read_topics(file_of(source, source.topics));
  const rr::TestFolder folder;
  const auto report = rr::build_index(file_of(source, source.corpus), folder / "idx", {});
  if (!topics.ok() || !report.ok()) return state.SkipWithError("needs the collection");
  const rr::Index index = rr::Index::open(folder / "idx").value();
  const rr::Searcher searcher(index);
  for (auto _ : state) {
    for (const rr::Topic& topic : topics->topics) {
      benchmark::DoNotOptimize(searcher.search(topic.query, 100).value().hits.data());
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(topics->topics.size()));
  state.SetLabel(source.folder);
}
BENCHMARK(search_bench)->DenseRange(0, 3)->Unit(benchmark::kMillisecond);

}  // namespace
