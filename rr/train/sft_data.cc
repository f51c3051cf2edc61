#include "rr/train/sft_data.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "rr/base/file.h"
#include "rr/base/json.h"
#include "rr/base/sha256.h"
#include "rr/rerank/training_data.h"

namespace rr {
namespace {

Status check_ids(const TokenIds& ids, std::size_t vocabulary_size, const std::string& where) {
  for (const TokenId id : ids) {
    if (static_cast<std::size_t>(id) < vocabulary_size) continue;
    return Error{Errc::kMalformed,
                 fmt::format("expected token ids from 0 to {}, found {}", vocabulary_size - 1, id),
                 where};
  }
  return ok_status();
}

void append(const TokenIds& more, TokenIds& ids) {
  ids.insert(ids.end(), more.begin(), more.end());
}

Result<TokenizedExample> take_ids(const SftExample& example, std::size_t vocabulary_size,
                                  const std::string& where) {
  TokenizedExample tokenized;
  tokenized.ids = example.prompt_ids;
  tokenized.prompt_tokens = tokenized.ids.size();
  append(example.completion_ids, tokenized.ids);
  RR_TRY_STATUS(check_ids(tokenized.ids, vocabulary_size, where));
  return tokenized;
}

Result<TokenizedExample> tokenize(const SftExample& example, const SftTokens& tokens,
                                  const std::string& where) {
  if (example.is_in_tokens()) return take_ids(example, tokens.vocabulary_size, where);
  if (tokens.chat == nullptr) {
    return Error{Errc::kNotFound,
                 "the model's files name no known chat template, so a text cannot become its "
                 "prompt; set one with --chat-template, or give prompt_ids and completion_ids",
                 where};
  }
  const Messages before(example.messages.begin(), example.messages.end() - 1);
  const RenderedPrompt prompt = tokens.chat->render(before);
  const RenderedPrompt completion = tokens.chat->render_answer(example.messages.back().content);
  TokenizedExample tokenized;
  tokenized.ids = tokens.tokenizer->encode(prompt.text, prompt.control);
  tokenized.prompt_tokens = tokenized.ids.size();
  append(tokens.tokenizer->encode(completion.text, completion.control), tokenized.ids);
  return tokenized;
}

void cut(TokenizedExample& example, std::size_t max_length) {
  const std::size_t prompt = example.prompt_tokens;
  const std::size_t completion = example.completion_tokens();
  std::size_t kept_completion = completion;
  std::size_t kept_prompt = prompt;
  if (2 * completion < max_length) {
    kept_prompt = max_length - completion;
  } else if (2 * prompt < max_length) {
    kept_completion = max_length - prompt;
  } else {
    kept_completion = std::max<std::size_t>(1, max_length * completion / (prompt + completion));
    kept_prompt = max_length - kept_completion;
  }
  TokenIds ids(example.ids.begin(), example.ids.begin() + static_cast<std::ptrdiff_t>(kept_prompt));
  const auto first = example.ids.begin() + static_cast<std::ptrdiff_t>(prompt);
  ids.insert(ids.end(), first, first + static_cast<std::ptrdiff_t>(kept_completion));
  example.ids = std::move(ids);
  example.prompt_tokens = kept_prompt;
}

void keep(TokenizedExample example, const SftDataOptions& options, SftData& data) {
  if (example.ids.size() > options.max_length) {
    if (options.long_examples == LongExamples::kDrop) {
      ++data.num_dropped;
      return;
    }
    cut(example, options.max_length);
    ++data.num_cut;
  }
  data.examples.push_back(std::move(example));
}

}  // namespace

std::size_t SftData::num_tokens() const {
  std::size_t count = 0;
  for (const TokenizedExample& example : examples) count += example.ids.size();
  return count;
}

std::size_t SftData::num_completion_tokens() const {
  std::size_t count = 0;
  for (const TokenizedExample& example : examples) count += example.completion_tokens();
  return count;
}

Result<SftData> read_sft_data(const std::filesystem::path& path, const SftTokens& tokens,
                              const SftDataOptions& options) {
  SftData data;
  RR_TRY(const std::string bytes, read_file(path));
  data.sha256 = sha256_hex(bytes);
  RR_TRY(LineReader lines, LineReader::open(path));
  for (std::string line;;) {
    RR_TRY(const bool more, lines.next(line));
    if (!more) break;
    if (line.find_first_not_of(" \t") == std::string::npos) continue;
    const std::string where = lines.where();
    RR_TRY(const Json record, parse_json(line, where, &data.num_repaired));
    RR_TRY(const SftExample example, sft_example_from_json(record, where));
    RR_TRY(TokenizedExample tokenized, tokenize(example, tokens, where));
    tokenized.line = lines.line_number();
    ++data.num_read;
    keep(std::move(tokenized), options, data);
  }
  if (!data.examples.empty()) return data;
  return Error{Errc::kMalformed,
               data.num_read == 0
                   ? std::string("expected examples, one a line, found none")
                   : fmt::format("all {} examples are longer than {} tokens; raise --max-length, "
                                 "or cut them with --long cut",
                                 data.num_read, options.max_length),
               display_name(path)};
}

}  // namespace rr
