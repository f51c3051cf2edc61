#include "rr/report/table.h"

#include <gtest/gtest.h>

namespace rr {
namespace {

Table two_runs() {
  Table table;
  table.header = {"run", "nDCG@10"};
  table.rows = {{"bm25_é", "0.5058"}, {"a|b", "0.7210"}};
  mark_best(table, 1, {0.5058, 0.7210});
  return table;
}

TEST(Table, LinesUpItsColumnsOnATerminal) {
  EXPECT_EQ(as_text(two_runs(), false),
            "run     nDCG@10\n"
            "bm25_é   0.5058\n"
            "a|b      0.7210\n");
  EXPECT_EQ(as_text(two_runs(), true),
            "run     nDCG@10\n"
            "bm25_é   0.5058\n"
            "a|b      \x1b[1m0.7210\x1b[0m\n");
}

TEST(Table, EscapesWhatMarkdownAndLatexWouldRead) {
  EXPECT_EQ(as_markdown(two_runs()),
            "| run | nDCG@10 |\n|---|---:|\n| bm25\\_é | 0.5058 |\n| a\\|b | **0.7210** |\n");
  EXPECT_EQ(as_latex(two_runs()),
            "\\begin{tabular}{lr}\n\\toprule\nrun & nDCG@10 \\\\\n\\midrule\n"
            "bm25\\_é & 0.5058 \\\\\na|b & \\textbf{0.7210} \\\\\n\\bottomrule\n\\end{tabular}\n");
}

TEST(Table, OneRowIsNobodysBestAndEqualOnesAreAll) {
  Table one;
  one.rows = {{"a", "0.5000"}};
  mark_best(one, 1, {0.5});
  EXPECT_FALSE(one.rows[0][1].is_best);
  Table equal;
  equal.rows = {{"a", "0.5000"}, {"b", "0.5000"}};
  mark_best(equal, 1, {0.50001, 0.50002});
  EXPECT_TRUE(equal.rows[0][1].is_best);
  EXPECT_TRUE(equal.rows[1][1].is_best);
}

}  // namespace
}  // namespace rr
