#pragma once

#include <string>
#include <string_view>

#include "rr/base/result.h"
#include "rr/lm/generator.h"

namespace rr::internal {

// A completion as one line of JSON (docs/formats/answers.md), and back. What a completion
// took to read and write is kept, so that what is written of it is the same when it is read from
// the cache; how long it waited is not. A log-probability that is not known is null.
std::string completion_to_json(const Completion& completion);
Result<Completion> completion_from_json(std::string_view json);

}  // namespace rr::internal
