#include "rr/lm/tokenizer.h"

#include <fmt/core.h>

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

TokenIds with_begin_token(const Tokenizer& tokenizer, TokenIds ids) {
  const std::optional<TokenId> begin = tokenizer.begin_token();
  if (begin && (ids.empty() || ids.front() != *begin)) ids.insert(ids.begin(), *begin);
  return ids;
}

Status check_ids(const Tokenizer& tokenizer, std::span<const TokenId> ids) {
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] >= 0 && static_cast<std::size_t>(ids[i]) < tokenizer.vocabulary_size()) continue;
    return Error{Errc::kRejected,
                 fmt::format("expected ids from 0 to {}, found {} at position {}",
                             tokenizer.vocabulary_size() - 1, ids[i], i),
                 ""};
  }
  return ok_status();
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
