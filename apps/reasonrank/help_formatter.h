#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace rr {

// Help as people read it: what an option takes is a word ("N", "NUMBER", "TEXT") or its choices
// ("{keep,drop}"), and its default stands behind it; ranges are for error messages.
class HelpFormatter : public CLI::Formatter {
 public:
  std::string make_option_opts(const CLI::Option* option) const override;
};

}  // namespace rr
