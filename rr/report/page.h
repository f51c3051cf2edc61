#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "rr/base/result.h"
#include "rr/report/chart.h"
#include "rr/report/table.h"

namespace rr {

// A page that a person can look at: one HTML file that needs nothing else. Build it from sections
// of text, tables and charts; `to_html` does the rest. All strings are plain text, whatever they
// hold: nothing in them becomes markup.

struct Text {
  enum class Kind {
    kParagraph,
    kNote,      // small print: how numbers were made
    kVerbatim,  // keeps its line breaks: a query, a passage, a model's thoughts
  };
  std::string text;
  Kind kind = Kind::kParagraph;
};

struct Block;

// Blocks that belong together under a heading of their own, folded or open.
struct Group {
  std::string title;
  std::vector<Block> blocks;
  bool is_open = true;
};

struct Block {
  template <typename Content>
  Block(Content block_content) : content(std::move(block_content)) {}  // NOLINT: implicit

  std::variant<Text, Table, Chart, Group> content;
};

struct Section {
  std::string title;
  std::vector<Block> blocks;
};

struct Page {
  std::string title;
  std::string subtitle;  // a line below the title; may be empty
  std::vector<Section> sections;
};

// The page as HTML5, UTF-8; the same page gives the same bytes. Charts are drawn in the browser by
// Chart.js, which is inside the page; each has its numbers as a table behind it, which is there
// without JavaScript too. The page asks the network for nothing, and its content security policy
// forbids it to. Ill-formed UTF-8 and control characters become U+FFFD.
//
// Requires charts whose series fit their categories or bins.
std::string to_html(const Page& page);

// Writes to_html(page) to the file, whole or not at all.
Status write_page(const Page& page, const std::filesystem::path& path);

}  // namespace rr
