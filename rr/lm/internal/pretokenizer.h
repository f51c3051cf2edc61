#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rr::internal {

// How a family cuts text into words before any merging; a merge never crosses a cut. Published as
// regular expressions (pretokenizer_pattern), written here as scanners: one pass, no backtracking.
enum class Pretokenizer { kGpt2, kSmolLm, kLlama3, kQwen2 };

// "gpt-2", "smollm", "llama-3", "qwen2".
std::string_view pretokenizer_name(Pretokenizer pretokenizer);

// All of them, for messages: "gpt-2, smollm, llama-3, qwen2".
std::string known_pretokenizers();

// Of a name as GGUF files write it in tokenizer.ggml.pre; nullopt for unknown ones.
std::optional<Pretokenizer> pretokenizer_of_gguf(std::string_view name);

// The expression that the family's tokenizer.json states. "\s" is White_Space. kSmolLm splits off
// each \p{N} alone first and then applies this, which is GPT-2's, to what lies between.
std::string_view pretokenizer_pattern(Pretokenizer pretokenizer);

// The end of the word that begins at `begin`. Requires valid UTF-8 and begin < text.size() at the
// start of a character. The words so found, one after the other, make up the whole text.
std::size_t word_end(Pretokenizer pretokenizer, std::string_view text, std::size_t begin);

// All words in order; for tests and tools.
std::vector<std::string_view> split_words(Pretokenizer pretokenizer, std::string_view text);

}  // namespace rr::internal
