// Any bytes as a tokenizer.json: refused with a message, or a tokenizer that works.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "rr/lm/internal/fake_model_files.h"
#include "rr/lm/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto files =
      rr::internal::FakeModelFiles::folder(rr::Json::object(), {{"tokenizer.json", text}});
  const auto tokenizer = rr::Tokenizer::load(files);
  if (!tokenizer.ok()) {
    if (tokenizer.error().message.empty()) std::abort();
    return 0;
  }
  const rr::TokenIds ids = tokenizer.value()->encode_with_special("the <|im_end|> ab");
  tokenizer.value()->decode(ids);
  return 0;
}
