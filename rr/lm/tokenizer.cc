#include "rr/lm/tokenizer.h"

#include "rr/base/utf8.h"
#include "rr/lm/internal/bpe_tokenizer.h"
#include "rr/lm/internal/gguf_tokenizer.h"
#include "rr/lm/internal/hf_tokenizer.h"

namespace rr {

Result<std::unique_ptr<Tokenizer>> Tokenizer::load(const ModelFiles& files) {
  const bool is_gguf = files.format() == ModelFiles::Format::kGguf;
  RR_TRY(const internal::TokenizerParts parts,
         is_gguf ? internal::parts_of_gguf(files.metadata(), files.path().string())
                 : internal::parts_of_hf_folder(files));
  return internal::make_bpe_tokenizer(parts);
}

std::string Tokenizer::decode_bytes(std::span<const TokenId> ids) const {
  std::string bytes;
  for (const TokenId id : ids) bytes.append(token_bytes(id));
  return bytes;
}

std::string Tokenizer::decode(std::span<const TokenId> ids, bool skip_special) const {
  std::string bytes;
  for (const TokenId id : ids) {
    if (!skip_special || !is_special(id)) bytes.append(token_bytes(id));
  }
  return repair_utf8(bytes).text;
}

std::string StreamDecoder::put(TokenId id) {
  held_back_.append(tokenizer_->token_bytes(id));
  const std::size_t certain = held_back_.size() - incomplete_utf8_tail(held_back_);
  std::string text = repair_utf8(std::string_view(held_back_).substr(0, certain)).text;
  held_back_.erase(0, certain);
  return text;
}

std::string StreamDecoder::finish() {
  std::string text = repair_utf8(held_back_).text;
  held_back_.clear();
  return text;
}

}  // namespace rr
