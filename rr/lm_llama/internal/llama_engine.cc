#include "rr/lm_llama/internal/llama_engine.h"

#include <fmt/core.h>
#include <ggml-backend.h>

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>

#include "rr/base/machine.h"
#include "rr/lm_llama/internal/llama_chat.h"
#include "rr/lm_llama/internal/llama_tokenizer.h"
#include "rr/weights/model_files.h"

namespace rr::internal {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kDefaultContext = 16384;
constexpr std::size_t kLeastContext = 512;    // less is of no use to anybody
constexpr std::size_t kContextPadding = 256;  // llama.cpp rounds to whole multiples

// Rows of scores in one step beside those of the prompts; more only where more requests write.
constexpr std::size_t kScoreRows = 256;

// Tokens that llama.cpp computes at once: its own default, best here too (docs/benchmarks.md).
constexpr std::uint32_t kMicroBatch = 512;

Status check_file(const fs::path& path) {
  std::error_code error;
  if (fs::is_directory(path, error)) {
    return Error{Errc::kRejected,
                 "expected a GGUF file, found a folder: llama.cpp reads no others; "
                 "`reasonrank export --format gguf` makes one of models that this program reads, "
                 "llama.cpp's convert_hf_to_gguf.py of many others",
                 path.string()};
  }
  if (!fs::exists(path, error)) {
    return Error{Errc::kNotFound, "expected a GGUF file, found none", path.string()};
  }
  return ok_status();
}

Error with_complaint(Errc code, std::string message, const fs::path& path) {
  const std::string complaint = take_llama_complaint();
  if (!complaint.empty()) message += ": " + complaint;
  return {code, std::move(message), path.string()};
}

// The free memory of the accelerators; 0: there is none.
std::size_t accelerator_memory() {
  std::size_t total = 0;
  for (std::size_t i = 0; i < ggml_backend_dev_count(); ++i) {
    ggml_backend_dev_t device = ggml_backend_dev_get(i);
    const auto kind = ggml_backend_dev_type(device);
    if (kind != GGML_BACKEND_DEVICE_TYPE_GPU && kind != GGML_BACKEND_DEVICE_TYPE_IGPU) continue;
    std::size_t free = 0;
    std::size_t whole = 0;
    ggml_backend_dev_memory(device, &free, &whole);
    total += free;
  }
  return total;
}

// A whole number of the model's metadata under "<architecture>.<key>".
std::optional<std::size_t> number_of(const llama_model& model, std::string_view key) {
  char text[128];
  if (llama_model_meta_val_str(&model, "general.architecture", text, sizeof text) < 0) {
    return std::nullopt;
  }
  const std::string name = fmt::format("{}.{}", text, key);
  const int32_t size = llama_model_meta_val_str(&model, name.c_str(), text, sizeof text);
  std::size_t value = 0;
  if (size <= 0 || std::from_chars(text, text + size, value).ec != std::errc()) return std::nullopt;
  return value;
}

// Of keys and values in F16, as attention of the usual kind has them; more than others take.
std::size_t kv_bytes_per_token(const llama_model& model) {
  const auto count = [](int32_t value) { return static_cast<std::size_t>(std::max(1, value)); };
  const std::size_t head_size =
      count(llama_model_n_embd(&model)) / count(llama_model_n_head(&model));
  const std::size_t key = number_of(model, "attention.key_length").value_or(head_size);
  const std::size_t value = number_of(model, "attention.value_length").value_or(head_size);
  return count(llama_model_n_layer(&model)) * count(llama_model_n_head_kv(&model)) * (key + value) *
         2;
}

// Tokens that one request may have.
std::size_t wanted_context(const llama_model& model, const LlamaOptions& options) {
  const auto trained = static_cast<std::size_t>(std::max(0, llama_model_n_ctx_train(&model)));
  const std::size_t most = trained == 0 ? kDefaultContext : trained;
  return std::min(most, options.context_tokens == 0 ? kDefaultContext : options.context_tokens);
}

std::size_t kv_memory(const LlamaOptions& options) {
  if (options.kv_memory_bytes > 0) return options.kv_memory_bytes;
  const std::size_t on_accelerator = options.gpu_layers == 0 ? 0 : accelerator_memory();
  return (on_accelerator > 0 ? on_accelerator : free_memory()) / 2;
}

// How many sequences there are, and the room of each in tokens.
struct Room {
  std::size_t sequences;
  std::size_t context;
};

Room room_for(const llama_model& model, const LlamaOptions& options, std::size_t bytes_per_token) {
  const auto padded = [](std::size_t tokens) {
    return (tokens + kContextPadding - 1) / kContextPadding * kContextPadding;
  };
  const std::size_t tokens = kv_memory(options) / bytes_per_token;
  const std::size_t context = padded(wanted_context(model, options));
  if (tokens < context) return {1, tokens / kContextPadding * kContextPadding};
  const std::size_t most =
      std::min<std::size_t>(options.max_sequences, llama_max_parallel_sequences());
  return {std::clamp<std::size_t>(tokens / context, 1, std::max<std::size_t>(1, most)), context};
}

}  // namespace

