#pragma once

#include <llama.h>

#include <memory>
#include <mutex>
#include <string>

// llama.cpp's objects as C++ has them.

namespace rr::internal {

struct FreeLlama {
  void operator()(llama_model* model) const { llama_model_free(model); }
  void operator()(llama_context* context) const { llama_free(context); }
};
using LlamaModelPtr = std::unique_ptr<llama_model, FreeLlama>;
using LlamaContextPtr = std::unique_ptr<llama_context, FreeLlama>;

// Makes the library ready, once in a process: its backends loaded, and silent.
void start_llama_library();

// The first thing that the library complained of, without its line break; empty: nothing since the
// call before. Of the whole process: llama.cpp has one log.
std::string take_llama_complaint();

}  // namespace rr::internal
