#include "apps/reasonrank/rerank_options.h"

#include <fmt/core.h>

#include <chrono>
#include <utility>

#include "apps/reasonrank/choice_option.h"

namespace rr {
namespace {

constexpr const char* kExamples =
    R"(Passages are one a line, or JSONL with "text" and optional "id" and "title"; "-" is standard input.

Without -o the result goes to standard output: a table on a terminal; in a pipe a TREC run, or with
-q tab-separated rank, score, docid and text. Scores are from the probabilities of the model's
choices and fall with every rank (docs/rerank.md).

A long run keeps what it has finished in OUTPUT.partial. Killed at any moment and started again with
the same command, it goes on from there.

Examples:
  reasonrank rerank -q "why is the sky blue?" passages.txt
  reasonrank rerank --topics t.jsonl --corpus c.jsonl --run bm25.trec -o out.trec --trace out.jsonl
  reasonrank rerank --index idx -q "why is the sky blue?"
  reasonrank rerank --index idx --topics bright.jsonl --bm25q -k 100 -o out.trec
  reasonrank rerank --requests requests.json -o out.trec --no-reasoning
  reasonrank rerank --index idx --topics t.jsonl --adapter runs/a --method pointwise -o out.trec
  reasonrank rerank --engine llama.cpp --model gemma.gguf --requests requests.json -o out.trec
  reasonrank rerank --replay out.jsonl -o again.trec
  reasonrank rerank --endpoint http://a:8000/v1 --endpoint http://b:8000/v1 --model NAME \
    --cache answers.sqlite --requests requests.json -o out.trec   (docs/remote.md))";

constexpr std::size_t kMaxCount = 1000000000;
constexpr std::size_t kDefaultDepth = 100;
constexpr std::size_t kDefaultPassageTokens = 512;
constexpr std::size_t kDefaultPassageWords = 384;  // about as many tokens of English

void add_input_options(CLI::App& command, RerankCommandOptions& options) {
  const char* group = "What to rerank";
  command
      .add_option("-q,--query", options.query,
                  "Rerank the given passages, or what an index finds, for this query")
      ->group(group);
  command.add_option("passages", options.passages, "Files of passages, or - (with -q)")
      ->group(group);
  command.add_option("--topics", options.topics, "Topics: JSONL, TSV, or a BEIR folder")
      ->group(group);
  command.add_option("--corpus", options.corpus, "Their passages: JSONL, TSV, or a folder")
      ->group(group);
  command.add_option("--run", options.run, "Their candidates: a TREC run")->group(group);
  command
      .add_option("--index", options.index,
                  "Search this index for the candidates, of -q or --topics, instead of files")
      ->group(group);
  command.add_option("--requests", options.requests, "rank_llm's request JSON or JSONL")
      ->group(group);
  command
      .add_option(
          "--replay", options.replay,
          "Take the replies from a trace or recording instead of a model; alone, its topics "
          "too")
      ->group(group);
  command
      .add_option(
          "--depth", options.depth,
          "Candidates that a topic keeps, the rest is left out (default: 100; all with -q and "
          "--index)")
      ->group(group);
  add_choice<BlankDocids>(command, "--blank-docids", options.blank_docids,
                          {{"keep", BlankDocids::kKeep}, {"drop", BlankDocids::kDrop}},
                          "Run lines whose docid has blanks: keep, or drop as published")
      ->group(group);
  command
      .add_flag("--shuffle", options.shuffle, "Shuffle each topic's candidates first, by --seed")
      ->group(group);
}

void add_search_options(CLI::App& command, RerankCommandOptions& options) {
  add_first_stage_options(command, options.first_stage, "Passages a topic (default: 100)",
                          "Searching (with --index)");
  command.get_option("--exclude-own")->group("What to rerank");  // of a run too
}

void add_loop_options(CLI::App& command, RerankCommandOptions& options) {
  const char* group = "Windows";
  const auto count = CLI::Range(std::size_t{0}, kMaxCount);
  command.add_option("--window", options.loop.window, "Passages that the model sees at once")
      ->check(count)
      ->capture_default_str()
      ->group(group);
  command.add_option("--stride", options.loop.stride, "Ranks from a window to the next")
      ->check(count)
      ->capture_default_str()
      ->group(group);
  command.add_option("--top-k", options.loop.rank_end, "Rerank the first K only (default: all)")
      ->check(count)
      ->group(group);
  command.add_option("--passes", options.loop.passes, "Times over the list")
      ->check(count)
      ->capture_default_str()
      ->group(group);
  add_choice<LoopRule>(command, "--loop", options.loop.rule,
                       {{"default", LoopRule::kDefault}, {"published", LoopRule::kPublished}},
                       "default, or published with its defects")
      ->group(group);
}

void add_prompt_options(CLI::App& command, RerankCommandOptions& options) {
  const char* group = "Prompt and answer";
  add_choice<RerankMethod>(
      command, "--method", options.driver.method,
      {{"listwise", RerankMethod::kListwise},
       {"first", RerankMethod::kFirst},
       {"pointwise", RerankMethod::kPointwise}},
      "listwise: the model writes an order; first: by the probability of each identifier as the "
      "first of a window; pointwise: by the odds of Yes for each passage by itself")
      ->group(group);
  add_choice<PromptMode>(command, "--mode", options.mode,
                         {{"reasoning", PromptMode::kReasoning},
                          {"direct", PromptMode::kDirect},
                          {"qwen3", PromptMode::kQwen3},
                          {"rankk", PromptMode::kRankK}},
                         "What to ask for: reasoning, direct, qwen3 or rankk")
      ->group(group);
  command.add_flag("--no-reasoning", options.no_reasoning, "The same as --mode direct")
      ->group(group);
  command
      .add_option("--max-thinking", options.driver.answer.max_thinking,
                  "Tokens of reasoning in a window; then the answer is asked for")
      ->check(CLI::Range(std::size_t{0}, kMaxCount))
      ->capture_default_str()
      ->group(group);
  command
      .add_option("--topic-tokens", options.topic_tokens,
                  "Tokens that a topic's windows may write in all: what their answers leave is "
                  "shared by their reasoning. 0: no limit")
      ->check(CLI::Range(std::size_t{0}, kMaxCount))
      ->capture_default_str()
      ->group(group);
  command
      .add_flag("--free-answer", options.driver.answer.free_answer,
                "Let the model write what it wants, and repair it")
      ->group(group);
  command
      .add_option("--passage-tokens", options.passage_tokens,
                  "Tokens of a passage that a prompt holds (default: 512, as published; MS MARCO "
                  "and BEIR 100)")
      ->check(CLI::Range(std::size_t{1}, kMaxCount))
      ->group(group);
  command
      .add_option("--passage-words", options.passage_words,
                  "Cut passages by words instead (default with --endpoint: 384)")
      ->check(CLI::Range(std::size_t{1}, kMaxCount))
      ->group(group);
  add_choice<ParserRule>(command, "--parser", options.driver.session.parser,
                         {{"default", ParserRule::kDefault}, {"published", ParserRule::kPublished}},
                         "How replies are read: default, or published")
      ->group(group);
  add_choice<ScoreRule>(
      command, "--scores", options.driver.session.scores,
      {{"default", ScoreRule::kDefault}, {"published", ScoreRule::kPublished}},
      "default: from the choices' probabilities; published: the first stage's, in place")
      ->group(group);
  add_choice<bool>(command, "--special-tokens", options.driver.answer.passages_may_control,
                   {{"default", false}, {"published", true}},
                   "Control tokens that a passage spells out: default stays text, published acts")
      ->group(group);
}

void add_sampling_options(CLI::App& command, RerankCommandOptions& options) {
  const char* group = "Sampling (default: greedy; qwen3: 0.6, 0.95, 20, 0)";
  command.add_option("--temperature", options.temperature, "0 takes the most likely token")
      ->check(CLI::Range(0.0, 100.0))
      ->group(group);
  command.add_option("--top-p", options.top_p, "Nucleus")
      ->check(CLI::Range(0.0, 1.0))
      ->group(group);
  command.add_option("--sampling-top-k", options.sampling_top_k, "Most likely tokens; 0: all")
      ->group(group);
  command.add_option("--min-p", options.min_p, "Share of the most likely token's probability")
      ->check(CLI::Range(0.0, 1.0))
      ->group(group);
  command.add_option("--seed", options.seed, "Of sampling and --shuffle")
      ->capture_default_str()
      ->group(group);
}

void add_output_options(CLI::App& command, RerankCommandOptions& options) {
  const char* group = "Output";
  command.add_option("-o,--output", options.output, "Write a TREC run here")->group(group);
  command.add_option("--trace", options.trace, "Write each topic's windows here, for `show`")
      ->group(group);
  command.add_flag("--trace-prompts", options.trace_prompts, "With every window's whole prompt")
      ->group(group);
  command.add_flag("--restart", options.restart, "Drop what an earlier, other run left unfinished")
      ->group(group);
  command.add_option("--format", options.format, "Of standard output: auto, table, trec or tsv")
      ->check(CLI::IsMember({"auto", "table", "trec", "tsv"}))
      ->capture_default_str()
      ->group(group);
  command.add_option("--tag", options.tag, "The run's name, its sixth column")
      ->capture_default_str()
      ->group(group);
  command
      .add_flag("--show-reasoning,!--hide-reasoning", options.show_reasoning,
                "Show what the model writes, on standard error (default: with -q on a terminal)")
      ->group(group);
  command
      .add_option("--in-flight", options.in_flight,
                  "Topics that are worked on at once (default: 16; with --endpoint 256)")
      ->check(CLI::Range(std::size_t{1}, std::size_t{4096}))
      ->group(group);
  command
      .add_option("--deadline-ms", options.deadline_ms,
                  "Time for a topic, from its start; then what its windows came to so far is the "
                  "result, and the report says so. 0: none")
      ->check(CLI::Range(std::size_t{0}, kMaxCount))
      ->capture_default_str()
      ->group(group);
  command
      .add_flag("--read-ahead,!--no-read-ahead", options.driver.reads_ahead,
                "Read what is certain of a topic's next prompt before its turn (on)")
      ->group(group);
  command
      .add_flag("--time-alone", options.driver.first_alone,
                "Run the first topic by itself, to report what one takes alone")
      ->group(group);
}

Error usage(const std::string& message) { return {Errc::kMalformed, message, ""}; }

bool is_blank(const std::string& text) {
  return text.find_first_not_of(" \t\r\n") == std::string::npos;
}

// One query or one file of topics, and nothing that the index stands for.
Status check_index_inputs(const RerankCommandOptions& options) {
  if (!options.corpus.empty() || !options.run.empty() || !options.passages.empty() ||
      !options.requests.empty()) {
    return usage(
        "--index gives the candidates: no passages, --corpus, --run or --requests go with "
        "it");
  }
  if (options.query.empty() == options.topics.empty()) {
    return usage("--index needs a query: one of -q \"...\" and --topics");
  }
  if (!options.query.empty() && is_blank(options.query)) return usage("-q: expected a query");
  return ok_status();
}

// Exactly one kind of input, whole.
Status check_inputs(const RerankCommandOptions& options) {
  if (!options.index.empty()) return check_index_inputs(options);
  if (options.first_stage.k > 0) return usage("-k needs --index; --depth cuts a run");
  const bool joined = !options.topics.empty() || !options.corpus.empty() || !options.run.empty();
  const bool query = !options.query.empty() || !options.passages.empty();
  const int kinds = (joined ? 1 : 0) + (query ? 1 : 0) + (options.requests.empty() ? 0 : 1);
  if (kinds == 0 && options.replay.empty()) {
    return usage(
        "expected something to rerank: -q with passages, or --topics, --corpus and --run, or "
        "--index with -q or --topics, or --requests");
  }
  if (kinds > 1) {
    return usage(
        "expected one of -q with passages, --topics with --corpus and --run, or --requests");
  }
  if (query && is_blank(options.query)) {
    return usage("passages need a query: -q \"...\"");
  }
  if (query && options.passages.empty()) {
    return usage("-q needs a file of passages, - for standard input, or --index");
  }
  if (joined && (options.topics.empty() || options.corpus.empty() || options.run.empty())) {
    return usage("--topics, --corpus and --run are needed together");
  }
  return ok_status();
}

// One source of answers, and only what goes with it.
Status check_backend(const RerankCommandOptions& options) {
  const bool is_remote = options.remote.is_used();
  if (is_remote && !options.replay.empty()) {
    return usage("--endpoint and --replay contradict each other: who is to answer?");
  }
  if (!options.tokenizer.empty() && !is_remote) return usage("--tokenizer needs --endpoint");
  if (is_remote && options.passage_tokens && options.tokenizer.empty()) {
    return usage(
        "with --endpoint, --passage-tokens needs the model's --tokenizer; or give "
        "--passage-words");
  }
  if (is_remote && options.driver.answer.passages_may_control) {
    return usage("--special-tokens published needs a model here: a server decides for itself");
  }
  if (is_remote || !options.replay.empty()) RR_TRY_STATUS(check_no_step_log(options.generator));
  if (!options.cache.cache.empty() && !options.replay.empty()) {
    return usage("--cache and --replay contradict each other: a recording costs nothing");
  }
  return check_cache_options(options.cache);
}

// Rankings by probabilities have prompts of their own.
Status settle_method(RerankCommandOptions& options) {
  const RerankMethod method = options.driver.method;
  if (method == RerankMethod::kListwise) return ok_status();
  if (options.remote.is_used() || !options.replay.empty()) {
    return usage(
        "--method first and pointwise need a model here: only its probabilities are known");
  }
  if (options.driver.answer.free_answer) {
    return usage("--free-answer needs --method listwise: the others have no answer written");
  }
  if (options.topic_tokens > 0) {
    return usage("--topic-tokens needs --method listwise: the others write nothing");
  }
  if (options.mode != PromptMode::kReasoning && options.mode != PromptMode::kDirect) {
    return usage("--mode needs --method listwise: the others have prompts of their own");
  }
  if (method == RerankMethod::kPointwise && options.deadline_ms > 0) {
    return usage("--deadline-ms needs --method listwise or first: it ends a topic between windows");
  }
  options.mode = method == RerankMethod::kFirst ? PromptMode::kDirect : PromptMode::kPointwise;
  return ok_status();
}

void settle_cut(RerankCommandOptions& options) {
  if (options.remote.is_used() && options.tokenizer.empty() && options.passage_words == 0) {
    options.passage_words = kDefaultPassageWords;
  }
  if (!options.passage_tokens) options.passage_tokens = kDefaultPassageTokens;
}

void settle_sampling(RerankCommandOptions& options) {
  Sampling& sampling = options.driver.answer.sampling;
  sampling = default_sampling(options.mode);
  sampling.temperature = options.temperature.value_or(sampling.temperature);
  sampling.top_p = options.top_p.value_or(sampling.top_p);
  sampling.top_k = options.sampling_top_k.value_or(sampling.top_k);
  sampling.min_p = options.min_p.value_or(sampling.min_p);
  sampling.seed = options.seed;
}

const char* default_or_published(bool published) { return published ? "published" : "default"; }

}  // namespace

