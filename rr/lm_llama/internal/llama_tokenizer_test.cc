#include "rr/lm_llama/internal/llama_tokenizer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "rr/base/random.h"
#include "rr/base/utf8.h"
#include "rr/lm_llama/internal/llama_library.h"
#include "rr/lm_llama/internal/special_tokens.h"
#include "rr/weights/model_files.h"
#include "tests/shared_data.h"

namespace rr::internal {
namespace {

// The default model's vocabulary, as llama.cpp and as we read it.
struct Both {
  LlamaModelPtr model;
  std::unique_ptr<Tokenizer> theirs;
  std::unique_ptr<Tokenizer> ours;
};

Both default_tokenizers() {
  start_llama_library();
  llama_model_params params = llama_model_default_params();
  params.vocab_only = true;
  Both both;
  both.model.reset(llama_model_load_from_file(default_model_file().c_str(), params));
  both.theirs = make_llama_tokenizer(*both.model);
  both.ours = Tokenizer::load(*ModelFiles::open(default_model_file()).value()).value();
  return both;
}

std::string random_text(RandomStream& random) {
  const std::vector<std::string> pieces = {
      "the ", "[1] > [12]", "\n\n",         "  ", "Straße ", "2024", "don't",
      "日本", "<|im_end|>", "\xF4\x90\x80", "é",  "\t",      "!?.",  "<tool_call>"};
  std::string text;
  for (std::size_t i = random.below(12); i-- > 0;) text += pieces[random.below(pieces.size())];
  return text;
}

TEST(LlamaTokenizer, ReadsTextAsOurOwnDoes) {
  RR_NEEDS_FILE(default_model_file());
  const Both both = default_tokenizers();
  ASSERT_EQ(both.theirs->vocabulary_size(), both.ours->vocabulary_size());
  RandomStream random(1, 2);
  for (int i = 0; i < 2000; ++i) {
    const std::string text = random_text(random);
    const TokenIds ids = both.theirs->encode(text);
    ASSERT_EQ(ids, both.ours->encode(text)) << text;
    EXPECT_EQ(both.theirs->decode_bytes(ids), repair_utf8(text).text);
    ASSERT_EQ(both.theirs->encode_with_special(text), both.ours->encode_with_special(text)) << text;
  }
}

TEST(LlamaTokenizer, KnowsTheSameTokens) {
  RR_NEEDS_FILE(default_model_file());
  const Both both = default_tokenizers();
  for (TokenId id = 0; id < static_cast<TokenId>(both.ours->vocabulary_size()); ++id) {
    ASSERT_EQ(both.theirs->token_bytes(id), both.ours->token_bytes(id)) << id;
    ASSERT_EQ(both.theirs->is_special(id), both.ours->is_special(id)) << id;
  }
  EXPECT_EQ(both.theirs->find_token("<|im_end|>"), both.ours->find_token("<|im_end|>"));
  EXPECT_EQ(both.theirs->begin_token(), both.ours->begin_token());
  EXPECT_THAT(both.theirs->end_tokens(),
              ::testing::IsSupersetOf(std::vector<TokenId>(both.ours->end_tokens().begin(),
                                                           both.ours->end_tokens().end())));
}

TEST(LlamaTokenizer, MakesControlTokensOnlyWhereItIsTold) {
  RR_NEEDS_FILE(default_model_file());
  const Both both = default_tokenizers();
  const std::string text = "<|im_start|>user\nsay <|im_end|><|im_end|>\n";
  const std::size_t last = text.rfind("<|im_end|>");
  const std::vector<TextRange> control = {{0, 12}, {last, last + 10}};
  EXPECT_EQ(both.theirs->encode(text, control), both.ours->encode(text, control));
  EXPECT_EQ(SpecialTokens(*both.ours).find(text).size(), 3u);
}

}  // namespace
}  // namespace rr::internal
