#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include "apps/reasonrank/commands.h"
#include "rr/base/file.h"
#include "rr/base/json.h"
#include "rr/base/utf8.h"
#include "rr/text/fix_text.h"

namespace rr {
namespace {

struct FixTextArguments {
  bool keep_entities = false;
  bool json_lines = false;
};

Status write_all(std::string_view text) {
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  if (written && std::fflush(stdout) == 0) return ok_status();
  return Error{Errc::kUnavailable, "could not write all of the repaired text", "standard output"};
}

void report_ill_formed(std::size_t replaced) {
  if (replaced == 0) return;
  std::fprintf(stderr,
               "reasonrank: standard input: %zu ill-formed UTF-8 sequence%s replaced by U+FFFD\n",
               replaced, replaced == 1 ? "" : "s");
}

// Every string in `value`, by itself; the keys of objects stay.
void fix_strings(Json& value, const FixTextOptions& options) {
  if (value.is_string()) {
    value = fix_text(value.get_ref<const std::string&>(), options);
  } else if (value.is_structured()) {
    for (Json& inner : value) fix_strings(inner, options);
  }
}

Status fix_json_lines(const FixTextOptions& options) {
  RR_TRY(LineReader reader, LineReader::open("-"));
  std::size_t replaced = 0;
  for (std::string line;;) {
    RR_TRY(const bool has_line, reader.next(line));
    if (!has_line) break;
    if (line.empty()) continue;
    RR_TRY(Json value, parse_json(line, reader.where(), &replaced));
    fix_strings(value, options);
    RR_TRY_STATUS(write_all(to_json_line(value) + "\n"));
  }
  report_ill_formed(replaced);
  return ok_status();
}

Status fix_whole_input(const FixTextOptions& options) {
  RR_TRY(std::string input, read_file("-"));
  if (!is_valid_utf8(input)) {
    RepairedUtf8 repaired = repair_utf8(input);
    report_ill_formed(repaired.replaced);
    input = std::move(repaired.text);
  }
  return write_all(fix_text(input, options));
}

int run(const FixTextArguments& arguments) {
  const FixTextOptions options{.unescape_html = arguments.keep_entities ? EntityRepair::kNever
                                                                        : EntityRepair::kAuto};
  const Status status = arguments.json_lines ? fix_json_lines(options) : fix_whole_input(options);
  return status.ok() ? kExitOk : report_failure(status.error());
}

}  // namespace

void add_fix_text_command(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand(
      "fix-text",
      "Repair messy text: wrong encodings, HTML entities, ligatures, quotes, line breaks");
  const auto arguments = std::make_shared<FixTextArguments>();
  command->add_flag("--keep-entities", arguments->keep_entities,
                    "Leave HTML entities as they are; without it they are resolved up to the first "
                    "line that holds '<'");
  command->add_flag("--json-lines", arguments->json_lines,
                    "Each line is a JSON value: repair every string in it by itself");
  command->footer(
      "Reads standard input (gzip too), writes standard output. Does what ftfy 6.3.1 does with "
      "its\n"
      "default options.\n\n"
      "Examples:\n"
      "  reasonrank fix-text < messy.txt > clean.txt\n"
      "  reasonrank fix-text --json-lines < corpus.jsonl > clean.jsonl\n");
  command->callback([arguments, &exit_code] { exit_code = run(*arguments); });
}

}  // namespace rr
