#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "apps/reasonrank/commands.h"
#include "apps/reasonrank/engine.h"
#include "apps/reasonrank/remote_options.h"
#include "apps/reasonrank/rerank_inputs.h"
#include "apps/reasonrank/rerank_options.h"
#include "apps/reasonrank/rerank_report.h"
#include "apps/reasonrank/terminal.h"
#include "rr/base/atomic_file.h"
#include "rr/base/clock.h"
#include "rr/base/progress.h"
#include "rr/ir/run_file.h"
#include "rr/lm/tokenizer.h"
#include "rr/lm_remote/remote_generator.h"
#include "rr/rerank/driver.h"
#include "rr/rerank/journal.h"
#include "rr/rerank/replay.h"
#include "rr/rerank/trace.h"
#include "rr/weights/model_files.h"

namespace rr {
namespace {

namespace fs = std::filesystem;

// fmt::print throws where the stream fails; what is only said must not end a run.
template <typename... Args>
void say(fmt::format_string<Args...> format, Args&&... args) {
  std::fputs(fmt::format(format, std::forward<Args>(args)...).c_str(), stderr);
}

bool is_terminal(std::FILE* stream) { return ::isatty(::fileno(stream)) == 1; }

// A file or folder as it is now: another one under the same name shows in its size or its time.
Result<std::string> stamp(const fs::path& path) {
  std::vector<fs::path> files;
  std::error_code error;
  if (fs::is_directory(path, error)) {
    for (const auto& entry : fs::directory_iterator(path, error)) files.push_back(entry.path());
    std::sort(files.begin(), files.end());
  } else {
    files.push_back(path);
  }
  std::string text;
  for (const fs::path& file : files) {
    if (!fs::is_regular_file(file, error)) continue;
    const auto size = fs::file_size(file, error);
    const auto time = fs::last_write_time(file, error).time_since_epoch().count();
    if (error) return Error{Errc::kRejected, "cannot be read: " + error.message(), file.string()};
    text +=
        fmt::format("{}{}:{}:{}", text.empty() ? "" : " ", file.filename().string(), size, time);
  }
  return text;
}

// A place that results are renamed into; a pipe or a device keeps no journal beside it.
bool is_file_name(const std::string& path) {
  std::error_code ignored;
  return !path.empty() && (!fs::exists(path, ignored) || fs::is_regular_file(path, ignored));
}

// The files that a run writes. Opened before any work, so that hours are not lost at the end.
struct Outputs {
  std::optional<AtomicFile> run;
  std::optional<AtomicFile> trace;
  std::optional<RunJournal> journal;
};

Result<Outputs> open_outputs(const RerankCommandOptions& options, const Json& settings) {
  Outputs outputs;
  if (!options.output.empty()) {
    RR_TRY(outputs.run, AtomicFile::create(options.output));
  }
  if (!options.trace.empty()) {
    RR_TRY(outputs.trace, AtomicFile::create(options.trace));
  }
  const std::string& name = options.output.empty() ? options.trace : options.output;
  if (is_file_name(name)) {
    RR_TRY(outputs.journal, RunJournal::open(name + ".partial", settings, options.restart));
  }
  return outputs;
}

// What is kept of each topic until the end.
struct FinishedTopic {
  Ranking ranking;
  RerankReport report;
  std::size_t thinking_cut = 0;
  std::string line;  // of the trace, where there is no journal to hold it
};
using FinishedTopics = std::unordered_map<Qid, FinishedTopic>;

// The topics that an earlier start finished.
Result<FinishedTopics> finished_before(const RunJournal& journal,
                                       const std::vector<Request>& requests) {
  FinishedTopics finished;
  for (const Request& request : requests) {
    if (!journal.has(request.topic.qid)) continue;
    RR_TRY(const std::string line, journal.read(request.topic.qid));
    RR_TRY(const Json json, parse_json(line, "partial results"));
    RR_TRY(TopicTrace trace, topic_from_json(json, "partial results"));
    finished.emplace(
        trace.qid,
        FinishedTopic{{trace.qid, trace.ranking}, report_of(trace), trace.thinking_cut, ""});
  }
  return finished;
}

// Keeps what comes in, and shows how far the run is.
class RunListener : public RerankListener {
 public:
  RunListener(const std::vector<Request>& requests, const RerankCommandOptions& options,
              const Json& settings, const PromptBuilder& prompts, Outputs& outputs,
              FinishedTopics& finished, bool show_reasoning)
      : options_(&options),
        settings_(&settings),
        prompts_(&prompts),
        outputs_(&outputs),
        finished_(&finished),
        shows_(show_reasoning),
        streams_(show_reasoning && requests.size() == 1),
        progress_("reranking", requests.size(), "topics") {}

