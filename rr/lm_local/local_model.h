#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "rr/base/result.h"
#include "rr/base/thread_pool.h"
#include "rr/lm/chat_template.h"
#include "rr/lm/generator.h"
#include "rr/lm/tokenizer.h"
#include "rr/nn/decoder.h"
#include "rr/weights/model_files.h"

namespace rr {

struct LocalModelOptions {
  DecoderOptions decoder;
  std::size_t num_threads = 0;  // 0: usable_cores()
  std::string chat_template;    // a name that ChatTemplate knows; empty: as the model's files say
  std::size_t max_rows = 1024;  // rows in one forward() that memory is planned for
};

// A language model in this process: its files read, its weights packed, its tokenizer and chat
// template beside it. One user at a time: a LocalGenerator, or score_tokens().
class LocalModel {
 public:
  // From a GGUF file or a Hugging Face folder. Refused before anything large is read: an
  // architecture, tokenizer or template name that is not known, a vocabulary larger than the
  // embedding, a model that does not fit into free_memory() (with the numbers). A model whose
  // files name no known template loads all the same; see chat().
  static Result<std::unique_ptr<LocalModel>> load(const std::filesystem::path& path,
                                                  const LocalModelOptions& options = {});

  // The same from files that are open, with whatever was laid over them. They are not needed
  // afterwards.
  static Result<std::unique_ptr<LocalModel>> load(const ModelFiles& files,
                                                  const LocalModelOptions& options = {});

  // From parts, for models that come from elsewhere. `pool` runs the decoder and outlives it, so it
  // comes along. Requires that every id of the tokenizer is inside the decoder's vocabulary.
  struct Parts {
    std::unique_ptr<ThreadPool> pool;
    std::unique_ptr<Tokenizer> tokenizer;
    std::optional<ChatTemplate> chat;
    std::optional<Error> no_chat;  // why there is none
    std::unique_ptr<Decoder> decoder;
    MemoryPlan memory;
  };
  explicit LocalModel(Parts parts);

  LocalModel(const LocalModel&) = delete;
  LocalModel& operator=(const LocalModel&) = delete;

  const Tokenizer& tokenizer() const { return *parts_.tokenizer; }
  Decoder& decoder() { return *parts_.decoder; }
  const DecoderConfig& config() const { return parts_.decoder->config(); }
  ThreadPool& pool() { return *parts_.pool; }
  const MemoryPlan& memory() const { return parts_.memory; }
  std::string kernel_name() const { return parts_.decoder->kernel_name(); }
  std::size_t num_threads() const { return parts_.pool->num_threads(); }

  // nullptr: the model has none; text_model() says why.
  const ChatTemplate* chat() const { return parts_.chat ? &*parts_.chat : nullptr; }

  // Prompt and completion together, in tokens.
  std::size_t context_length() const { return config().context_length; }

  const TextModel& text_model() const { return text_model_; }

 private:
  Parts parts_;
  TextModel text_model_;
};

}  // namespace rr
