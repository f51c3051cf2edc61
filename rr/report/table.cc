#include "rr/report/table.h"

#include <algorithm>
#include <string_view>

namespace rr {
namespace {

// Characters, not bytes.
std::size_t columns_of(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
  }));
}

std::string text_row(const Row& row, const std::vector<std::size_t>& widths,
                     std::size_t text_columns, bool bold) {
  std::string line;
  for (std::size_t i = 0; i < row.size(); ++i) {
    const std::string padding(widths[i] - columns_of(row[i].text), ' ');
    const bool is_bold = bold && row[i].is_best;
    const std::string text = is_bold ? "\x1b[1m" + row[i].text + "\x1b[0m" : row[i].text;
    if (i > 0) line += "  ";
    line += i < text_columns ? text + padding : padding + text;
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line + '\n';
}

// `text` with `escaped(c)` for each of its characters that is in `special`.
template <typename Escaped>
std::string escape(std::string_view text, std::string_view special, const Escaped& escaped) {
  std::string result;
  for (const char c : text) {
    if (special.find(c) == std::string_view::npos) {
      result += c;
    } else {
      result += escaped(c);
    }
  }
  return result;
}

std::string markdown_row(const Row& row) {
  std::string line = "|";
  for (const Cell& cell : row) {
    const std::string text =
        escape(cell.text, "|\\`*_<[", [](char c) { return std::string("\\") + c; });
    line += cell.is_best ? " **" + text + "** |" : " " + text + " |";
  }
  return line + '\n';
}

std::string latex_character(char c) {
  if (c == '\\') return "\\textbackslash{}";
  if (c == '~') return "\\textasciitilde{}";
  if (c == '^') return "\\textasciicircum{}";
  return std::string("\\") + c;
}

std::string latex_row(const Row& row) {
  std::string line;
  for (const Cell& cell : row) {
    const std::string text = escape(cell.text, "&%$#_{}\\~^", latex_character);
    if (!line.empty()) line += " & ";
    line += cell.is_best ? "\\textbf{" + text + "}" : text;
  }
  return line + " \\\\\n";
}

}  // namespace

void mark_best(Table& table, std::size_t column, const std::vector<double>& values) {
  if (values.size() < 2) return;
  const auto best = std::max_element(values.begin(), values.end()) - values.begin();
  const std::string text = table.rows[static_cast<std::size_t>(best)][column].text;
  for (Row& row : table.rows) row[column].is_best = row[column].text == text;
}

std::string as_text(const Table& table, bool bold) {
  std::vector<std::size_t> widths(table.header.size(), 0);
  const auto widen = [&widths](const Row& row) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], columns_of(row[i].text));
    }
  };
  widen(table.header);
  for (const Row& row : table.rows) widen(row);
  std::string text = text_row(table.header, widths, table.text_columns, false);
  for (const Row& row : table.rows) text += text_row(row, widths, table.text_columns, bold);
  return text;
}

std::string as_markdown(const Table& table) {
  std::string text = markdown_row(table.header) + "|";
  for (std::size_t i = 0; i < table.header.size(); ++i) {
    text += i < table.text_columns ? "---|" : "---:|";
  }
  text += '\n';
  for (const Row& row : table.rows) text += markdown_row(row);
  return text;
}

std::string as_latex(const Table& table) {
  const std::string columns = std::string(table.text_columns, 'l') +
                              std::string(table.header.size() - table.text_columns, 'r');
  std::string text =
      "\\begin{tabular}{" + columns + "}\n\\toprule\n" + latex_row(table.header) + "\\midrule\n";
  for (const Row& row : table.rows) text += latex_row(row);
  return text + "\\bottomrule\n\\end{tabular}\n";
}

}  // namespace rr
