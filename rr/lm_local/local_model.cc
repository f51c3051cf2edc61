#include "rr/lm_local/local_model.h"

#include <fmt/core.h>

#include <utility>

#include "rr/base/check.h"
#include "rr/base/machine.h"
#include "rr/nn/memory.h"
#include "rr/weights/model_files.h"

namespace rr {
namespace {

// Tokens of keys and values that there must be room for beside the weights, for a model to be of
// any use.
constexpr std::size_t kLeastKvTokens = 512;

Status check_vocabulary(const Tokenizer& tokenizer, const DecoderConfig& config,
                        const std::string& where) {
  if (tokenizer.vocabulary_size() <= config.vocabulary_size) return ok_status();
  return Error{
      Errc::kMalformed,
      fmt::format("the tokenizer has {} tokens and the model's embedding only {} rows: they "
                  "do not belong together",
                  tokenizer.vocabulary_size(), config.vocabulary_size),
      where};
}

}  // namespace

Result<std::unique_ptr<LocalModel>> LocalModel::load(const std::filesystem::path& path,
                                                     const LocalModelOptions& options) {
  RR_TRY(const std::unique_ptr<ModelFiles> files, ModelFiles::open(path));
  return load(*files, options);
}

Result<std::unique_ptr<LocalModel>> LocalModel::load(const ModelFiles& files,
                                                     const LocalModelOptions& options) {
  const std::string where = files.path().string();
  RR_TRY(const DecoderConfig config, read_decoder_config(files));
  Parts parts;
  RR_TRY(parts.tokenizer, Tokenizer::load(files));
  RR_TRY_STATUS(check_vocabulary(*parts.tokenizer, config, where));
  if (!options.chat_template.empty()) {
    RR_TRY(parts.chat, ChatTemplate::named(options.chat_template));
  } else {
    Result<ChatTemplate> detected = ChatTemplate::detect(files);
    if (detected.ok()) {
      parts.chat = std::move(detected).value();
    } else {
      parts.no_chat = detected.error();
    }
  }
  parts.memory = plan_memory(config, options.decoder, options.max_rows);
  RR_TRY_STATUS(check_memory(parts.memory, kLeastKvTokens, free_memory(), where));
  parts.pool =
      std::make_unique<ThreadPool>(options.num_threads == 0 ? usable_cores() : options.num_threads);
  RR_TRY(parts.decoder, Decoder::load(files, options.decoder, *parts.pool));
  return std::make_unique<LocalModel>(std::move(parts));
}

LocalModel::LocalModel(Parts parts)
    : parts_(std::move(parts)),
      text_model_{.tokenizer = parts_.tokenizer.get(),
                  .chat = chat(),
                  .context_length = parts_.decoder->config().context_length} {
  RR_CHECK(tokenizer().vocabulary_size() <= config().vocabulary_size,
           "every token needs a row of the embedding");
  if (parts_.no_chat) text_model_.no_chat = *parts_.no_chat;
}

}  // namespace rr
