#pragma once

#include <CLI/CLI.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "apps/reasonrank/first_stage.h"
#include "apps/reasonrank/model_options.h"
#include "apps/reasonrank/remote_options.h"
#include "rr/base/json.h"
#include "rr/ir/run_file.h"
#include "rr/rerank/driver.h"
#include "rr/rerank/prompt.h"
#include "rr/rerank/window.h"

namespace rr {

// The command line of `rerank`.
struct RerankCommandOptions {
  // What to rerank: a query with passages, topics with corpus and run, either of them with an index
  // to search, requests, or what a recording holds.
  std::string query;
  std::vector<std::string> passages;
  std::string topics;
  std::string corpus;
  std::string run;
  std::string index;
  FirstStageOptions first_stage;
  std::string requests;
  std::string replay;
  BlankDocids blank_docids = BlankDocids::kKeep;
  std::optional<std::size_t> depth;  // candidates a topic keeps; none: all
  bool shuffle = false;

  LoopOptions loop;

  PromptMode mode = PromptMode::kReasoning;
  bool no_reasoning = false;
  std::optional<std::size_t> passage_tokens;  // what settle() leaves of these two says how
  std::size_t passage_words = 0;              // passages are cut: 0 words means by tokens

  DriverOptions driver;
  std::optional<double> temperature;
  std::optional<double> top_p;
  std::optional<std::size_t> sampling_top_k;
  std::optional<double> min_p;
  std::uint64_t seed = 0;

  ModelOptions model;
  RemoteCommandOptions remote;
  std::string tokenizer;  // of the remote model, for its passages; empty: they are cut by words
  CacheCommandOptions cache;
  std::optional<std::size_t> in_flight;
  GeneratorCommandOptions generator;
  std::size_t deadline_ms = 0;   // of a topic; 0: none
  std::size_t topic_tokens = 0;  // the same

  std::string output;
  std::string trace;
  bool trace_prompts = false;
  bool restart = false;
  std::string format = "auto";
  std::string tag = "reasonrank";
  std::optional<bool> show_reasoning;
};

// Every option of `rerank`; the options must outlive the command.
void add_rerank_options(CLI::App& command, RerankCommandOptions& options);

// What the options say together: fills in what follows from others. Refused in one sentence where
// they contradict each other; that is a wrong command line, not a failure.
Status settle(RerankCommandOptions& options);

// All that the results depend on beside inputs and model, for the trace, the report and to know a
// run again.
Json settings_of(const RerankCommandOptions& options);

// "--loop, --scores": the options that repeat the published system's defects and are on.
std::string published_options(const RerankCommandOptions& options);

}  // namespace rr
