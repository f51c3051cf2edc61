#include "apps/reasonrank/remote_options.h"

#include <fmt/core.h>

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "rr/base/file.h"

namespace rr {
namespace {

constexpr std::size_t kMostConcurrency = 4096;

// The key from where the options say it is; empty: none is wanted. Messages name the place alone.
Result<std::string> read_key(const RemoteCommandOptions& options) {
  if (!options.key_env.empty()) {
    const char* value = std::getenv(options.key_env.c_str());
    if (value != nullptr && *value != '\0') return std::string(value);
    return Error{
        Errc::kNotFound,
        fmt::format("expected a key in the environment variable {}, found none", options.key_env),
        ""};
  }
  if (options.key_file.empty()) return std::string();
  RR_TRY(std::string key, read_file(options.key_file));
  while (!key.empty() && (key.back() == '\n' || key.back() == '\r' || key.back() == ' ')) {
    key.pop_back();
  }
  if (!key.empty()) return key;
  return Error{Errc::kMalformed, "expected a key in this file, found it empty", options.key_file};
}

}  // namespace

void add_remote_options(CLI::App& command, RemoteCommandOptions& options) {
  const char* group = "A model elsewhere";
  command
      .add_option("--endpoint", options.endpoints,
                  "A server with OpenAI's API, such as http://host:8000/v1 (vLLM, SGLang, "
                  "llama-server, hosted), in place of a model here; several share the work")
      ->allow_extra_args(false)
      ->group(group);
  CLI::Option* key_env =
      command
          .add_option("--key-env", options.key_env, "The environment variable that holds its key")
          ->group(group);
  command.add_option("--key-file", options.key_file, "The file that holds its key")
      ->excludes(key_env)
      ->group(group);
  command
      .add_option("--concurrency", options.concurrency,
                  "Requests that an endpoint has at once; without it, as many as it answers "
                  "without delay, 256 at most")
      ->check(CLI::Range(std::size_t{1}, kMostConcurrency))
      ->group(group);
  command
      .add_option("--deadline", options.limits.deadline_s,
                  "Seconds that a request may take, all attempts together")
      ->check(CLI::Range(0.001, 1e9))
      ->capture_default_str()
      ->group(group);
  command
      .add_option("--attempts", options.limits.max_attempts,
                  "Of a request that a server breaks off or fails")
      ->check(CLI::Range(std::size_t{1}, std::size_t{1000}))
      ->capture_default_str()
      ->group(group);
  command.add_flag("--no-stream", options.no_stream, "Ask for answers in one piece")->group(group);
  command
      .add_flag("--no-guide", options.no_guide,
                "Do not constrain answers, where the server could; repair them")
      ->group(group);
  command
      .add_option("--proxy", options.limits.proxy,
                  "As curl takes it; none: none (default: as http_proxy and https_proxy say)")
      ->group(group);
  command
      .add_option("--ca-file", options.limits.ca_file,
                  "Certificates to trust (PEM), in place of the system's")
      ->group(group);
}

Result<std::unique_ptr<RemoteGenerator>> connect_remote(const RemoteCommandOptions& options,
                                                        const std::string& model) {
  RemoteOptions remote = options.limits;
  remote.endpoints = options.endpoints;
  remote.model = model;
  remote.stream = !options.no_stream;
  remote.guided = !options.no_guide;
  if (options.concurrency) {
    remote.first_concurrency = remote.most_concurrency = *options.concurrency;
  }
  RR_TRY(remote.key, read_key(options));
  return RemoteGenerator::connect(std::move(remote));
}

std::string format_remote_report(const RemoteReport& report) {
  std::string lines;
  for (const EndpointReport& endpoint : report.endpoints) {
    lines += fmt::format("endpoint {}{}: {} answers, {:.2f} s each, {} at once", endpoint.url,
                         endpoint.server.empty() ? "" : " (" + endpoint.server + ")",
                         endpoint.answers, endpoint.answer_s, endpoint.concurrency);
    if (endpoint.failures > 0) lines += fmt::format("; {} attempts failed", endpoint.failures);
    if (endpoint.busy > 0) lines += fmt::format("; {} times busy", endpoint.busy);
    if (endpoint.outages > 0) lines += fmt::format("; {} outages", endpoint.outages);
    lines += "\n";
  }
  if (report.retries > 0) lines += fmt::format("retries: {}\n", report.retries);
  if (report.continued > 0) {
    lines += fmt::format("reasoning: closed by a second call in {} answers\n", report.continued);
  }
  if (report.repaired_bytes > 0) {
    lines += fmt::format("text: {} ill-formed UTF-8 sequences in answers replaced\n",
                         report.repaired_bytes);
  }
  if (report.unknown_usage > 0) {
    lines +=
        fmt::format("tokens: the server did not count them in {} answers\n", report.unknown_usage);
  }
  for (const std::string& note : report.notes) lines += fmt::format("note: {}\n", note);
  return lines;
}

void add_cache_options(CLI::App& command, CacheCommandOptions& options) {
  const char* group = "Answers already paid for";
  command
      .add_option("--cache", options.cache,
                  "Keep each answer in this file as it comes, and ask nothing that it knows")
      ->group(group);
  command.add_option("--prices", options.prices, "What models cost (TOML, docs/formats/prices.md)")
      ->group(group);
  command
      .add_option("--budget-usd", options.budget.usd,
                  "Stop before the cache has cost more dollars than this, over all its runs")
      ->check(CLI::Range(0.0, 1e12))
      ->group(group);
  command
      .add_option("--budget-tokens", options.budget.tokens,
                  "Stop before it has taken more tokens than this")
      ->group(group);
}

Status check_cache_options(const CacheCommandOptions& options) {
  const bool has_budget = options.budget.usd || options.budget.tokens;
  if (options.cache.empty() && (has_budget || !options.prices.empty())) {
    return Error{Errc::kMalformed,
                 "--prices, --budget-usd and --budget-tokens need a --cache, which keeps the books",
                 ""};
  }
  if (options.budget.usd && options.prices.empty()) {
    return Error{Errc::kMalformed, "--budget-usd needs --prices", ""};
  }
  return ok_status();
}

Result<CachedBackend> open_cached(const CacheCommandOptions& options, const std::string& model,
                                  Generator& inner) {
  CachedGeneratorOptions cached{model, {}, options.budget};
  if (!options.prices.empty()) {
    RR_TRY(cached.prices, PriceList::read(options.prices));
  }
  if (options.budget.usd && !cached.prices.find(model)) {
    return Error{
        Errc::kNotFound,
        fmt::format("expected the price of \"{}\" for a budget in dollars, found none", model),
        options.prices};
  }
  RR_TRY(AnswerCache cache, AnswerCache::open(options.cache));
  if (!cache.note().empty()) std::fprintf(stderr, "reasonrank: %s\n", cache.note().c_str());
  CachedBackend backend;
  backend.cache = std::make_unique<AnswerCache>(std::move(cache));
  backend.generator = std::make_unique<CachedGenerator>(inner, *backend.cache, std::move(cached));
  return backend;
}

std::string format_cache_report(const CachedGenerator::Counters& counters) {
  std::string line = fmt::format("cache: {} answers from it, {} asked",
                                 counters.from_cache + counters.joined, counters.asked);
  if (counters.stored > 0) {
    line += fmt::format("; these took {} tokens read, {} written", counters.prompt_tokens,
                        counters.completion_tokens);
    if (counters.usd > 0) line += fmt::format(", ${:.4f}", counters.usd);
  }
  return line + "\n";
}

}  // namespace rr
