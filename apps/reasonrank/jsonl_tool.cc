#include "apps/reasonrank/jsonl_tool.h"

#include <fmt/core.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

namespace rr {

void add_jsonl_options(CLI::App& command, JsonlOptions& options) {
  CLI::Option* files = command.add_option("FILE", options.files,
                                          "JSON objects, one a line, gzip or plain; - or none: "
                                          "standard input");
  command
      .add_option_function<std::string>(
          "-p,--prompt",
          [&options](const std::string& text) {
            options.prompt = text;
            options.has_prompt = true;
          },
          "take this text instead of files")
      ->excludes(files);
  command.add_option("-o,--output", options.output, "write to this file, whole or not at all");
}

JsonlInput::JsonlInput(const JsonlOptions& options) : files_(options.files) {
  if (options.has_prompt) {
    prompt_ = options.prompt;
  } else if (files_.empty()) {
    files_.push_back("-");
  }
}

Result<std::optional<JsonlInput::Line>> JsonlInput::next() {
  if (prompt_) {
    Line line{Json{{"text", *std::exchange(prompt_, std::nullopt)}}, "-p"};
    return std::optional<Line>(std::move(line));
  }
  std::string text;
  RR_TRY(const bool is_there, next_line(text));
  if (!is_there) return std::optional<Line>();
  const std::string where = reader_->where();
  RR_TRY(Json value, parse_json(text, where, &repaired_));
  if (!value.is_object()) {
    return Error{Errc::kMalformed,
                 fmt::format("expected a JSON object, found {}", value.type_name()), where};
  }
  return std::optional<Line>(Line{std::move(value), where});
}

// The next line of this file or of one behind it; false after the last.
Result<bool> JsonlInput::next_line(std::string& line) {
  for (;;) {
    if (reader_) {
      RR_TRY(const bool is_there, reader_->next(line));
      if (is_there) return true;
      reader_.reset();
    }
    if (next_file_ == files_.size()) return false;
    RR_TRY(LineReader reader, LineReader::open(files_[next_file_++]));
    reader_.emplace(std::move(reader));
  }
}

Result<JsonlOutput> JsonlOutput::open(const std::string& path) {
  if (path.empty() || path == "-") return JsonlOutput(std::nullopt);
  RR_TRY(AtomicFile file, AtomicFile::create(path));
  return JsonlOutput(std::move(file));
}

Status JsonlOutput::write(const Json& value) {
  const std::string line = to_json_line(value) + "\n";
  if (file_) return file_->write(line);
  const bool written =
      std::fwrite(line.data(), 1, line.size(), stdout) == line.size() && std::fflush(stdout) == 0;
  if (written) return ok_status();
  return Error{Errc::kUnavailable, fmt::format("cannot be written: {}", std::strerror(errno)),
               "standard output"};
}

Status JsonlOutput::commit() { return file_ ? file_->commit() : ok_status(); }

}  // namespace rr