Result<std::unique_ptr<LlamaEngine>> LlamaEngine::load(const fs::path& path,
                                                       const LlamaOptions& options) {
  RR_TRY_STATUS(check_file(path));
  start_llama_library();
  std::unique_ptr<LlamaEngine> engine(new LlamaEngine);
  RR_TRY_STATUS(engine->load_model(path, options));
  RR_TRY_STATUS(engine->load_texts(path, options));
  RR_TRY_STATUS(engine->make_context(path, options));
  return engine;
}

Status LlamaEngine::load_model(const fs::path& path, const LlamaOptions& options) {
  llama_model_params params = llama_model_default_params();
  if (options.gpu_layers) {
    params.n_gpu_layers = static_cast<int32_t>(std::min<std::size_t>(*options.gpu_layers, 100000));
  }
  take_llama_complaint();
  model_.reset(llama_model_load_from_file(path.c_str(), params));
  if (!model_) return with_complaint(Errc::kMalformed, "llama.cpp cannot load this model", path);
  const bool writes = llama_model_has_decoder(model_.get()) &&
                      !llama_model_has_encoder(model_.get()) &&
                      !llama_model_is_diffusion(model_.get());
  if (writes) return ok_status();
  return Error{Errc::kRejected,
               "expected a model that writes text token by token, found an encoder or a diffusion "
               "model",
               path.string()};
}

Status LlamaEngine::load_texts(const fs::path& path, const LlamaOptions& options) {
  const llama_vocab* vocabulary = llama_model_get_vocab(model_.get());
  const auto size = static_cast<std::size_t>(std::max(0, llama_vocab_n_tokens(vocabulary)));
  if (size == 0 || llama_vocab_type(vocabulary) == LLAMA_VOCAB_TYPE_NONE) {
    return Error{Errc::kMalformed, "expected a model with a vocabulary, found none", path.string()};
  }
  // Ours where it knows the file's: then prompts are the same as with our own engine.
  const Result<std::unique_ptr<ModelFiles>> files = ModelFiles::open(path);
  if (files.ok()) {
    Result<std::unique_ptr<Tokenizer>> ours = Tokenizer::load(*files.value());
    if (ours.ok() && ours.value()->vocabulary_size() == size) tokenizer_ = std::move(ours).value();
  }
  if (!tokenizer_) tokenizer_ = make_llama_tokenizer(*model_);

  Result<ChatTemplate> chat =
      find_chat_template(*model_, options.chat_template, *tokenizer_, path.string());
  if (chat.ok()) {
    chat_ = std::move(chat).value();
  } else if (!options.chat_template.empty()) {
    return chat.error();
  } else {
    text_model_.no_chat = chat.error();
  }
  return ok_status();
}

Status LlamaEngine::make_context(const fs::path& path, const LlamaOptions& options) {
  kv_bytes_per_token_ = kv_bytes_per_token(*model_);
  const Room room = room_for(*model_, options, kv_bytes_per_token_);
  if (room.context < kLeastContext) {
    return Error{Errc::kRejected,
                 fmt::format("expected memory for keys and values of at least {} tokens, {}, found "
                             "less (--kv-memory)",
                             kLeastContext, bytes_for_people(kLeastContext * kv_bytes_per_token_)),
                 path.string()};
  }
  const std::size_t tokens = room.sequences * room.context;
  const auto threads =
      static_cast<int32_t>(options.num_threads == 0 ? usable_cores() : options.num_threads);
  llama_context_params params = llama_context_default_params();
  params.n_ctx = static_cast<std::uint32_t>(tokens);
  params.n_batch =
      static_cast<std::uint32_t>(options.max_batch_tokens + std::max(kScoreRows, room.sequences));
  params.n_ubatch = kMicroBatch;
  params.n_seq_max = static_cast<std::uint32_t>(room.sequences);
  params.n_threads = threads;
  params.n_threads_batch = threads;
  params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_AUTO;  // on, wherever the model's shape allows it
  params.kv_unified = false;  // else each token looks at the masks of all sequences
  params.no_perf = true;
  take_llama_complaint();
  context_.reset(llama_init_from_model(model_.get(), params));
  if (!context_) {
    return with_complaint(
        Errc::kUnavailable,
        fmt::format("llama.cpp cannot make room for {} tokens, {} of keys and values "
                    "(--kv-memory)",
                    tokens, bytes_for_people(tokens * kv_bytes_per_token_)),
        path);
  }
  char model[256] = "";
  llama_model_desc(model_.get(), model, sizeof model);
  const bool on_accelerator = options.gpu_layers != 0 && accelerator_memory() > 0;
  description_ = fmt::format("llama.cpp {}: {}{}, {} threads", LlamaGenerator::library_version(),
                             model, on_accelerator ? ", with an accelerator" : "", threads);
  text_model_.tokenizer = tokenizer_.get();
  text_model_.chat = chat_ ? &*chat_ : nullptr;
  text_model_.context_length = std::min(wanted_context(*model_, options), room.context);
  return ok_status();
}

bool LlamaEngine::has_token_memory() const {
  return !llama_model_is_recurrent(model_.get()) && !llama_model_is_hybrid(model_.get());
}

}  // namespace rr::internal
