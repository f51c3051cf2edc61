#include <fmt/format.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "apps/reasonrank/choice_option.h"
#include "apps/reasonrank/commands.h"
#include "rr/base/atomic_file.h"
#include "rr/base/wording.h"
#include "rr/ir/convert.h"
#include "rr/synth/import.h"

namespace rr {
namespace {

constexpr const char* kExamples =
    R"(What the other format cannot hold is refused, unless --lossy says to go on without it; whatever is
not as it was is counted on standard error. docs/formats/convert.md has the details.

Examples:
  reasonrank convert run requests.json --to trec -o bm25.trec
  reasonrank convert run bm25.trec --to requests --topics queries.jsonl --corpus corpus.jsonl -o r.json
  reasonrank convert qrels qrels.txt --to beir -o qrels/test.tsv
  reasonrank convert topics queries.tsv --to jsonl -o queries.jsonl
  reasonrank convert corpus corpus.jsonl --to pyserini -o collection.jsonl
  reasonrank convert examples alpaca.json --to sft -o sft.jsonl)";

enum class ExamplesFormat { kSft };

struct ConvertCommandOptions {
  std::string input;
  std::string output = "-";
  ConvertOptions convert;
  std::string topics;  // for requests out of a run
  std::string corpus;
};

// Adds `convert NAME`: IN, -o and --to with its choices; `convert` does it.
template <typename Format, typename Convert>
CLI::App* add_kind(CLI::App& parent, const char* name, const char* description,
                   const std::vector<std::pair<std::string, Format>>& formats,
                   const std::shared_ptr<ConvertCommandOptions>& options, int& exit_code,
                   const Convert& convert) {
  CLI::App* command = parent.add_subcommand(name, description);
  command->footer(kExamples);
  command->add_option("input", options->input, "The file to convert")
      ->required()
      ->type_name("FILE");
  command->add_option("-o,--output", options->output, "Where it goes; - for standard output")
      ->type_name("FILE")
      ->capture_default_str();
  const auto to = std::make_shared<Format>(formats.front().second);
  add_choice<Format>(*command, "--to", *to, formats, "The format to write")
      ->required()
      ->type_name("FORMAT");
  command->callback([options, to, convert, &exit_code] {
    const auto work = [&]() -> Status {
      RR_TRY(AtomicFile output,
             AtomicFile::create(options->output == "-" ? "/dev/stdout" : options->output));
      RR_TRY(const Conversion conversion, convert(*options, *to, output));
      RR_TRY_STATUS(output.commit());
      for (const std::string& note : conversion.notes) {
        fmt::print(stderr, "reasonrank: {}: {}\n", options->input, note);
      }
      return ok_status();
    };
    const Status status = work();
    exit_code = status.ok() ? kExitOk : report_failure(status.error());
  });
  return command;
}

void add_lossy(CLI::App& command, ConvertCommandOptions& options) {
  command.add_flag("--lossy", options.convert.lossy,
                   "Go on without what the other format cannot hold");
}

}  // namespace

void add_convert_command(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand(
      "convert", "Runs, qrels, topics, corpora and training examples in other formats");
  command->require_subcommand(1);
  command->footer(kExamples);
  const auto options = std::make_shared<ConvertCommandOptions>();

  CLI::App* run = add_kind<RunFormat>(
      *command, "run", "A TREC run, or rank_llm's requests",
      {{"trec", RunFormat::kTrec},
       {"requests", RunFormat::kRequests},
       {"requests-jsonl", RunFormat::kRequestsJsonl}},
      options, exit_code, [](const ConvertCommandOptions& o, RunFormat to, AtomicFile& output) {
        return convert_run(o.input, to, {o.topics, o.corpus}, output);
      });
  run->add_option("--topics", options->topics, "For requests out of a run: its topics");
  run->add_option("--corpus", options->corpus, "For requests out of a run: its passages");

  CLI::App* qrels = add_kind<QrelsFormat>(
      *command, "qrels", "TREC or BEIR qrels",
      {{"trec", QrelsFormat::kTrec}, {"beir", QrelsFormat::kBeir}}, options, exit_code,
      [](const ConvertCommandOptions& o, QrelsFormat to, AtomicFile& output) {
        return convert_qrels(o.input, to, o.convert, output);
      });
  CLI::App* topics = add_kind<TopicsFormat>(
      *command, "topics", "Topics in JSONL or TSV",
      {{"jsonl", TopicsFormat::kJsonl}, {"tsv", TopicsFormat::kTsv}}, options, exit_code,
      [](const ConvertCommandOptions& o, TopicsFormat to, AtomicFile& output) {
        return convert_topics(o.input, to, o.convert, output);
      });
  CLI::App* corpus = add_kind<CorpusFormat>(
      *command, "corpus", "A corpus of BEIR, Pyserini, BRIGHT or TSV",
      {{"beir", CorpusFormat::kBeir},
       {"pyserini", CorpusFormat::kPyserini},
       {"tsv", CorpusFormat::kTsv}},
      options, exit_code, [](const ConvertCommandOptions& o, CorpusFormat to, AtomicFile& output) {
        return convert_corpus(o.input, to, o.convert, output);
      });
  CLI::App* examples = add_kind<ExamplesFormat>(
      *command, "examples", "Examples to imitate, as LLaMA-Factory has them: alpaca, sharegpt",
      {{"sft", ExamplesFormat::kSft}}, options, exit_code,
      [](const ConvertCommandOptions& o, ExamplesFormat, AtomicFile& output) {
        return convert_examples(o.input, o.convert, output);
      });
  for (CLI::App* kind : {qrels, topics, corpus, examples}) add_lossy(*kind, *options);
}

}  // namespace rr
