#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rr/lm/message.h"

namespace rr {

// A text that stands for `name`, as in {"{query}", "why?"}.
struct Placeholder {
  std::string_view name;  // with its braces
  std::string_view value;
};

// A conversation with places to fill in: a file of prompts/, whose README.md says how it is
// written.
class PromptTemplate {
 public:
  // prompts/<name>.txt as it was when the program was built. Requires that there is one.
  static PromptTemplate named(std::string_view name);

  // Requires a text that begins with a turn's mark and ends with a line end.
  explicit PromptTemplate(std::string_view text);

  // The conversation about `passages`, which get the identifiers [1], [2], ... {num}, {passages},
  // {named_passages}, {i} and {passage} follow from them; `values` are the other placeholders. What
  // is put in is never searched for placeholders; a placeholder that nobody fills stays.
  Messages fill(std::span<const Placeholder> values,
                std::span<const std::string_view> passages) const;

 private:
  struct Turn {
    Role role;
    bool for_each_passage;
    std::string text;
  };
  std::vector<Turn> turns_;
};

}  // namespace rr
