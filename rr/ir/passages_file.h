#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <vector>

#include "rr/base/result.h"
#include "rr/ir/passage.h"

namespace rr {

struct ReadPassages {
  std::vector<Passage> passages;  // in the order of the files, no docid twice
  std::size_t repaired_utf8 = 0;  // ill-formed sequences of text, each now one U+FFFD
};

// Reads the passages that a user names on the command line, all into memory. "-" is standard input.
//
// A file whose name ends in .jsonl or .json (or either with .gz) holds a record a line, with the
// fields of ir/corpus_file.h; a record without a docid gets its line's number. Standard input holds
// records if its first line that is not empty is a JSON object with a text. Every other file holds
// a passage a line.
//
// A passage without a docid of its own gets the number of its line, "17"; "file:17" where there
// are several files. Lines of nothing but blanks are left out, but counted. A docid twice is
// refused.
Result<ReadPassages> read_passages(std::span<const std::filesystem::path> paths);

}  // namespace rr
