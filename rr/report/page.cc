#include "rr/report/page.h"

#include <fmt/format.h>  // core.h's format_to does not link with clang and Debian's library

#include <iterator>
#include <string_view>
#include <utility>

#include "rr/base/atomic_file.h"
#include "rr/report/internal/assets.h"
#include "rr/report/internal/chart_json.h"
#include "rr/report/internal/html.h"

namespace rr {
namespace {

using internal::html_text;

// Appends a page's parts to one string.
class HtmlWriter {
 public:
  std::string write(const Page& page);

 private:
  void add(const Section& section, std::size_t number);
  void add(const std::vector<Block>& blocks);
  void add(const Text& text);
  void add(const Table& table);
  void add(const Chart& chart);
  void add(const Group& group);
  void add_head(const Page& page, std::string_view scripts_allowed);
  void add_links(const Page& page);
  void add_row(const Row& row, std::size_t text_columns);
  void add_scripts();

  template <typename... Values>
  void print(fmt::format_string<Values...> format, Values&&... values) {
    fmt::format_to(std::back_inserter(html_), format, std::forward<Values>(values)...);
  }

  std::string html_;
  bool has_charts_ = false;
};

void HtmlWriter::add(const Text& text) {
  const char* kind = text.kind == Text::Kind::kNote ? " class=\"note\"" : "";
  if (text.kind == Text::Kind::kVerbatim) kind = " class=\"verbatim\"";
  print("<p{}>{}</p>\n", kind, html_text(text.text));
}

const char* class_of(Tone tone) {
  if (tone == Tone::kNone) return "";
  return tone == Tone::kGood ? " class=\"good\"" : " class=\"bad\"";
}

void HtmlWriter::add_row(const Row& row, std::size_t text_columns) {
  html_ += "<tr>";
  for (std::size_t i = 0; i < row.size(); ++i) {
    const Cell& cell = row[i];
    std::string text = html_text(cell.text);
    if (cell.is_best) text = "<b>" + text + "</b>";
    if (i == 0 && text_columns > 0) {
      print("<th scope=\"row\">{}</th>", text);
    } else if (i < text_columns) {
      print("<td class=\"t\">{}</td>", text);
    } else {
      print("<td{}>{}</td>", class_of(cell.tone), text);
    }
  }
  html_ += "</tr>\n";
}

void HtmlWriter::add(const Table& table) {
  const std::string title = html_text(table.title);
  print("<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"{}\">\n<table>\n",
        title.empty() ? "Table" : title);
  if (!title.empty()) print("<caption>{}</caption>\n", title);
  html_ += "<thead><tr>";
  for (std::size_t i = 0; i < table.header.size(); ++i) {
    print("<th scope=\"col\"{}>{}</th>", i < table.text_columns ? " class=\"t\"" : "",
          html_text(table.header[i].text));
  }
  html_ += "</tr></thead>\n<tbody>\n";
  for (const Row& row : table.rows) add_row(row, table.text_columns);
  html_ += "</tbody>\n</table>\n</div>\n";
}

void HtmlWriter::add(const Chart& chart) {
  has_charts_ = true;
  const std::string title = html_text(chart.title);
  const std::string description = html_text(chart.description);
  print("<figure>\n<figcaption><strong>{}</strong> {}</figcaption>\n", title, description);
  print("<div class=\"plot\"><canvas role=\"img\" aria-label=\"{}. {}\"></canvas></div>\n", title,
        description);
  print("<script type=\"application/json\">{}</script>\n",
        internal::json_in_html(internal::chart_to_json(chart)));
  const Table table = data_table(chart);
  print("<details class=\"data\"><summary>Numbers behind this chart ({} row{})</summary>\n",
        table.rows.size(), table.rows.size() == 1 ? "" : "s");
  add(table);
  html_ += "</details>\n</figure>\n";
}

void HtmlWriter::add(const Group& group) {
  print("<details class=\"group\"{}><summary>{}</summary>\n", group.is_open ? " open" : "",
        html_text(group.title));
  add(group.blocks);
  html_ += "</details>\n";
}

void HtmlWriter::add(const std::vector<Block>& blocks) {
  for (const Block& block : blocks) {
    std::visit([this](const auto& content) { add(content); }, block.content);
  }
}

void HtmlWriter::add(const Section& section, std::size_t number) {
  print("<section id=\"s{0}\" aria-labelledby=\"h{0}\">\n<h2 id=\"h{0}\">{1}</h2>\n", number,
        html_text(section.title));
  add(section.blocks);
  html_ += "</section>\n";
}

void HtmlWriter::add_head(const Page& page, std::string_view scripts_allowed) {
  const std::string title = html_text(page.title);
  print(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
      "style-src '{}'; script-src {}; img-src data:; base-uri 'none'; form-action 'none'\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta name=\"color-scheme\" content=\"light dark\">\n"
      "<title>{}</title>\n<link rel=\"icon\" "
      "href=\"data:,\">\n<style>{}</style>\n</head>\n<body>\n",
      internal::csp_hash(internal::kPageCss), scripts_allowed, title, internal::kPageCss);
  print("<header>\n<h1>{}</h1>\n", title);
  if (!page.subtitle.empty()) print("<p>{}</p>\n", html_text(page.subtitle));
  html_ += "</header>\n";
}

void HtmlWriter::add_links(const Page& page) {
  if (page.sections.size() < 2) return;
  html_ += "<nav aria-label=\"Sections\">\n<ul>\n";
  for (std::size_t i = 0; i < page.sections.size(); ++i) {
    print("<li><a href=\"#s{}\">{}</a></li>\n", i + 1, html_text(page.sections[i].title));
  }
  html_ += "</ul>\n</nav>\n";
}

void HtmlWriter::add_scripts() {
  print(
      "<footer>Charts are drawn by Chart.js (MIT licence, whole in this file).</footer>\n"
      "<!--\n{}-->\n<script>{}</script>\n<script>{}</script>\n",
      internal::kChartJsLicence, internal::kChartJs, internal::kPageJs);
}

std::string HtmlWriter::write(const Page& page) {
  // Whether there are charts, and so scripts, is known only after the body.
  html_ += "<main>\n";
  for (std::size_t i = 0; i < page.sections.size(); ++i) add(page.sections[i], i + 1);
  html_ += "</main>\n";
  if (has_charts_) add_scripts();
  html_ += "</body>\n</html>\n";
  const std::string body = std::exchange(html_, {});
  add_head(page, has_charts_ ? fmt::format("'{}' '{}'", internal::csp_hash(internal::kChartJs),
                                           internal::csp_hash(internal::kPageJs))
                             : "'none'");
  add_links(page);
  html_ += body;
  return std::move(html_);
}

}  // namespace

std::string to_html(const Page& page) { return HtmlWriter().write(page); }

Status write_page(const Page& page, const std::filesystem::path& path) {
  return write_file(path, to_html(page));
}

}  // namespace rr
