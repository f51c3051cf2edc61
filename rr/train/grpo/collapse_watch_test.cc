#include "rr/train/grpo/collapse_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rr {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr StepSigns kHealthy = {0.9, 0.7, 0.5, 0.01, 0.1};

TEST(CollapseWatch, SaysOnceWhatHasHeldLongEnough) {
  CollapseWatch watch(3);
  StepSigns flat = kHealthy;
  flat.teaching = 0;
  EXPECT_THAT(watch.look(flat), IsEmpty());
  EXPECT_THAT(watch.look(flat), IsEmpty());
  EXPECT_THAT(watch.look(flat), ElementsAre(HasSubstr("for 3 steps the rewards of every group")));
  EXPECT_THAT(watch.look(flat), IsEmpty());
  EXPECT_THAT(watch.look(kHealthy), IsEmpty());
  EXPECT_THAT(watch.look(flat), IsEmpty());
  EXPECT_THAT(watch.look(flat), IsEmpty());
  EXPECT_THAT(watch.look(flat), ElementsAre(HasSubstr("rewards of every group")));
}

TEST(CollapseWatch, KnowsItsSigns) {
  const auto said = [](double StepSigns::*sign, double value) {
    CollapseWatch watch(1);
    StepSigns signs = kHealthy;
    signs.*sign = value;
    return watch.look(signs);
  };
  EXPECT_THAT(said(&StepSigns::right_form, 0), ElementsAre(HasSubstr("train sft")));
  EXPECT_THAT(said(&StepSigns::teaching, 0), ElementsAre(HasSubstr("--group")));
  EXPECT_THAT(said(&StepSigns::entropy, 0.01), ElementsAre(HasSubstr("--clip-high")));
  EXPECT_THAT(said(&StepSigns::kl, 1.5), ElementsAre(HasSubstr("--kl")));
  EXPECT_THAT(said(&StepSigns::cut, 0.95), ElementsAre(HasSubstr("--max-tokens")));
  EXPECT_THAT(said(&StepSigns::kl, 0.5), IsEmpty());
}

}  // namespace
}  // namespace rr
