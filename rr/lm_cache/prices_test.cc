#include "rr/lm_cache/prices.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rr {
namespace {

using ::testing::HasSubstr;

std::string fault_of(const std::string& toml) {
  const auto list = PriceList::parse(toml, "prices.toml");
  return list.ok() ? "" : list.error().to_string();
}

TEST(Prices, AreDollarsAMillionTokens) {
  const auto list = PriceList::parse(
      "# two models\n[model.\"gpt-4o-mini\"]\ninput = 0.15\noutput = 0.60\n"
      "[model.small]\ninput = 0\noutput = 1\n",
      "prices.toml");
  ASSERT_TRUE(list.ok()) << list.error().to_string();
  const auto price = list.value().find("gpt-4o-mini");
  ASSERT_TRUE(price);
  // 2 M * 0.15 + 0.5 M * 0.60 = 0.30 + 0.30
  EXPECT_DOUBLE_EQ(cost_usd(*price, 2000000, 500000), 0.60);
  EXPECT_DOUBLE_EQ(cost_usd(*list.value().find("small"), 1000000, 250000), 0.25);
  EXPECT_FALSE(list.value().find("gpt-4o"));
}

TEST(Prices, AreRefusedWithTheLineWhereTheyAreNotWhatTheyShouldBe) {
  EXPECT_THAT(fault_of("[model.a]\ninput = 1\nouput = 2\n"), HasSubstr("prices.toml:3"));
  EXPECT_THAT(fault_of("[model.a]\ninput = 1\nouput = 2\n"), HasSubstr("\"ouput\""));
  EXPECT_THAT(fault_of("[model.a]\ninput = 1\n"), HasSubstr("expected \"output\""));
  EXPECT_THAT(fault_of("[model.a]\ninput = -1\noutput = 2\n"), HasSubstr("prices.toml:2"));
  EXPECT_THAT(fault_of("[model.a]\ninput = \"1\"\noutput = 2\n"), HasSubstr("prices.toml:2"));
  EXPECT_THAT(fault_of("[model.a]\ninput = nan\noutput = 2\n"), HasSubstr("prices.toml:2"));
  EXPECT_THAT(fault_of("[modle.a]\ninput = 1\noutput = 2\n"), HasSubstr("\"modle\""));
  EXPECT_THAT(fault_of("[model\n"), HasSubstr("prices.toml:1: expected TOML"));
}

}  // namespace
}  // namespace rr
