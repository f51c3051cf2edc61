#pragma once

#include <CLI/CLI.hpp>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "rr/base/result.h"
#include "rr/lm/generator.h"
#include "rr/lm_cache/answer_cache.h"
#include "rr/lm_cache/cached_generator.h"
#include "rr/lm_remote/remote_generator.h"

namespace rr {

// Topics that a command works on at once: with a model in this process, and with one on servers.
inline constexpr std::size_t kDefaultInFlight = 16;
inline constexpr std::size_t kDefaultRemoteInFlight = 256;

// Servers that run the model, in place of this process.
struct RemoteCommandOptions {
  std::vector<std::string> endpoints;  // empty: the model runs here
  std::string key_env;                 // the environment variable that holds the key
  std::string key_file;
  std::optional<std::size_t> concurrency;
  bool no_stream = false;
  bool no_guide = false;
  RemoteOptions limits;  // its times, attempts, proxy and certificates

  bool is_used() const { return !endpoints.empty(); }
};

// --endpoint and what goes with it. `options` must outlive `command`.
void add_remote_options(CLI::App& command, RemoteCommandOptions& options);

// Asks the endpoints what they serve. `model`: the name there; may be empty where they serve one.
Result<std::unique_ptr<RemoteGenerator>> connect_remote(const RemoteCommandOptions& options,
                                                        const std::string& model);

// Lines for a report at the end of a run, each ended; empty where there is nothing that a person
// need know: retries, outages, repairs, what servers were done without.
std::string format_remote_report(const RemoteReport& report);

// What the cache of a command is called that keeps its files in a folder.
inline constexpr const char* kAnswersFile = "answers.sqlite";

// A cache of answers, and what may be spent.
struct CacheCommandOptions {
  std::string cache;
  std::string prices;
  Budget budget;
};

// --cache, --prices, --budget-usd and --budget-tokens. `options` must outlive `command`.
void add_cache_options(CLI::App& command, CacheCommandOptions& options);

// What they say together: prices and budgets need a cache, a budget in dollars needs prices.
Status check_cache_options(const CacheCommandOptions& options);

// A generator behind a cache.
struct CachedBackend {
  std::unique_ptr<AnswerCache> cache;
  std::unique_ptr<CachedGenerator> generator;  // uses `cache` and the generator it was made over
};

// Over `inner`, which must outlive the result; `model` as in CachedGeneratorOptions. A cache that
// was damaged says so on standard error. Refused: a budget in dollars for a model without a price.
// Requires a --cache.
Result<CachedBackend> open_cached(const CacheCommandOptions& options, const std::string& model,
                                  Generator& inner);

// "answers: 12 from the cache, 30 asked; 120,000 tokens read, ...": a line, ended.
std::string format_cache_report(const CachedGenerator::Counters& counters);

}  // namespace rr
