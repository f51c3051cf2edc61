#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace rr {

// What a cell says about its number, for the eye only: its text says it too.
enum class Tone { kNone, kGood, kBad };

struct Cell {
  Cell(std::string cell_text, bool best = false)  // NOLINT: implicit
      : text(std::move(cell_text)), is_best(best) {}
  Cell(const char* cell_text) : text(cell_text) {}  // NOLINT: implicit

  std::string text;      // as it is: whoever writes it out escapes it
  bool is_best = false;  // shown bold
  Tone tone = Tone::kNone;
};

using Row = std::vector<Cell>;

// A table of results: on a terminal, in a page (page.h), in a paper.
struct Table {
  std::string title;  // of a page's table; empty: none. The other formats leave it out
  Row header;
  std::vector<Row> rows;         // each as long as the header
  std::size_t text_columns = 1;  // the first ones stand to the left, numbers to the right
};

// Marks the cells of `column` whose text is that of the highest value; values[i] belongs to row i.
// One row alone is nobody's best.
void mark_best(Table& table, std::size_t column, const std::vector<double>& values);

// Columns as wide as their widest cell, a line a row. `bold` writes a terminal's escape codes
// around the best. Wide characters count as one column.
std::string as_text(const Table& table, bool bold);

// GitHub's Markdown, the best between asterisks.
std::string as_markdown(const Table& table);

// A tabular; its rules are those of the package booktabs.
std::string as_latex(const Table& table);

}  // namespace rr
