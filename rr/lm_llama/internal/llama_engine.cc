#include "rr/lm_llama/internal/llama_engine.h"

#include <fmt/core.h>
#include <ggml-backend.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <string_view>
#include <utility>

#include "rr/base/machine.h"
#include "rr/lm_llama/internal/llama_chat.h"
#include "rr/lm_llama/internal/llama_tokenizer.h"
#include "rr/weights/model_files.h"

namespace rr::internal {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kDefaultKvTokens = 65536;
constexpr std::size_t kLeastKvTokens = 512;  // less is of no use to anybody
constexpr std::size_t kKvPadding = 256;      // llama.cpp rounds to whole multiples

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

std::size_t trained_context(const llama_model& model) {
  const int32_t context = llama_model_n_ctx_train(&model);
  return context > 0 ? static_cast<std::size_t>(context) : kDefaultKvTokens;
}

// How many tokens memory is taken for.
std::size_t tokens_to_hold(const llama_model& model, const LlamaOptions& options,
                           std::size_t max_running, std::size_t bytes_per_token) {
  // More than all requests could use, or than llama.cpp counts, is no use.
  const std::size_t most = std::min<std::size_t>(trained_context(model) * max_running,
                                                 std::numeric_limits<std::int32_t>::max() / 2);
  if (options.kv_memory_bytes > 0) return std::min(most, options.kv_memory_bytes / bytes_per_token);
  const std::size_t on_accelerator = options.gpu_layers == 0 ? 0 : accelerator_memory();
  const std::size_t free = on_accelerator > 0 ? on_accelerator : free_memory();
  return std::min({most, kDefaultKvTokens, free / 2 / bytes_per_token});
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
  const bool shares = has_token_memory();
  const std::size_t most_sequences = llama_max_parallel_sequences();
  max_running_ = std::clamp<std::size_t>(options.max_sequences, 1, most_sequences / 2);
  kv_bytes_per_token_ = kv_bytes_per_token(*model_);
  const std::size_t tokens =
      tokens_to_hold(*model_, options, max_running_, kv_bytes_per_token_) / kKvPadding * kKvPadding;
  if (tokens < kLeastKvTokens) {
    return Error{
        Errc::kRejected,
        fmt::format("expected memory for keys and values of at least {} tokens, {}, found "
                    "less (--kv-memory)",
                    kLeastKvTokens, bytes_for_people(kLeastKvTokens * kv_bytes_per_token_)),
        path.string()};
  }
  const auto threads =
      static_cast<int32_t>(options.num_threads == 0 ? usable_cores() : options.num_threads);
  llama_context_params params = llama_context_default_params();
  params.n_ctx = static_cast<std::uint32_t>(tokens);
  params.n_batch =
      static_cast<std::uint32_t>(options.max_batch_tokens + std::max(kScoreRows, max_running_));
  params.n_ubatch = kMicroBatch;
  params.n_seq_max = static_cast<std::uint32_t>(shares ? 2 * max_running_ : max_running_);
  params.n_threads = threads;
  params.n_threads_batch = threads;
  params.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_AUTO;  // on, wherever the model's shape allows it
  params.kv_unified = true;
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
  text_model_.context_length = std::min(trained_context(*model_), kv_tokens());
  return ok_status();
}

bool LlamaEngine::has_token_memory() const {
  return !llama_model_is_recurrent(model_.get()) && !llama_model_is_hybrid(model_.get());
}

}  // namespace rr::internal