  Status on_topic(std::size_t, const RerankSession& session, const TopicResult& result) override {
    const Qid& qid = session.request().topic.qid;
    FinishedTopic topic{result.ranking, result.report, result.thinking_cut, ""};
    if (outputs_->journal || outputs_->trace) {
      std::string line = to_json_line(
          topic_to_json(session, result, *settings_, options_->trace_prompts ? prompts_ : nullptr));
      if (outputs_->journal) {
        RR_TRY_STATUS(outputs_->journal->append(qid, line));
      } else {
        topic.line = std::move(line);
      }
    }
    finished_->emplace(qid, std::move(topic));
    ++num_done_;
    show_progress();
    return ok_status();
  }

  void on_window(std::size_t, const RerankSession& session) override {
    const WindowRecord& record = session.records().back();
    tokens_ += record.prompt_tokens + record.completion_tokens;
    ++num_windows_;
    if (shows_) show_window(session, record);
    show_progress();
  }

  bool wants_text() const override { return streams_; }

  void on_text(std::size_t, std::string_view text) override {
    std::fwrite(text.data(), 1, text.size(), stderr);
    std::fflush(stderr);
  }

 private:
  void show_window(const RerankSession& session, const WindowRecord& record) const {
    if (streams_) {
      say("\n(ranks {}-{}: {} tokens read, {} written in {:.1f} s)\n\n", record.window.start + 1,
          record.window.end, record.prompt_tokens, record.completion_tokens,
          record.prefill_s + record.decode_s);
      return;
    }
    say("topic {}, ranks {}-{}:\n{}\n\n", session.request().topic.qid.str(),
        record.window.start + 1, record.window.end, record.reply);
  }

  void show_progress() {
    if (shows_) return;  // its line would run into the text
    const double elapsed = seconds_since(start_);
    const double per_second = static_cast<double>(tokens_) / std::max(elapsed, 1e-3);
    progress_.update(num_done_,
                     fmt::format("{} windows, {:.0f} tokens/s", num_windows_, per_second));
  }

