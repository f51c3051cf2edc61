#include "rr/report/page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "rr/base/json.h"
#include "rr/report/internal/assets.h"
#include "rr/report/internal/html.h"

namespace rr {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kHostile =
    "</script><script>alert(1)</script><img src=x onerror=alert(2)>\" onload='x' <!-- &amp; ]]>";

Chart chart_named(const std::string& name) {
  return {name,
          name,
          {.title = name, .unit = name},
          {.title = name},
          Scatter{{{name, {{0.25, 0.5, name}}}}, false}};
}

// A page with `text` wherever a page can hold text.
Page page_of(const std::string& text) {
  Page page{text, text, {}};
  Table table;
  table.title = text;
  table.header = {text.c_str(), text.c_str()};
  table.rows = {{text, text}};
  Chart bars = chart_named(text);
  bars.plot = Bars{{text}, {{text, {1}, {}}}};
  Chart lines = chart_named(text);
  lines.plot = Lines{{{text, {{1, 1}}}}};
  page.sections.push_back(
      {text,
       {Text{text}, Text{text, Text::Kind::kVerbatim}, table, chart_named(text), bars, lines,
        Group{text, {Text{text, Text::Kind::kNote}, table}, false}}});
  page.sections.push_back({text, {}});
  return page;
}

std::size_t count(std::string_view text, std::string_view part) {
  std::size_t number = 0;
  for (std::size_t at = text.find(part); at != std::string_view::npos;
       at = text.find(part, at + 1)) {
    ++number;
  }
  return number;
}

// The JSON of each chart, parsed.
std::vector<Json> charts_in(const std::string& html) {
  constexpr std::string_view kOpen = "<script type=\"application/json\">";
  std::vector<Json> charts;
  for (std::size_t at = html.find(kOpen); at != std::string::npos; at = html.find(kOpen, at + 1)) {
    const std::size_t begin = at + kOpen.size();
    const std::size_t end = html.find("</script>", begin);
    charts.push_back(parse_json(html.substr(begin, end - begin), "chart").value());
  }
  return charts;
}

TEST(Page, TextBecomesNoMarkupWhereverItStands) {
  const std::string hostile = to_html(page_of(kHostile));
  const std::string harmless = to_html(page_of("harmless"));
  for (const char* markup : {"<script", "</script", "<img", "<!--", "<td", "<p>", "<h2"}) {
    EXPECT_EQ(count(hostile, markup), count(harmless, markup)) << markup;
  }
  EXPECT_THAT(hostile, HasSubstr("&lt;/script&gt;&lt;script&gt;alert(1)"));
}

TEST(Page, ChartsAreJsonThatKeepsTheirText) {
  const std::vector<Json> charts = charts_in(to_html(page_of(kHostile)));
  ASSERT_EQ(charts.size(), 3u);
  EXPECT_EQ(charts[0]["series"][0]["label"][0], kHostile);
  EXPECT_EQ(charts[1]["categories"][0], kHostile);
  EXPECT_EQ(charts[2]["series"][0]["name"], kHostile);
}

TEST(Page, RepairsWhatHtmlCannotHold) {
  EXPECT_EQ(internal::html_text(std::string_view("a\0b\x1B[1m\xFF\tc\n", 11)),
            "a\xEF\xBF\xBD"
            "b\xEF\xBF\xBD[1m\xEF\xBF\xBD\tc\n");
  EXPECT_EQ(charts_in(to_html(page_of("\xFF"))).at(0)["series"][0]["name"], "\xEF\xBF\xBD");
}

TEST(Page, AsksTheNetworkForNothing) {
  const std::string html = to_html(page_of("x"));
  EXPECT_THAT(html, HasSubstr("Content-Security-Policy\" content=\"default-src 'none'; "));
  for (const char* loads : {" src=", "url(", "@import", "import(", "fetch(", "XMLHttpRequest",
                            "sourceMappingURL", "unsafe-inline"}) {
    EXPECT_THAT(html, Not(HasSubstr(loads)));
  }
}

TEST(Page, ItsPolicyAllowsItsOwnScriptsAndNoOther) {
  // openssl dgst -sha256 -binary | base64, of "alert(1)"
  EXPECT_EQ(internal::csp_hash("alert(1)"), "sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI=");
  const std::string html = to_html(page_of("x"));
  EXPECT_THAT(html, HasSubstr("script-src '" + internal::csp_hash(internal::kChartJs) + "' '" +
                              internal::csp_hash(internal::kPageJs) + "';"));
  for (const std::string_view script : {internal::kChartJs, internal::kPageJs}) {
    EXPECT_EQ(count(script, "</script"), 0u);
    EXPECT_EQ(count(script, "<!--"), 0u);
    EXPECT_EQ(count(html, script), 1u);
  }
  EXPECT_THAT(html, HasSubstr("Permission is hereby granted"));
}

TEST(Page, WithoutChartsHasNoScript) {
  const std::string html = to_html({"Title", "", {{"Only", {Text{"text"}}}}});
  EXPECT_THAT(html, HasSubstr("script-src 'none'"));
  EXPECT_EQ(count(html, "<script"), 0u);
  EXPECT_LT(html.size(), 12'000u);
}

TEST(Page, TheSamePageGivesTheSameBytes) {
  EXPECT_EQ(to_html(page_of(kHostile)), to_html(page_of(kHostile)));
}

TEST(Page, EveryChartHasItsNumbersBehindIt) {
  const std::string html = to_html({"t", "", {{"s", {chart_named("x")}}}});
  EXPECT_THAT(html, HasSubstr("<summary>Numbers behind this chart (1 row)</summary>"));
  EXPECT_THAT(html, HasSubstr("<tr><th scope=\"row\">x</th><td>0.25</td><td>0.5</td></tr>"));
}

}  // namespace
}  // namespace rr