void add_rerank_options(CLI::App& command, RerankCommandOptions& options) {
  command.footer(kExamples);
  add_input_options(command, options);
  add_search_options(command, options);
  add_model_options(command, options.model);
  add_generator_options(command, options.generator);
  add_remote_options(command, options.remote);
  command
      .add_option(
          "--tokenizer", options.tokenizer,
          "The remote model's tokenizer (GGUF file or Hugging Face folder), to cut passages "
          "by its tokens")
      ->group("A model elsewhere");
  add_cache_options(command, options.cache);
  add_adapter_option(command, options.model);
  add_loop_options(command, options);
  add_prompt_options(command, options);
  add_sampling_options(command, options);
  add_output_options(command, options);
}

Status settle(RerankCommandOptions& options) {
  RR_TRY_STATUS(check_inputs(options));
  if (options.no_reasoning && options.mode != PromptMode::kReasoning &&
      options.mode != PromptMode::kDirect) {
    return usage("--no-reasoning and another --mode contradict each other");
  }
  if (options.no_reasoning) options.mode = PromptMode::kDirect;
  if (options.depth == std::size_t{0}) {
    return usage("--depth: expected at least 1, found 0: no candidate would be left");
  }
  if (options.first_stage.k == 0) options.first_stage.k = kDefaultDepth;
  if (!options.depth && options.query.empty() && options.index.empty()) {
    options.depth = kDefaultDepth;
  }
  if (options.trace_prompts && options.trace.empty()) return usage("--trace-prompts needs --trace");
  if (!options.output.empty() && options.output == options.trace) {
    return usage("-o and --trace name the same file");
  }
  if (options.deadline_ms > 0) {
    options.driver.deadline = std::chrono::milliseconds(options.deadline_ms);
  }
  if (options.topic_tokens > 0) options.driver.topic_tokens = options.topic_tokens;
  RR_TRY_STATUS(check_backend(options));
  RR_TRY_STATUS(settle_method(options));
  RR_TRY(const auto planner, make_window_planner(options.loop));
  settle_cut(options);
  settle_sampling(options);
  options.driver.max_in_flight = options.in_flight.value_or(
      options.remote.is_used() ? kDefaultRemoteInFlight : kDefaultInFlight);
  return ok_status();
}