  const RerankCommandOptions* options_;
  const Json* settings_;
  const PromptBuilder* prompts_;
  Outputs* outputs_;
  FinishedTopics* finished_;
  bool shows_;
  bool streams_;
  Progress progress_;
  Clock::time_point start_ = Clock::now();
  std::size_t num_done_ = 0;
  std::size_t num_windows_ = 0;
  std::size_t tokens_ = 0;
};

// What answers: a model here or elsewhere, or a recording of one, perhaps behind a cache; and how
// its passages are cut.
struct Backend {
  Engine local;                          // where the model runs here; its generator is `engine`
  std::unique_ptr<Tokenizer> tokenizer;  // of a remote model
  RemoteGenerator* remote = nullptr;     // `engine`, where it is one
  std::unique_ptr<Generator> engine;
  CachedBackend cached;
  Generator* generator = nullptr;  // the one to ask
  PassageCut cut;
};

// A model elsewhere; nullptr where the options name none.
Result<std::unique_ptr<RemoteGenerator>> connect(const RerankCommandOptions& options) {
  if (!options.remote.is_used()) return std::unique_ptr<RemoteGenerator>();
  return connect_remote(options.remote, options.model.model);
}

Status use_remote(const RerankCommandOptions& options, std::unique_ptr<RemoteGenerator> remote,
                  Backend& backend) {
  backend.remote = remote.get();
  backend.engine = std::move(remote);
  if (backend.cut) return ok_status();
  RR_TRY(const std::unique_ptr<ModelFiles> files, ModelFiles::open(options.tokenizer));
  RR_TRY(backend.tokenizer, Tokenizer::load(*files));
  backend.cut = cut_to_tokens(*backend.tokenizer, *options.passage_tokens);
  return ok_status();
}

Status use_local(const RerankCommandOptions& options, Backend& backend) {
  RR_TRY(backend.local,
         start_engine(options.model, options.generator, options.driver.max_in_flight));
  const TextModel& model = backend.local.text_model();
  if (model.chat == nullptr) return model.no_chat;
  if (!backend.cut) backend.cut = cut_to_tokens(*model.tokenizer, *options.passage_tokens);
  backend.engine = std::move(backend.local.generator);
  return ok_status();
}

// Whose answers a cache holds: a served model by its name, a file by all that identity() says of
// it.
std::string name_in_cache(const Json& settings, const Backend& backend) {
  if (backend.remote != nullptr) return backend.remote->model();
  std::string name;
  for (const char* key :
       {"model", "model_stamp", "adapters", "adapter_stamps", "compute", "chat_template"}) {
    if (settings.contains(key)) name += settings[key].get<std::string>() + " ";
  }
  name.pop_back();
  return name;
}

Result<Backend> start_backend(const RerankCommandOptions& options, const RerankInputs& inputs,
                              std::unique_ptr<RemoteGenerator> remote, const Json& settings) {
  Backend backend;
  if (options.passage_words > 0) backend.cut = cut_to_words(options.passage_words);
  if (!options.replay.empty()) {
    backend.engine = std::make_unique<RecordedGenerator>(inputs.recorded);
  } else if (remote) {
    RR_TRY_STATUS(use_remote(options, std::move(remote), backend));
  } else {
    RR_TRY_STATUS(use_local(options, backend));
  }
  backend.generator = backend.engine.get();
  if (options.cache.cache.empty()) return backend;
  RR_TRY(backend.cached,
         open_cached(options.cache, name_in_cache(settings, backend), *backend.engine));
  backend.generator = backend.cached.generator.get();
  return backend;
}

std::string format_backend_report(const Backend& backend) {
  std::string lines;
  if (backend.cached.generator) {
    lines += format_cache_report(backend.cached.generator->counters());
  }
  if (backend.remote != nullptr) lines += format_remote_report(backend.remote->report());
  return lines;
}

std::vector<Request> unfinished(const RerankInputs& inputs, const FinishedTopics& finished) {
  std::vector<Request> left;
  for (const Request& request : inputs.requests) {
    if (!finished.contains(request.topic.qid)) left.push_back(request);
  }
  return left;
}

bool shows_reasoning(const RerankCommandOptions& options) {
  const bool on_terminal = is_terminal(stdout) && is_terminal(stderr);
  return options.show_reasoning.value_or(!options.query.empty() && options.output.empty() &&
                                         options.replay.empty() && on_terminal);
}

std::string format_result(const RerankCommandOptions& options, const Request& request,
                          const Ranking& ranking) {
  std::string format = options.format;
  if (format == "auto") {
    const char* piped = options.query.empty() ? "trec" : "tsv";
    format = is_terminal(stdout) ? "table" : piped;
  }
  if (format == "trec") return format_ranking(ranking, options.tag);
  if (format == "tsv") return format_tsv(request, ranking);
  constexpr std::size_t kTopicRows = 10;
  const std::size_t most = options.query.empty() ? kTopicRows : ranking.docs.size();
  std::string title;
  if (options.query.empty()) {
    title = fmt::format("topic {}: {}\n", request.topic.qid.str(), request.topic.query);
  }
  return title + format_table(request, ranking, most, terminal_width()) + "\n";
}

Status print_results(const RerankCommandOptions& options, const RerankInputs& inputs,
                     const FinishedTopics& finished) {
  for (const Request& request : inputs.requests) {
    const std::string text =
        format_result(options, request, finished.at(request.topic.qid).ranking);
    std::fwrite(text.data(), 1, text.size(), stdout);
  }
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return ok_status();
  return Error{Errc::kUnavailable, "cannot be written; is the disk full?", "standard output"};
}

Status write_trace(const RerankInputs& inputs, const FinishedTopics& finished,
                   const std::optional<RunJournal>& journal, AtomicFile& file) {
  for (const Request& request : inputs.requests) {
    std::string line = finished.at(request.topic.qid).line;
    if (journal) {
      RR_TRY(line, journal->read(request.topic.qid));
    }
    RR_TRY_STATUS(file.write(line));
    RR_TRY_STATUS(file.write("\n"));
  }
  return ok_status();
}

// Puts the results in place; only then is the journal of no more use.
Status write_outputs(const RerankCommandOptions& options, const RerankInputs& inputs,
                     const FinishedTopics& finished, Outputs& outputs) {
  if (outputs.run) {
    for (const Request& request : inputs.requests) {
      const Ranking& ranking = finished.at(request.topic.qid).ranking;
      RR_TRY_STATUS(outputs.run->write(format_ranking(ranking, options.tag)));
    }
  } else {
    RR_TRY_STATUS(print_results(options, inputs, finished));
  }
  if (outputs.trace) {
    RR_TRY_STATUS(write_trace(inputs, finished, outputs.journal, *outputs.trace));
    RR_TRY_STATUS(outputs.trace->commit());
  }
  if (outputs.run) RR_TRY_STATUS(outputs.run->commit());
  if (outputs.journal) outputs.journal->remove();
  return ok_status();
}

RunSummary summarise(const RerankCommandOptions& options, const RerankInputs& inputs,
                     const FinishedTopics& finished, const RerankRun& run) {
  RunSummary summary;
  for (const auto& [qid, topic] : finished) {
    summary.report += topic.report;
    summary.thinking_cut += topic.thinking_cut;
  }
  for (const TopicResult& result : run.topics) {
    summary.topic_seconds += result.seconds;
    summary.ran_prompt_tokens += result.report.prompt_tokens;
    summary.ran_completion_tokens += result.report.completion_tokens;
  }
  summary.ran = run.topics.size();
  summary.resumed = inputs.requests.size() - run.topics.size();
  summary.seconds = run.seconds;
  summary.alone_s = run.alone_s;
  summary.in_flight = options.driver.max_in_flight;
  summary.cut_unit = options.passage_words > 0 ? fmt::format("{} words", options.passage_words)
                                               : fmt::format("{} tokens", *options.passage_tokens);
  summary.published = published_options(options);
  summary.notes = inputs.notes;
  return summary;
}

// Settings, model and inputs: what makes two runs the same run.
// Where a remote model runs does not matter: another endpoint may finish the run.
Result<Json> identity(const RerankCommandOptions& options, const RerankInputs& inputs,
                      const RemoteGenerator* remote) {
  Json settings = settings_of(options);
  fs::path source = options.replay;
  if (remote != nullptr) {
    settings["model"] = remote->model();
    settings["backend"] = "remote";
    if (options.remote.no_guide) settings["guide"] = "none";
    source = options.tokenizer;
  } else if (options.replay.empty()) {
    RR_TRY(source, find_model(options.model));
    settings["model"] = fs::weakly_canonical(source).string();
    settings["compute"] = arithmetic_name(options.model, options.generator);
    std::string adapters;
    std::string stamps;
    for (const std::string& adapter : options.model.adapters) {
      RR_TRY(const std::string seen, stamp(adapter));
      const char* const comma = adapters.empty() ? "" : ", ";
      adapters += comma + fs::weakly_canonical(adapter).string();
      stamps += comma + seen;
    }
    if (!adapters.empty()) {
      settings["adapters"] = adapters;
      settings["adapter_stamps"] = stamps;
    }
    if (!options.model.chat_template.empty()) {
      settings["chat_template"] = options.model.chat_template;
    }
  } else {
    settings["replay"] = options.replay;
  }
  if (!source.empty()) {
    RR_TRY(settings["model_stamp"], stamp(source));
  }
  settings["inputs"] = inputs.sha256;
  if (!inputs.first_stage.empty()) {
    settings["first_stage"] = inputs.first_stage;
    settings["index"] = inputs.index_identity;
  }
  if (options.trace_prompts) settings["trace_prompts"] = true;
  return settings;
}

Status rerank(const RerankCommandOptions& options) {
  RR_TRY(const RerankInputs inputs, read_rerank_inputs(options));
  RR_TRY(const std::unique_ptr<WindowPlanner> planner, make_window_planner(options.loop));
  if (!options.replay.empty()) {
    RR_TRY_STATUS(check_recording(inputs.recorded, inputs.requests, *planner));
  }
  RR_TRY(std::unique_ptr<RemoteGenerator> remote, connect(options));
  RR_TRY(const Json settings, identity(options, inputs, remote.get()));
  RR_TRY(Outputs outputs, open_outputs(options, settings));
  FinishedTopics finished;
  if (outputs.journal) {
    RR_TRY(finished, finished_before(*outputs.journal, inputs.requests));
  }
  RR_TRY(const Backend backend, start_backend(options, inputs, std::move(remote), settings));
  const std::vector<Request> todo = unfinished(inputs, finished);
  const PromptBuilder prompts({.mode = options.mode, .cut = backend.cut});
  const TextModel* const model = backend.generator->text_model();
  if (model != nullptr && options.driver.method != RerankMethod::kPointwise) {
    RR_TRY_STATUS(check_prompts_fit(todo, *planner, prompts, options.driver.answer, *model));
  }
  say("{}\n", format_settings(settings));
  std::optional<RunListener> listener(std::in_place, todo, options, settings, prompts, outputs,
                                      finished, shows_reasoning(options));
  RR_TRY(const RerankRun run,
         rerank_all(todo, *backend.generator, *planner, prompts, options.driver, *listener));
  listener.reset();  // takes the progress line away
  RR_TRY_STATUS(write_outputs(options, inputs, finished, outputs));
  say("{}{}", format_summary(summarise(options, inputs, finished, run)),
      format_backend_report(backend));
  if (!backend.local.tell) return ok_status();
  RR_TRY(const std::string told, backend.local.tell());
  if (!told.empty()) say("{}", told);
  return ok_status();
}

}  // namespace

void add_rerank_command(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("rerank", "Put passages into a better order");
  const auto options = std::make_shared<RerankCommandOptions>();
  add_rerank_options(*command, *options);
  command->callback([options, &exit_code] {
    const Status settled = settle(*options);
    if (!settled.ok()) throw CLI::ValidationError(settled.error().message);
    const Status status = rerank(*options);
    if (!status.ok()) exit_code = report_failure(status.error());
  });
}

}  // namespace rr
