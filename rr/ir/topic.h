#pragma once

#include <string>
#include <vector>

#include "rr/ir/ids.h"

namespace rr {

// What somebody wants to know.
struct Topic {
  Qid qid;
  std::string query;            // valid UTF-8; not empty
  std::vector<Docid> excluded;  // documents that may not be in its ranking (BRIGHT's excluded_ids)
};

}  // namespace rr
