#include "apps/reasonrank/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdio>

namespace rr {

std::size_t terminal_width() {
  winsize size{};
  const bool known = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 40;
  return known ? size.ws_col : 100;
}

Status write_to_stdout(const std::string& text) {
  const bool is_written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size();
  if (is_written && std::fflush(stdout) == 0) return ok_status();
  return Error{Errc::kUnavailable, "the result cannot be written; is the disk full?",
               "standard output"};
}

}  // namespace rr