Json settings_of(const RerankCommandOptions& options) {
  const Sampling& sampling = options.driver.answer.sampling;
  Json settings = {{"version", RR_VERSION},
                   {"mode", prompt_mode_name(options.mode)},
                   {"template", prompt_template_name(options.mode)},
                   {"depth", options.depth ? Json(*options.depth) : Json()},
                   {"window", options.loop.window},
                   {"stride", options.loop.stride}};
  if (options.loop.rank_end != LoopOptions::kWholeList) settings["top_k"] = options.loop.rank_end;
  settings["passes"] = options.loop.passes;
  if (options.passage_words > 0) {
    settings["passage_words"] = options.passage_words;
  } else {
    settings["passage_tokens"] = options.passage_tokens.value_or(kDefaultPassageTokens);
  }
  if (options.driver.method != RerankMethod::kListwise) {
    settings["method"] = options.driver.method == RerankMethod::kFirst ? "first" : "pointwise";
  }
  settings["max_thinking"] = options.driver.answer.max_thinking;
  if (options.deadline_ms > 0) settings["deadline_ms"] = options.deadline_ms;
  if (options.topic_tokens > 0) settings["topic_tokens"] = options.topic_tokens;
  settings["free_answer"] = options.driver.answer.free_answer;
  settings["temperature"] = sampling.temperature;
  settings["top_p"] = sampling.top_p;
  settings["sampling_top_k"] = sampling.top_k;
  settings["min_p"] = sampling.min_p;
  settings["seed"] = sampling.seed;
  settings["shuffle"] = options.shuffle;
  settings["exclude_own"] = options.first_stage.exclude_own;
  settings["loop"] = default_or_published(options.loop.rule == LoopRule::kPublished);
  settings["parser"] =
      default_or_published(options.driver.session.parser == ParserRule::kPublished);
  settings["scores"] = default_or_published(options.driver.session.scores == ScoreRule::kPublished);
  settings["special_tokens"] = default_or_published(options.driver.answer.passages_may_control);
  settings["blank_docids"] = options.blank_docids == BlankDocids::kDrop ? "drop" : "keep";
  return settings;
}

std::string published_options(const RerankCommandOptions& options) {
  std::string names;
  const auto add = [&names](bool is_on, const char* name) {
    if (is_on) names += fmt::format("{}{}", names.empty() ? "" : ", ", name);
  };
  add(options.loop.rule == LoopRule::kPublished, "--loop published");
  add(options.driver.session.parser == ParserRule::kPublished, "--parser published");
  add(options.driver.session.scores == ScoreRule::kPublished, "--scores published");
  add(options.driver.answer.passages_may_control, "--special-tokens published");
  add(options.blank_docids == BlankDocids::kDrop, "--blank-docids drop");
  return names;
}

}  // namespace rr
