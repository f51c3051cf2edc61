#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "apps/reasonrank/choice_option.h"
#include "apps/reasonrank/commands.h"
#include "apps/reasonrank/engine.h"
#include "apps/reasonrank/model_options.h"
#include "apps/reasonrank/remote_options.h"
#include "apps/reasonrank/synthesize_inputs.h"
#include "rr/base/atomic_file.h"
#include "rr/base/clock.h"
#include "rr/base/progress.h"
#include "rr/lm/replay_generator.h"
#include "rr/lm_cache/prices.h"
#include "rr/lm_remote/remote_generator.h"
#include "rr/rerank/journal.h"
#include "rr/synth/synthesis_driver.h"
#include "rr/synth/synthesis_record.h"

namespace rr {
namespace {

namespace fs = std::filesystem;

constexpr const char* kExamples =
    R"(A teacher labels each topic's candidates with the gold answer at hand, and orders a list of them with
reasoning and without it. Topics are JSONL with "query", "answer" or "solution" (but for web), and for
complex-qa "links", the docids of the pages that the answer links to; "dataset" and "licence" are kept.

Into the folder of -o come samples.jsonl, dropped.jsonl and steps.jsonl (docs/formats/samples.md).
What is finished is kept there at once: killed at any moment and started again with the same
command, the run goes on.

Examples:
  reasonrank synthesize --domain math-theorem --topics math.jsonl --index proofwiki -o work
  reasonrank synthesize --domain complex-qa --topics posts.jsonl --corpus pages.jsonl --run web.trec -o work
  reasonrank synthesize --domain web --topics q.jsonl --corpus c.jsonl --run bm25.trec --qrels train.tsv -o work
  reasonrank synthesize --teacher http://a:8000/v1 http://b:8000/v1 --model NAME --domain coding ... -o work
  reasonrank synthesize --replay work/steps.jsonl --domain web --topics ... -o again)";

constexpr std::size_t kMaxCount = 1'000'000'000;

struct SynthesizeOptions {
  SynthesizeInputOptions inputs;
  std::vector<std::string> teachers;  // "local", or addresses
  RemoteCommandOptions remote;
  CacheCommandOptions cache;
  std::string replay;
  ModelOptions model;
  GeneratorCommandOptions generator;
  std::string judge_model;  // empty: nobody judges
  SynthesisOptions synthesis;
  Teacher limits;  // its generator is made later
  double temperature = 0;
  std::size_t passage_tokens = 512;
  std::size_t passage_words = 384;  // of a remote teacher, whose tokenizer is not here
  std::optional<std::size_t> in_flight;
  std::string output;
  bool restart = false;
};

std::size_t in_flight_of(const SynthesizeOptions& options) {
  return options.in_flight.value_or(options.remote.is_used() ? kDefaultRemoteInFlight
                                                             : kDefaultInFlight);
}

// A model that teaches, here or elsewhere, or a recording of one; perhaps behind a cache.
struct TeacherBackend {
  Engine local;                       // where the model runs here; its generator is `engine`
  RemoteGenerator* remote = nullptr;  // `engine`, where it is one
  std::unique_ptr<Generator> engine;
  CachedBackend cached;
  Generator* generator = nullptr;  // the one to ask
  std::string name;
  PassageCut cut;
};

Status start_local(const SynthesizeOptions& options, TeacherBackend& backend) {
  RR_TRY(const fs::path path, find_model(options.model));
  backend.name = path.filename().string();
  RR_TRY(backend.local, start_engine(options.model, options.generator, in_flight_of(options)));
  const TextModel& text_model = backend.local.text_model();
  if (text_model.chat == nullptr) return text_model.no_chat;
  backend.cut = cut_to_tokens(*text_model.tokenizer, options.passage_tokens);
  backend.engine = std::move(backend.local.generator);
  return ok_status();
}

Status connect_teacher(const SynthesizeOptions& options, TeacherBackend& backend) {
  RR_TRY(std::unique_ptr<RemoteGenerator> remote,
         connect_remote(options.remote, options.model.model));
  backend.name = remote->model();
  backend.cut = cut_to_words(options.passage_words);
  backend.remote = remote.get();
  backend.engine = std::move(remote);
  return ok_status();
}

// What a hosted teacher said is kept beside the results, so that nothing is paid for twice.
CacheCommandOptions cache_of(const SynthesizeOptions& options) {
  CacheCommandOptions cache = options.cache;
  if (cache.cache.empty() && options.remote.is_used()) {
    cache.cache = (fs::path(options.output) / kAnswersFile).string();
  }
  return cache;
}

Result<TeacherBackend> start_teacher(const SynthesizeOptions& options) {
  TeacherBackend backend;
  if (!options.replay.empty()) {
    RR_TRY(auto replies, read_replies(options.replay));
    backend.name = "replay of " + options.replay;
    backend.engine = std::make_unique<ReplayGenerator>(std::move(replies));
  } else if (options.remote.is_used()) {
    RR_TRY_STATUS(connect_teacher(options, backend));
  } else {
    RR_TRY_STATUS(start_local(options, backend));
  }
  backend.generator = backend.engine.get();
  const CacheCommandOptions cache = cache_of(options);
  if (cache.cache.empty()) return backend;
  RR_TRY(backend.cached, open_cached(cache, backend.name, *backend.engine));
  backend.generator = backend.cached.generator.get();
  return backend;
}

// The second teacher: a model here, whose steps are not told, or in a replay the same recording.
Result<TeacherBackend> start_judge(SynthesizeOptions options) {
  if (!options.replay.empty()) return start_teacher(options);
  options.model.model = options.judge_model;
  options.generator.step_log.clear();
  TeacherBackend backend;
  RR_TRY_STATUS(start_local(options, backend));
  backend.generator = backend.engine.get();
  return backend;
}

// All that the results depend on: what makes two runs the same run.
// Where a hosted teacher runs does not matter: another endpoint may finish the run.
Json settings_of(const SynthesizeOptions& options, const SynthesizeInputs& inputs,
                 const std::string& teacher) {
  const SynthesisOptions& synthesis = options.synthesis;
  return Json{{"version", RR_VERSION},
              {"domain", domain_name(options.inputs.domain)},
              {"teacher", teacher},
              {"judge", options.judge_model},
              {"compute", arithmetic_name(options.model, options.generator)},
              {options.remote.is_used() ? "passage_words" : "passage_tokens",
               options.remote.is_used() ? options.passage_words : options.passage_tokens},
              {"list_size", synthesis.list.size},
              {"max_positives", synthesis.list.max_positives},
              {"selection_size", synthesis.selection_size},
              {"max_candidates", synthesis.candidates.max_retrieved},
              {"rankings", synthesis.rankings},
              {"max_chain_words", synthesis.max_chain_words},
              {"max_thinking", options.limits.max_thinking},
              {"max_selection", options.limits.max_selection},
              {"temperature", options.temperature},
              {"prompt_price", synthesis.prompt_price},
              {"completion_price", synthesis.completion_price},
              {"seed", synthesis.seed},
              {"inputs", inputs.sha256}};
}

// Keeps what comes in, and shows how far the run is.
class RunListener : public SynthesisListener {
 public:
  RunListener(RunJournal& journal, std::size_t done, std::size_t total)
      : journal_(&journal), done_(done), progress_("synthesizing", total, "topics") {}

