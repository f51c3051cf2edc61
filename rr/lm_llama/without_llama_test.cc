#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "rr/lm_llama/llama_generator.h"

namespace rr {
namespace {

TEST(WithoutLlama, SaysHowToGetIt) {
  const auto generator = LlamaGenerator::load("model.gguf");
  ASSERT_FALSE(generator.ok());
  EXPECT_EQ(generator.error().code, Errc::kNotFound);
  EXPECT_THAT(generator.error().to_string(),
              ::testing::AllOf(::testing::HasSubstr("without llama.cpp"),
                               ::testing::HasSubstr("CMAKE_PREFIX_PATH"),
                               ::testing::HasSubstr("model.gguf")));
  EXPECT_EQ(LlamaGenerator::library_version(), "");
}

TEST(LlamaGenerator, IsTestedWhereItIs) {
  GTEST_SKIP() << "this build is without llama.cpp (docs/engines.md)";
}

}  // namespace
}  // namespace rr
