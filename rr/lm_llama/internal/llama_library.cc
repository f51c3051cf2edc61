#include "rr/lm_llama/internal/llama_library.h"

#include <ggml-backend.h>

#include <string_view>
#include <utility>

namespace rr::internal {
namespace {

// llama.cpp has one log for the process, so what hears it is one as well.
std::mutex complaint_mutex;
std::string complaint;           // whole lines
bool is_complaint_open = false;  // its line goes on

void hear(ggml_log_level level, const char* text, void*) {
  const std::lock_guard lock(complaint_mutex);
  const bool goes_on = level == GGML_LOG_LEVEL_CONT && is_complaint_open;
  if (level != GGML_LOG_LEVEL_ERROR && !goes_on) {
    is_complaint_open = false;
    return;
  }
  if (!goes_on) complaint.clear();
  complaint += text;
  is_complaint_open = !complaint.ends_with('\n');
}

}  // namespace

void start_llama_library() {
  static std::once_flag once;
  std::call_once(once, [] {
    llama_log_set(hear, nullptr);
    ggml_backend_load_all();
    llama_backend_init();
  });
}

std::string take_llama_complaint() {
  const std::lock_guard lock(complaint_mutex);
  while (complaint.ends_with('\n')) complaint.pop_back();
  is_complaint_open = false;
  return std::exchange(complaint, {});
}

}  // namespace rr::internal
