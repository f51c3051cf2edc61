#pragma once

#include <string_view>

namespace rr::internal {

[[noreturn]] void check_failed(const char* condition, std::string_view message, const char* file,
                               int line);

}  // namespace rr::internal

// Aborts when `condition` is false, in release builds too: for bugs, never for input. The message
// says what the caller owed.
#define RR_CHECK(condition, message)                                         \
  do {                                                                       \
    if (!(condition)) [[unlikely]]                                           \
      ::rr::internal::check_failed(#condition, message, __FILE__, __LINE__); \
  } while (false)
