#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <deque>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "rr/base/result.h"
#include "rr/bm25/internal/posting_list.h"

namespace rr::internal {

// Postings of a part of the corpus in memory, until they are spilled to a file by term.
class InvertedBuffer {
 public:
  // Requires that documents come in increasing order.
  void add(std::uint32_t doc, std::span<const std::string_view> terms);

  // What it takes, with what spilling needs on top.
  std::size_t memory_bytes() const;
  bool empty() const { return postings_.empty(); }

  // Writes the terms by their bytes, each with its postings, and is empty then.
  Status spill(const std::filesystem::path& path);

 private:
  struct Entry {
    std::uint32_t term;
    Posting posting;
  };

  std::uint32_t number_of(std::string_view term);
  std::vector<Posting> postings_by_term(std::vector<std::size_t>& ends) const;

  std::unordered_map<std::string_view, std::uint32_t> numbers_;
  std::deque<std::string> terms_;
  std::size_t term_bytes_ = 0;
  std::vector<Entry> postings_;
  std::vector<std::uint32_t> scratch_;
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
