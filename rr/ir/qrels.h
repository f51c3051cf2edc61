#pragma once

#include <unordered_map>

#include "rr/ir/ids.h"

namespace rr {

// Grades of one topic's judged documents. A grade above 0 is relevant; a document that is not here
// is unjudged.
using TopicQrels = std::unordered_map<Docid, int>;

using Qrels = std::unordered_map<Qid, TopicQrels>;

}  // namespace rr
