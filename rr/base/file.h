#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>

#include "rr/base/result.h"

namespace rr {

// Reads a text file line by line, gzip or plain (told by its content, not its name); "-" is
// standard input.
//
// A line ends in "\n", "\r\n" or the end of the file; the end mark is not part of it. A byte-order
// mark (EF BB BF) at a line's start, as in put-together files, is left out. An empty file has no
// lines; a last line without an end mark counts like any other. Bytes are handed on as they are:
// see utf8.h for text that must be UTF-8. A line longer than kMaxLineBytes is refused.
class LineReader {
 public:
  static constexpr std::size_t kMaxLineBytes = std::size_t{1} << 30;

  static Result<LineReader> open(const std::filesystem::path& path);

  LineReader(LineReader&&) noexcept;
  LineReader& operator=(LineReader&&) noexcept;
  ~LineReader();

  // The next line into `line`; false at the end of the file. A damaged gzip stream, and one that
  // ends early, fail.
  Result<bool> next(std::string& line);

  // Number of the line that next() gave last, from 1.
  std::size_t line_number() const { return line_number_; }

  // "name:17", for messages about that line.
  std::string where() const;

 private:
  struct Stream;
  LineReader();
  Result<bool> fill();

  std::unique_ptr<Stream> stream_;
  std::string name_;
  std::size_t line_number_ = 0;
};

// The whole file, gunzipped where it is gzip; "-" is standard input. Bytes as they are.
Result<std::string> read_file(const std::filesystem::path& path);

// How messages name a file: its path, or "standard input" for "-".
std::string display_name(const std::filesystem::path& path);

}  // namespace rr
