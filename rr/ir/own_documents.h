#pragma once

#include <cstddef>

#include "rr/ir/ranking.h"

namespace rr {

// Takes out of each ranking the document whose docid is the topic's qid, and returns how many there
// were. In ArguAna the topics are documents of the corpus: each finds itself and does not count.
std::size_t exclude_own_documents(Run& run);

}  // namespace rr
