#pragma once

#include <CLI/CLI.hpp>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "rr/base/atomic_file.h"
#include "rr/base/file.h"
#include "rr/base/json.h"
#include "rr/base/result.h"

namespace rr {

// Where a small tool reads and writes: one JSON object a line in, one a line out.
struct JsonlOptions {
  std::vector<std::string> files;  // "-": standard input; none: the same
  std::string prompt;              // -p: the one input {"text": prompt}
  bool has_prompt = false;
  std::string output;  // -o; empty: standard output
};

// FILE..., -p and -o. `options` must outlive `command`.
void add_jsonl_options(CLI::App& command, JsonlOptions& options);

// The inputs, one after the other.
class JsonlInput {
 public:
  explicit JsonlInput(const JsonlOptions& options);

  struct Line {
    Json value;         // an object
    std::string where;  // "file:17", or "-p"
  };
  // nullopt after the last. A line that is no JSON object fails.
  Result<std::optional<Line>> next();

  // Ill-formed UTF-8 sequences that were replaced so far.
  std::size_t repaired() const { return repaired_; }

 private:
  Result<bool> next_line(std::string& line);

  std::vector<std::string> files_;
  std::optional<std::string> prompt_;
  std::size_t next_file_ = 0;
  std::optional<LineReader> reader_;
  std::size_t repaired_ = 0;
};

// Standard output, written line by line; or a file that appears whole at commit().
class JsonlOutput {
 public:
  static Result<JsonlOutput> open(const std::string& path);

  Status write(const Json& value);
  Status commit();

 private:
  explicit JsonlOutput(std::optional<AtomicFile> file) : file_(std::move(file)) {}

  std::optional<AtomicFile> file_;
};

}  // namespace rr
