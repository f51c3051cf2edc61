#pragma once

#include <string>

#include "rr/ir/ids.h"

namespace rr {

struct Passage {
  Docid docid;
  std::string title;  // valid UTF-8; empty: has none
  std::string text;   // valid UTF-8; may be empty
};

}  // namespace rr
