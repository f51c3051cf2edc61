#pragma once

#include <cstddef>
#include <string>

#include "rr/lm/generator.h"
#include "rr/lm_remote/internal/dialect.h"
#include "rr/lm_remote/internal/guide.h"

namespace rr::internal {

// One HTTP call: path below the endpoint's address, and JSON.
struct RequestBody {
  std::string path;  // "/chat/completions" or "/completions"
  std::string json;
};

// The call that asks for the whole of a request.
RequestBody first_call(const GenerationRequest& request, const AnswerPlan& plan,
                       const std::string& model, const Dialect& dialect);

// The call that goes on from `written`, the assistant's turn so far, with the order alone. Requires
// messages, and a dialect that continues messages.
RequestBody continuing_call(const GenerationRequest& request, const AnswerPlan& plan,
                            const std::string& model, const Dialect& dialect,
                            const std::string& written);

}  // namespace rr::internal
