// A sound index with any of its bytes changed, behind its checksums: an error or an index that can
// be searched and read, never a crash. The input is a list of changes, four bytes each: a file, a
// place in it and what stands there then.

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "rr/base/check.h"
#include "rr/bm25/index_builder.h"
#include "rr/bm25/internal/index_files.h"
#include "rr/bm25/internal/index_format.h"
#include "rr/bm25/internal/query_model.h"
#include "rr/bm25/internal/retrieval.h"
#include "tests/test_folder.h"

namespace {

namespace fs = std::filesystem;
using namespace rr::internal;

constexpr std::array<const char*, 10> kFiles = {
    "idx/segment.0/terms.bin",    "idx/segment.0/postings.bin",  "idx/segment.0/documents.bin",
    "idx/segment.0/texts.bin",    "idx/segment.0/frames.bin",    "idx/segment.1/terms.bin",
    "idx/segment.1/postings.bin", "idx/segment.1/documents.bin", "idx/segment.1/texts.bin",
    "idx/segment.1/frames.bin"};

std::string read(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

// Two segments of 300 documents: "common" is in all of them, in three blocks each; the other terms
// have short lists.
struct SoundIndex {
  SoundIndex() {
    const fs::path first = folder.write("first.tsv", corpus(0));
    RR_CHECK(rr::build_index(first, folder / "idx", {}).ok(), "a sound corpus is indexed");
    const fs::path second = folder.write("second.tsv", corpus(300));
    RR_CHECK(rr::add_to_index(second, folder / "idx", {}).ok(), "a sound corpus is added");
    for (std::size_t i = 0; i < kFiles.size(); ++i) contents[i] = read(folder / kFiles[i]);
  }

  static std::string corpus(int first) {
    std::string lines;
    for (int i = first; i < first + 300; ++i) {
      lines += std::to_string(i) + "\tcommon rare" + std::to_string(i % 40) + " common words\n";
    }
    return lines;
  }

  rr::TestFolder folder;
  std::array<std::string, kFiles.size()> contents;
};

void use(const IndexFiles& files) {
  const ScoringModel scoring(files, std::vector<float>(256, 0.5F));
  QueryModel model;
  constexpr std::array<const char*, 4> kTerms = {"common", "rare3", "rare17", "word"};
  for (std::size_t i = 0; i < kTerms.size(); ++i) {
    model.terms.push_back({1, 1});
  }
  for (const Segment& segment : files.segments()) {
    for (const char* term : kTerms) {
      model.places.push_back(segment.find_term(term).value_or(Segment::Term{0, 0}));
    }
  }
  Retrieval retrieval;
  for (const rr::SearchMethod method : {rr::SearchMethod::kPruned, rr::SearchMethod::kExhaustive}) {
    static_cast<void>(retrieval.run(scoring, model, 10, method));
  }
  for (std::uint32_t doc = 0; doc < files.statistics().num_documents; doc += 23) {
    static_cast<void>(files.passage(doc));
    static_cast<void>(files.find(files.docid(doc)));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const SoundIndex sound;
  auto contents = sound.contents;
  for (std::size_t at = 0; at + 4 <= size; at += 4) {
    std::string& file = contents[data[at] % contents.size()];
    const std::size_t place = (std::size_t{data[at + 1]} << 8 | data[at + 2]) % file.size();
    file[place] = static_cast<char>(data[at + 3]);
  }
  for (std::size_t i = 0; i < kFiles.size(); ++i) sound.folder.write(kFiles[i], contents[i]);
  const auto files = IndexFiles::open(sound.folder / "idx", false);
  if (files.ok()) use(files.value());
  return 0;
}
