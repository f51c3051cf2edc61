#include "rr/lm_llama/internal/llama_library.h"

#include <ggml-backend.h>

#include <string_view>
#include <utility>

namespace rr::internal {
namespace {

// llama.cpp has one log for the process, so what hears it is one as well. Of several complaints the
// first says what went wrong.
std::mutex complaint_mutex;
std::string complaint;
bool is_whole = false;  // with its line break

void hear(ggml_log_level level, const char* text, void*) {
  const std::lock_guard lock(complaint_mutex);
  if (is_whole) return;
  const bool goes_on = level == GGML_LOG_LEVEL_CONT && !complaint.empty();
  if (level != GGML_LOG_LEVEL_ERROR && !goes_on) return;
  complaint += text;
  is_whole = complaint.ends_with('\n');
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
  is_whole = false;
  return std::exchange(complaint, {});
}

}  // namespace rr::internal
