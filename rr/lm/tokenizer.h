#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rr/base/result.h"
#include "rr/weights/model_files.h"

namespace rr {

using TokenId = std::int32_t;
using TokenIds = std::vector<TokenId>;

// Bytes [begin, end) of a text.
struct TextRange {
  std::size_t begin;
  std::size_t end;
};

// Byte-level BPE, as GPT-2 introduced it, with the pre-tokenizers of Qwen2/2.5/3, SmolLM2, GPT-2
// and Llama-3. Any bytes encode: ill-formed UTF-8 is repaired first (base/utf8.h), then brought to
// normal form C where the family wants it (Qwen). Decoding gives that text back. A byte that the
// vocabulary lacks is dropped, as Hugging Face's tokenizer does: SmolLM2 has no token for 04, 06,
// 13, 14, 16 and 1D (controls) and F1 and F2 (planes 4 to 11); the others have all that UTF-8 uses.
//
// Tokens that a text spells out are of two kinds, as the model's files say. Special ones are
// control tokens ("<|im_end|>"). Added ones that are not special ("<tool_call>", Qwen3's "<think>")
// are ordinary text that happens to be one token: every encoding finds them, as the model was
// trained with. Immutable after loading: safe to use from many threads.
class Tokenizer {
 public:
  // From a GGUF file's metadata or a Hugging Face folder's tokenizer.json (or vocab.json +
  // merges.txt with tokenizer_config.json / added_tokens.json). A tokenizer of another kind
  // (SentencePiece, WordPiece) or with an unknown pre-tokenizer is refused by name, and so is
  // one whose ids or merges do not fit its vocabulary.
  static Result<std::unique_ptr<Tokenizer>> load(const ModelFiles& files);

  virtual ~Tokenizer() = default;

  // Special tokens that `text` spells out stay plain text: what a passage says can never act as a
  // control token.
  virtual TokenIds encode(std::string_view text) const = 0;

  // The same, but where one of `control` covers exactly the text of a special token, it becomes
  // that token; other ranges mean nothing. Requires ranges in order, apart and inside the text; a
  // chat template gives them (chat_template.h).
  virtual TokenIds encode(std::string_view text, std::span<const TextRange> control) const = 0;

  // Every special token in `text` is recognised, as serving stacks do; for text that is trusted.
  virtual TokenIds encode_with_special(std::string_view text) const = 0;

  // The bytes of one token, and of many. A special token gives its text. Requires ids inside the
  // vocabulary. The bytes of a single token need not be UTF-8.
  virtual std::string_view token_bytes(TokenId id) const = 0;
  std::string decode_bytes(std::span<const TokenId> ids) const;

  // decode_bytes() made valid UTF-8 by one lossy decode of the whole (U+FFFD for each ill-formed
  // sequence). skip_special leaves special tokens out.
  std::string decode(std::span<const TokenId> ids, bool skip_special = false) const;

  virtual bool is_special(TokenId id) const = 0;

  // The id of a token by its exact bytes, special tokens included: for templates and constraints.
  virtual std::optional<TokenId> find_token(std::string_view text) const = 0;

  // Number of ids; the model's logits may have more rows than this (padding), never fewer.
  virtual std::size_t vocabulary_size() const = 0;

  // Ids that end a reply ("<|im_end|>", "<|endoftext|>", "<|eot_id|>", ...), as the model's files
  // name them; at least one for every model that can chat.
  virtual std::span<const TokenId> end_tokens() const = 0;

  // The id to put in front of every plain prompt, where the model wants one (Llama-3:
  // "<|begin_of_text|>"). encode() never adds it, and a rendered conversation has it already: its
  // chat template writes it.
  virtual std::optional<TokenId> begin_token() const = 0;

  // The pre-tokenizer's name ("qwen2", "smollm", "gpt-2", "llama-3"), for `model info`.
  virtual std::string_view pretokenizer_name() const = 0;
};

// The ids of a prompt, with the model's begin token in front where it wants one and the prompt does
// not have it already.
TokenIds with_begin_token(const Tokenizer& tokenizer, TokenIds ids);

// Refuses ids outside the vocabulary.
Status check_ids(const Tokenizer& tokenizer, std::span<const TokenId> ids);

// Turns tokens that come one at a time into text that is never cut inside a character.
class StreamDecoder {
 public:
  // The tokenizer must outlive the decoder.
  explicit StreamDecoder(const Tokenizer& tokenizer) : tokenizer_(&tokenizer) {}

  // The text that is certain now: valid UTF-8, possibly empty.
  std::string put(TokenId id);

  // What was held back, repaired. Call once, at the end.
  std::string finish();

 private:
  const Tokenizer* tokenizer_;
  std::string held_back_;
};

}  // namespace rr
