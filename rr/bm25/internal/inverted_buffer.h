#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rr/base/result.h"
#include "rr/bm25/analyzer.h"
#include "rr/bm25/internal/posting_list.h"

namespace rr::internal {

// Postings of a part of the corpus in memory, until they are spilled to a file by term. Terms are
// an analyzer's numbers.
class InvertedBuffer {
 public:
  // Requires that documents come in increasing order.
  void add(std::uint32_t doc, std::span<const std::uint32_t> terms);

  // What it takes, with what spilling needs on top.
  std::size_t memory_bytes() const;
  bool empty() const { return postings_.empty(); }

  // Writes the analyzer's terms by their bytes, each with its postings, and is empty then.
  Status spill(const EnglishAnalyzer& analyzer, const std::filesystem::path& path);

 private:
  struct Entry {
    std::uint32_t term;
    Posting posting;
  };
  // A term's last posting, to count repetitions in one document.
  struct Last {
    std::uint32_t doc = 0xFFFFFFFF;
    std::size_t place = 0;
  };

  std::vector<Posting> postings_by_term(std::vector<std::size_t>& ends) const;

  std::vector<Last> last_;  // of each term
  std::vector<Entry> postings_;
};

// Reads a spilled file term by term. The file is our own of minutes ago: damage is an error of the
// disk, and is said.
class SpillReader {
 public:
  static Result<SpillReader> open(const std::filesystem::path& path);

  // False at the end.
  Result<bool> next();

  const std::string& term() const { return term_; }
  // Of the term, by document.
  Status append_postings(std::vector<Posting>& postings);

 private:
  struct Closer {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  bool read_varint(std::uint64_t& value);
  Error damaged() const;

  std::unique_ptr<std::FILE, Closer> file_;
  std::filesystem::path path_;
  std::string term_;
};

}  // namespace rr::internal
