#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "rr/base/result.h"
#include "rr/lm/chat_template.h"
#include "rr/lm/tokenizer.h"

namespace rr {

// One example to imitate, as tokens. Loss is on ids[prompt_tokens..], never empty; the prompt is
// never empty either.
struct TokenizedExample {
  TokenIds ids;
  std::size_t prompt_tokens = 0;
  std::size_t line = 0;  // of its file

  std::size_t completion_tokens() const { return ids.size() - prompt_tokens; }
};

// What to do with an example of more than max_length tokens. To cut is LLaMA-Factory's rule: of
// prompt p and completion c, if 2c < max only the prompt is cut, else if 2p < max only the
// completion, else both in proportion; each loses its end.
enum class LongExamples { kDrop, kCut };

struct SftDataOptions {
  std::size_t max_length = 4096;
  LongExamples long_examples = LongExamples::kDrop;
};

struct SftData {
  std::vector<TokenizedExample> examples;
  std::size_t num_read = 0;
  std::size_t num_dropped = 0;
  std::size_t num_cut = 0;
  std::size_t num_repaired = 0;  // ill-formed UTF-8 sequences, replaced
  std::string sha256;            // of the file's bytes, gunzipped

  std::size_t num_tokens() const;
  std::size_t num_completion_tokens() const;
};

// How texts become tokens. `chat` may be null: then only records of ids can be read.
struct SftTokens {
  const Tokenizer* tokenizer;
  const ChatTemplate* chat;
  std::size_t vocabulary_size;  // of the model: what ids are held against
};

// Reads sft.jsonl (rr/rerank/training_data.h has the format), a line each, gzip or plain, and makes
// tokens of it. A prompt is what `rerank` would ask
// the model; a completion is followed by what ends the assistant's turn in the model's template,
// which is learnt too. Nothing is skipped silently: a line that is not understood ends the read
// with its number, and so does a file of which no example is left.
Result<SftData> read_sft_data(const std::filesystem::path& path, const SftTokens& tokens,
                              const SftDataOptions& options);

}  // namespace rr
