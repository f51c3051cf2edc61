#pragma once

#include <llama.h>

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "rr/base/result.h"
#include "rr/lm/generator.h"
#include "rr/lm_llama/internal/llama_library.h"
#include "rr/lm_llama/llama_generator.h"

namespace rr::internal {

// A model that llama.cpp has loaded, with memory for its sequences, its tokenizer and its
// chat template.
class LlamaEngine {
 public:
  // As LlamaGenerator::load() says.
  static Result<std::unique_ptr<LlamaEngine>> load(const std::filesystem::path& path,
                                                   const LlamaOptions& options);

  LlamaEngine(const LlamaEngine&) = delete;
  LlamaEngine& operator=(const LlamaEngine&) = delete;

  llama_context* context() const { return context_.get(); }
  llama_memory_t memory() const { return llama_get_memory(context_.get()); }
  const TextModel& text_model() const { return text_model_; }
  const std::string& description() const { return description_; }

  std::size_t vocabulary_size() const { return text_model_.tokenizer->vocabulary_size(); }
  std::size_t context_length() const { return text_model_.context_length; }
  std::size_t max_sequences() const { return llama_n_seq_max(context_.get()); }
  std::size_t kv_tokens() const { return llama_n_ctx(context_.get()); }
  std::size_t kv_bytes() const { return kv_tokens() * kv_bytes_per_token_; }

  // Whether the keys and values of a sequence can be cut and copied token by token; recurrent
  // states cannot.
  bool has_token_memory() const;

  // The most tokens in one step.
  std::size_t max_step_tokens() const { return llama_n_batch(context_.get()); }

 private:
  LlamaEngine() = default;

  Status load_model(const std::filesystem::path& path, const LlamaOptions& options);
  Status load_texts(const std::filesystem::path& path, const LlamaOptions& options);
  Status make_context(const std::filesystem::path& path, const LlamaOptions& options);

  LlamaModelPtr model_;
  std::unique_ptr<Tokenizer> tokenizer_;  // may use model_
  std::optional<ChatTemplate> chat_;      // may use tokenizer_
  TextModel text_model_{};
  LlamaContextPtr context_;
  std::size_t kv_bytes_per_token_ = 0;
  std::string description_;
};

}  // namespace rr::internal
