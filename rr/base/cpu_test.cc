#include "rr/base/cpu.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

namespace rr {
namespace {

using ::testing::HasSubstr;

// Sets REASONRANK_ISA as long as it lives.
class Limit {
 public:
  explicit Limit(const char* name) { ::setenv("REASONRANK_ISA", name, 1); }
  ~Limit() { ::unsetenv("REASONRANK_ISA"); }
  Limit(const Limit&) = delete;
  Limit& operator=(const Limit&) = delete;
};

TEST(IsaLimit, IsOneOfItsNames) {
  if (std::getenv("REASONRANK_ISA") != nullptr) GTEST_SKIP() << "REASONRANK_ISA is set";
  EXPECT_EQ(isa_limit(), IsaLimit::kNone);
  EXPECT_TRUE(check_isa_limit().ok());
  {
    const Limit limit("avx512-vnni");
    EXPECT_EQ(isa_limit(), IsaLimit::kAvx512Vnni);
    EXPECT_TRUE(check_isa_limit().ok());
  }
  const Limit limit("avx1024");
  EXPECT_EQ(isa_limit(), IsaLimit::kNone);
  const Status status = check_isa_limit();
  ASSERT_FALSE(status.ok());
  EXPECT_THAT(status.error().message, HasSubstr("base, avx2"));
  EXPECT_THAT(status.error().message, HasSubstr("\"avx1024\""));
}

// Whatever the limit is that this program runs under.
TEST(CpuFeatures, StayWithinTheLimitAndEachHasThoseBeforeIt) {
  const CpuFeatures& features = cpu_features();
  const IsaLimit limit = isa_limit();
  EXPECT_FALSE(limit == IsaLimit::kBase && features.has_avx2);
  EXPECT_FALSE(limit == IsaLimit::kAvx2 && features.has_avx512);
  EXPECT_FALSE(limit == IsaLimit::kAvx512 && features.has_avx512_vnni);
  EXPECT_FALSE(limit == IsaLimit::kAvx512Vnni && features.has_avx512_bf16);
  EXPECT_FALSE(limit != IsaLimit::kNone && features.has_amx_bf16);
  EXPECT_GE(features.has_avx2, features.has_avx512);
  EXPECT_GE(features.has_avx512, features.has_avx512_vnni);
  EXPECT_GE(features.has_avx512, features.has_avx512_bf16);
  EXPECT_GE(features.has_avx512_bf16, features.has_amx_bf16);
}

}  // namespace
}  // namespace rr
