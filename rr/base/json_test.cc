#include "rr/base/json.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>

#include "rr/base/utf8.h"

namespace rr {
namespace {

TEST(Json, ReadsAValueAndNamesThePlaceOfAFault) {
  EXPECT_EQ(parse_json(R"({"a": [1, "x"]})", "f:1").value()["a"][1], "x");
  for (const char* bad : {"", "{", "{} x", R"({"a":1,"a":2})", "nul"}) {
    const auto result = parse_json(bad, "f:7");
    ASSERT_FALSE(result.ok()) << bad;
    EXPECT_EQ(result.error().where, "f:7");
    EXPECT_EQ(result.error().message.find('\n'), std::string::npos);
  }
}

TEST(Json, KeepsTheOrderOfKeysAndRefusesOneTwiceAmongMany) {
  EXPECT_EQ(
      to_json_line(parse_json(R"({"b": {"x": [], "y": {}}, "a": [null, -1, 2.5]})", "f").value()),
      R"({"b":{"x":[],"y":{}},"a":[null,-1,2.5]})");
  std::string many = "{";
  for (int i = 0; i < 50'000; ++i) many += fmt::format("\"key {}\": {}, ", i, i);
  EXPECT_EQ(parse_json(many + "\"end\": 0}", "f").value().size(), 50'001u);
  EXPECT_EQ(parse_json(many + "\"key 7\": 0}", "f").error().message,
            "key \"key 7\" stands twice in one object");
}

TEST(Json, MessagesAreText) {
  const auto refused = parse_json("{\"a\": 1, \xC3\xA9}", "f");
  ASSERT_FALSE(refused.ok());
  EXPECT_TRUE(is_valid_utf8(refused.error().message)) << refused.error().message;
}

TEST(Json, RefusesDeepNesting) {
  EXPECT_TRUE(parse_json(std::string(200, '[') + std::string(200, ']'), "f").ok());
  EXPECT_EQ(parse_json(std::string(201, '[') + std::string(201, ']'), "f").error().message,
            "nested deeper than 200 levels");
  EXPECT_TRUE(parse_json(std::string(150, '[') + std::string(150, ']'), "f").ok());
  EXPECT_FALSE(parse_json(std::string(100000, '['), "f").ok());
  EXPECT_FALSE(parse_json(std::string(5000, '[') + std::string(5000, ']'), "f").ok());
}

TEST(Json, RepairsAndCountsInvalidUtf8) {
  std::size_t repaired = 0;
  const auto value = parse_json("{\"t\": \"a\xFF\xFE\"}", "f", &repaired);
  ASSERT_TRUE(value.ok());
  EXPECT_EQ(repaired, 2u);
  EXPECT_EQ(value.value()["t"], "a\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST(Json, FieldsAreCheckedByTypeAndName) {
  const Json object = parse_json(R"({"id": 7, "text": "t", "x": 1.5})", "f").value();
  EXPECT_EQ(json_id(object, "id", "f").value(), "7");
  EXPECT_EQ(json_id(object, "text", "f").value(), "t");
  EXPECT_FALSE(json_id(object, "x", "f").ok());
  EXPECT_FALSE(json_string(object, "id", "f").ok());
  EXPECT_NE(json_string(object, "none", "f").error().message.find("\"none\""), std::string::npos);
}

}  // namespace
}  // namespace rr
