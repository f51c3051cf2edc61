#include "rr/measures/measure.h"

#include <fmt/core.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rr {
namespace {

using Kind = Measure::Kind;

TEST(ParseMeasure, TheNamesOfIrMeasuresComeBack) {
  for (const char* name : {"nDCG",
                           "nDCG@10",
                           "P@5",
                           "P(rel=2)@5",
                           "R@100",
                           "AP",
                           "AP@100",
                           "AP(rel=2)",
                           "RR",
                           "RR@10",
                           "Rprec",
                           "Success@1",
                           "RBO(p=0.9)",
                           "RBO(p=0.98)@20",
                           "RBO(p=0.9,bound=min)@5",
                           "nDCG(dcg='exp-log2')@10",
                           "ERR",
                           "ERR@20",
                           "Judged@10",
                           "Bpref",
                           "Bpref(rel=2)",
                           "SetP",
                           "SetRelP",
                           "SetR(rel=3)",
                           "SetF",
                           "SetF(rel=2,beta=0.5)",
                           "SetAP"}) {
    const auto measure = parse_measure(name);
    ASSERT_TRUE(measure.ok()) << name;
    EXPECT_EQ(name_of(measure.value()), name);
    EXPECT_EQ(parse_measure(name_of(measure.value())).value(), measure.value());
  }
}

TEST(ParseMeasure, OtherUsualNamesMeanTheSame) {
  EXPECT_EQ(name_of(parse_measure("NDCG@10").value()), "nDCG@10");
  EXPECT_EQ(name_of(parse_measure("MAP").value()), "AP");
  EXPECT_EQ(name_of(parse_measure("MRR@10").value()), "RR@10");
  EXPECT_EQ(name_of(parse_measure("Recall@20").value()), "R@20");
  EXPECT_EQ(name_of(parse_measure("RBO").value()), "RBO(p=0.9)");
  EXPECT_EQ(name_of(parse_measure("RBO(bound=ext)").value()), "RBO(p=0.9)");
  EXPECT_EQ(name_of(parse_measure("BPref").value()), "Bpref");
  EXPECT_EQ(name_of(parse_measure("SetP(relative=True)").value()), "SetRelP");
  EXPECT_EQ(name_of(parse_measure("SetF(beta=2.0, rel=2)").value()), "SetF(rel=2,beta=2)");
  EXPECT_EQ(name_of(parse_measure("nDCG(dcg=exp-log2)@10").value()), "nDCG(dcg='exp-log2')@10");
  EXPECT_EQ(name_of(parse_measure("nDCG(dcg=\"log2\")@10").value()), "nDCG@10");
  EXPECT_EQ(name_of(parse_measure(" P( rel = 1 )@3 ").value()), "P@3");
}

TEST(ParseMeasure, WhatIsNoMeasureIsRefusedWithTheReason) {
  for (const char* name : {"",
                           "nDCX@10",
                           "ndcg@10",
                           "nDCG@",
                           "nDCG@0",
                           "nDCG@-1",
                           "nDCG@ten",
                           "nDCG@1@2",
                           "P",
                           "R",
                           "Rprec@3",
                           "P(rel=0)@5",
                           "P(rel=2@5",
                           "nDCG(rel=2)@5",
                           "RBO(p=1)",
                           "RBO(p=0)",
                           "RBO(p=x)",
                           "RBO(rel=2)",
                           "RBO(bound=max)",
                           "nDCG(dcg='exp')@10",
                           "nDCG(dcg)@10",
                           "ERR(rel=2)",
                           "Judged(rel=2)@5",
                           "Bpref@10",
                           "SetF(beta=-1)",
                           "SetF(beta=inf)",
                           "SetP(beta=2)",
                           "SetP(relative=1)",
                           "P(level=2)@5",
                           "nDCG@99999999999999999999"}) {
    const auto measure = parse_measure(name);
    ASSERT_FALSE(measure.ok()) << name;
    EXPECT_THAT(measure.error().message,
                ::testing::StartsWith(fmt::format("\"{}\" is no measure: ", name)));
  }
}

TEST(ParseMeasures, TakesNamesWithCommasBetweenThem) {
  const auto measures = parse_measures("nDCG@10, R@100,AP");
  ASSERT_TRUE(measures.ok());
  EXPECT_EQ(measures->size(), 3u);
  EXPECT_EQ(parse_measures("SetF(rel=2,beta=2),AP")->size(), 2u);
  EXPECT_FALSE(parse_measures("SetF(rel=2,AP").ok());
  EXPECT_FALSE(parse_measures("nDCG@10,,AP").ok());
  EXPECT_FALSE(parse_measures("nDCG@10,").ok());
}

}  // namespace
}  // namespace rr