  void on_step(const TopicSynthesis& topic) override {
    const StepRecord& step = topic.steps().back();
    ++requests_;
    tokens_ += step.prompt_tokens + step.completion_tokens;
    show();
  }

  Status on_topic(const TopicSynthesis& topic, const TopicOutcome& outcome) override {
    RR_TRY_STATUS(
        journal_->append(topic.topic().topic.qid, to_json_line(topic_record(topic, outcome))));
    ++done_;
    if (outcome.sample) ++samples_;
    show();
    return ok_status();
  }

 private:
  void show() {
    const double elapsed = seconds_since(start_);
    progress_.update(
        done_, fmt::format("{} new samples, {} requests, {:.0f} tokens/s", samples_, requests_,
                           static_cast<double>(tokens_) / std::max(elapsed, 1e-3)));
  }

  RunJournal* journal_;
  std::size_t done_;
  std::size_t samples_ = 0;
  std::size_t requests_ = 0;
  std::size_t tokens_ = 0;
  Progress progress_;
  Clock::time_point start_ = Clock::now();
};

// The files of a run, in the order of the topics.
Result<SynthesisReport> write_outputs(const SynthesizeOptions& options,
                                      const SynthesizeInputs& inputs, RunJournal& journal) {
  const fs::path folder = options.output;
  RR_TRY(AtomicFile samples, AtomicFile::create(folder / "samples.jsonl"));
  RR_TRY(AtomicFile dropped, AtomicFile::create(folder / "dropped.jsonl"));
  RR_TRY(AtomicFile steps, AtomicFile::create(folder / "steps.jsonl"));
  SynthesisReport report;
  for (const SynthesisInput& input : inputs.topics) {
    RR_TRY(const std::string line, journal.read(input.topic.topic.qid));
    RR_TRY(const Json record, parse_json(line, "partial results"));
    const RecordLines lines = lines_of(record);
    RR_TRY_STATUS(samples.write(lines.sample));
    RR_TRY_STATUS(dropped.write(lines.dropped));
    RR_TRY_STATUS(steps.write(lines.steps));
    report.add(record);
  }
  RR_TRY_STATUS(samples.commit());
  RR_TRY_STATUS(dropped.commit());
  RR_TRY_STATUS(steps.commit());
  journal.remove();
  return report;
}

void print_report(const SynthesisReport& report, const SynthesizeInputs& inputs,
                  std::size_t resumed, double seconds) {
  std::string text = fmt::format("{} topics: {} samples", report.topics, report.samples);
  for (const auto& [reason, count] : report.dropped) {
    text += fmt::format(", {} {}", count, reason);
  }
  if (report.samples > 0) {
    const auto samples = static_cast<double>(report.samples);
    text += fmt::format("\n{:.1f} passages and {:.1f} positives a list",
                        static_cast<double>(report.passages) / samples,
                        static_cast<double>(report.positives) / samples);
  }
  if (report.without_reasoning > 0) {
    text += fmt::format(
        "\n{} samples without reasoning: the teacher wrote no thoughts, so they can become ranking "
        "tasks and no examples",
        report.without_reasoning);
  }
  text +=
      fmt::format("\n{} requests, {} tokens read, {} written, {:.1f} s of model time",
                  report.requests, report.prompt_tokens, report.completion_tokens, report.model_s);
  for (const auto& [kind, count] : report.trouble) text += fmt::format("\n{} {}", count, kind);
  for (const std::string& line : inputs.notes) text += "\n" + line;
  if (resumed > 0) text += fmt::format("\n{} topics from an earlier start", resumed);
  text += fmt::format("\n{:.1f} s\n", seconds);
  std::fputs(text.c_str(), stderr);
}

Status run_unfinished(const SynthesizeOptions& options, const SynthesizeInputs& inputs,
                      const TeacherBackend& backend, RunJournal& journal) {
  std::vector<const SynthesisInput*> todo;
  for (const SynthesisInput& input : inputs.topics) {
    if (!journal.has(input.topic.topic.qid)) todo.push_back(&input);
  }
  if (todo.empty()) return ok_status();
  std::optional<TeacherBackend> judge_backend;
  if (!options.judge_model.empty()) {
    RR_TRY(judge_backend, start_judge(options));
  }
  const TeacherPrompts prompts(options.inputs.domain, backend.cut);
  SynthesisOptions synthesis = options.synthesis;
  synthesis.domain = options.inputs.domain;
  synthesis.provenance = {{"teacher", backend.name},
                          {"prompts", prompts.template_names()},
                          {"seed", synthesis.seed},
                          {"temperature", options.temperature}};
  if (judge_backend) synthesis.provenance["judge"] = options.judge_model;
  synthesis.judge = judge_backend.has_value();
  Teacher teacher = options.limits;
  teacher.generator = backend.generator;
  teacher.sampling = {.temperature = options.temperature, .seed = synthesis.seed};
  Teacher judge = teacher;
  if (judge_backend) judge.generator = judge_backend->generator;
  RunListener listener(journal, journal.size(), inputs.topics.size());
  return synthesize_all(todo, teacher, judge_backend ? &judge : nullptr, prompts, synthesis,
                        in_flight_of(options), listener);
}

// What a teacher's price is by --prices, in place of the one given by hand.
Status set_prices(const TeacherBackend& backend, SynthesizeOptions& options) {
  if (options.cache.prices.empty()) return ok_status();
  RR_TRY(const PriceList prices, PriceList::read(options.cache.prices));
  if (const auto price = prices.find(backend.name)) {
    options.synthesis.prompt_price = price->input;
    options.synthesis.completion_price = price->output;
  }
  return ok_status();
}

void print_backend_report(const TeacherBackend& backend) {
  std::string text;
  if (backend.cached.generator) text += format_cache_report(backend.cached.generator->counters());
  if (backend.remote != nullptr) text += format_remote_report(backend.remote->report());
  std::fputs(text.c_str(), stderr);
}

Status synthesize(SynthesizeOptions options) {
  const Clock::time_point start = Clock::now();
  RR_TRY(const SynthesizeInputs inputs, read_synthesize_inputs(options.inputs));
  std::error_code error;
  fs::create_directories(options.output, error);
  if (error) {
    return Error{Errc::kRejected, "the folder cannot be made: " + error.message(), options.output};
  }
  RR_TRY(const TeacherBackend backend, start_teacher(options));
  RR_TRY_STATUS(set_prices(backend, options));
  RR_TRY(RunJournal journal,
         RunJournal::open(fs::path(options.output) / "synthesis.partial",
                          settings_of(options, inputs, backend.name), options.restart));
  const std::size_t resumed = journal.size();
  RR_TRY_STATUS(run_unfinished(options, inputs, backend, journal));
  RR_TRY(const SynthesisReport report, write_outputs(options, inputs, journal));
  const double elapsed = seconds_since(start);
  print_report(report, inputs, resumed, elapsed);
  print_backend_report(backend);
  if (!backend.local.tell) return ok_status();
  RR_TRY(const std::string told, backend.local.tell());
  fmt::print(stderr, "{}", told);
  return ok_status();
}

void add_input_options(CLI::App& command, SynthesizeInputOptions& options) {
  const char* group = "Topics and candidates";
  add_choice<Domain>(command, "--domain", options.domain,
                     {{"complex-qa", Domain::kComplexQa},
                      {"coding", Domain::kCoding},
                      {"math-problem", Domain::kMathProblem},
                      {"math-theorem", Domain::kMathTheorem},
                      {"web", Domain::kWeb}},
                     "The recipe: complex-qa, coding, math-problem, math-theorem or web")
      ->required()
      ->group(group);
  command.add_option("--topics", options.topics, "Topics with their gold answers: JSONL")
      ->required()
      ->type_name("FILE")
      ->group(group);
  command.add_option("--corpus", options.corpus, "Documents: JSONL, TSV, or a folder")
      ->type_name("FILE")
      ->group(group);
  command.add_option("--run", options.run, "Retrieved lists: a TREC run (with --corpus)")
      ->type_name("FILE")
      ->group(group);
  command
      .add_option("--index", options.index, "Or an index of `reasonrank index`, searched by BM25")
      ->type_name("INDEX")
      ->excludes("--run")
      ->group(group);
  command.add_option("--qrels", options.qrels, "The labels of web")
      ->type_name("FILE")
      ->group(group);
  command
      .add_option("--depth", options.depth,
                  "Retrieved documents a topic (default: complex-qa 10, web 20, else 40)")
      ->check(CLI::Range(std::size_t{1}, kMaxCount).description(""))
      ->type_name("N")
      ->group(group);
  command.add_option("--dataset", options.dataset, "Name of the data set, where topics have none")
      ->type_name("NAME")
      ->group(group);
  command.add_option("--first", options.first, "Take the first N topics only")
      ->type_name("N")
      ->group(group);
}

void add_list_options(CLI::App& command, SynthesizeOptions& options) {
  const char* group = "Lists";
  SynthesisOptions& synthesis = options.synthesis;
  const auto count = CLI::Range(std::size_t{1}, kMaxCount).description("");
  command.add_option("--list-size", synthesis.list.size, "Most passages of a list")
      ->check(CLI::Range(std::size_t{2}, std::size_t{100}).description(""))
      ->type_name("N")
      ->capture_default_str()
      ->group(group);
  command.add_option("--max-positives", synthesis.list.max_positives, "Most positives of a list")
      ->check(count)
      ->type_name("N")
      ->capture_default_str()
      ->group(group);
  command
      .add_option("--selection-size", synthesis.selection_size,
                  "Most passages that the teacher labels at once; fewer where its context is small")
      ->check(count)
      ->type_name("N")
      ->capture_default_str()
      ->group(group);
  command
      .add_option_function<std::size_t>(
          "--max-candidates",
          [&synthesis](const std::size_t& most) {
            synthesis.candidates.max_linked = most;
            synthesis.candidates.max_retrieved = most;
          },
          "Most passages of a topic that are labelled, linked and searched ones each")
      ->check(count)
      ->type_name("N")
      ->default_str("100")
      ->group(group);
  command
      .add_option("--passage-tokens", options.passage_tokens,
                  "Tokens of a passage that the teacher sees")
      ->check(count)
      ->type_name("N")
      ->capture_default_str()
      ->group(group);
  command
      .add_option("--passage-words", options.passage_words,
                  "Words of a passage that a teacher elsewhere sees")
      ->check(count)
      ->type_name("N")
      ->capture_default_str()
      ->group(group);
  command
      .add_option("--rankings", synthesis.rankings,
                  "Rankings of different shuffles; how far they agree becomes a score")
      ->check(CLI::Range(std::size_t{1}, std::size_t{64}).description(""))
      ->type_name("K")
      ->capture_default_str()
      ->group(group);
  command
      .add_option("--max-chain-words", synthesis.max_chain_words,
                  "Drop topics with longer reasoning; 0: none")
      ->type_name("N")
      ->capture_default_str()
      ->group(group);
}

void add_teacher_options(CLI::App& command, SynthesizeOptions& options) {
  const char* group = "Teacher";
  command
      .add_option("--teacher", options.teachers,
                  "local: the model of --model, in this process; or addresses of servers, as with "
                  "--endpoint, and --model the name there")
      ->type_name("TEACHER...")
      ->default_str("local")
      ->group(group);
  command
      .add_option("--replay", options.replay,
                  "Take the replies from the steps.jsonl of an earlier run instead")
      ->type_name("FILE")
      ->group(group);
  command
      .add_option("--judge-model", options.judge_model,
                  "A second model that ranks the lists too; its agreement becomes a score")
      ->type_name("MODEL")
      ->group(group);
  command
      .add_option("--max-thinking", options.limits.max_thinking,
                  "Tokens of reasoning before an order; then the order is asked for")
      ->type_name("N")
      ->capture_default_str()
      ->group(group);
  command
      .add_option("--max-selection", options.limits.max_selection,
                  "Tokens of a reply that selects passages, thoughts included")
      ->check(CLI::Range(std::size_t{1}, kMaxCount).description(""))
      ->type_name("N")
      ->capture_default_str()
      ->group(group);
  command.add_option("--temperature", options.temperature, "0 takes the most likely token")
      ->check(CLI::Range(0.0, 100.0).description(""))
      ->type_name("X")
      ->capture_default_str()
      ->group(group);
  command.add_option("--seed", options.synthesis.seed, "Of shuffles and sampling")
      ->type_name("N")
      ->capture_default_str()
      ->group(group);
  command
      .add_option("--prompt-price", options.synthesis.prompt_price,
                  "Dollars a million tokens read, for the cost in each sample")
      ->check(CLI::Range(0.0, 1e6).description(""))
      ->type_name("USD")
      ->group(group);
  command
      .add_option("--completion-price", options.synthesis.completion_price,
                  "Dollars a million tokens written")
      ->check(CLI::Range(0.0, 1e6).description(""))
      ->type_name("USD")
      ->group(group);
  command
      .add_option("--in-flight", options.in_flight,
                  "Topics that are worked on at once (default: 16; with a teacher elsewhere 256)")
      ->check(CLI::Range(std::size_t{1}, std::size_t{4096}).description(""))
      ->type_name("N")
      ->group(group);
}

// "local", or the addresses of servers that run one model.
void settle_teachers(SynthesizeOptions& options) {
  const auto& teachers = options.teachers;
  const bool is_local = std::find(teachers.begin(), teachers.end(), "local") != teachers.end();
  if (is_local && (teachers.size() > 1 || options.remote.is_used())) {
    throw CLI::ValidationError("--teacher", "expected local or addresses of servers, found both");
  }
  if (is_local) return;
  auto& endpoints = options.remote.endpoints;
  endpoints.insert(endpoints.end(), teachers.begin(), teachers.end());
  if (options.remote.is_used() && !options.replay.empty()) {
    throw CLI::ValidationError("--teacher", "a replay has its replies already");
  }
}

Status check_teacher(const SynthesizeOptions& options) {
  RR_TRY_STATUS(check_cache_options(cache_of(options)));
  if (options.remote.is_used() || !options.replay.empty()) {
    RR_TRY_STATUS(check_no_step_log(options.generator));
  }
  return ok_status();
}

// What belongs together; a wrong command line, not a failure.
void check_options(const SynthesizeOptions& options) {
  const Status teacher = check_teacher(options);
  if (!teacher.ok()) throw CLI::ValidationError(teacher.error().message);
  const SynthesizeInputOptions& inputs = options.inputs;
  const bool has_retrieval = !inputs.run.empty() || !inputs.index.empty();
  if (!inputs.run.empty() && inputs.corpus.empty()) {
    throw CLI::ValidationError("--run", "its passages are needed too: --corpus");
  }
  if (inputs.domain == Domain::kComplexQa && inputs.corpus.empty() && inputs.index.empty()) {
    throw CLI::ValidationError("--domain complex-qa", "linked documents need --corpus or --index");
  }
  if (inputs.domain != Domain::kComplexQa && !has_retrieval) {
    throw CLI::ValidationError("--domain", "candidates need --run with --corpus, or --index");
  }
  if (inputs.domain == Domain::kWeb && inputs.qrels.empty()) {
    throw CLI::ValidationError("--domain web", "its labels are needed: --qrels");
  }
}

}  // namespace

void add_synthesize_command(CLI::App& app, int& exit_code) {
  CLI::App* command =
      app.add_subcommand("synthesize", "Make training samples of topics with a teacher");
  const auto options = std::make_shared<SynthesizeOptions>();
  add_input_options(*command, options->inputs);
  add_teacher_options(*command, *options);
  add_model_options(*command, options->model);
  add_generator_options(*command, options->generator);
  add_remote_options(*command, options->remote);
  add_cache_options(*command, options->cache);
  add_list_options(*command, *options);
  command->add_option("-o,--output", options->output, "Folder of the results")
      ->required()
      ->type_name("FOLDER");
  command->add_flag("--restart", options->restart,
                    "Drop what an earlier, other run left unfinished");
  command->footer(kExamples);
  command->callback([options, &exit_code] {
    settle_teachers(*options);
    check_options(*options);
    const Status status = synthesize(*options);
    exit_code = status.ok() ? kExitOk : report_failure(status.error());
  });
}

}  // namespace rr
