#include "rr/base/progress.h"

#include <fmt/core.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace rr {
namespace {

constexpr double kQuietSeconds = 2.0;
constexpr double kRedrawSeconds = 0.1;

std::string minutes(double seconds) {
  const auto whole = static_cast<long long>(seconds + 0.5);
  if (whole < 3600) return fmt::format("{}:{:02}", whole / 60, whole % 60);
  return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

// A line longer than the terminal would wrap and could not be taken away again.
std::size_t columns_of(std::FILE* stream) {
  winsize size{};
  if (::ioctl(::fileno(stream), TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

}  // namespace

std::string progress_line(const std::string& what, std::size_t done, std::size_t total,
                          const std::string& unit, double elapsed_s, const std::string& detail) {
  std::string line = fmt::format("{}  {}", what, done);
  if (total > 0) line += fmt::format("/{}", total);
  line += fmt::format(" {}  {}", unit, minutes(elapsed_s));
  if (total > done && done > 0) {
    const double left_s = elapsed_s * static_cast<double>(total - done) / static_cast<double>(done);
    line += fmt::format(", {} left", minutes(left_s));
  }
  if (!detail.empty()) line += "  " + detail;
  return line;
}

Progress::Progress(std::string what, std::size_t total, std::string unit, std::FILE* stream)
    : what_(std::move(what)),
      total_(total),
      unit_(std::move(unit)),
      stream_(stream),
      is_terminal_(::isatty(::fileno(stream)) != 0) {}

Progress::~Progress() { clear(); }

void Progress::update(std::size_t done, const std::string& detail) {
  if (!is_terminal_) return;
  const Clock::time_point now = Clock::now();
  const double elapsed_s = std::chrono::duration<double>(now - start_).count();
  const double since_draw_s = std::chrono::duration<double>(now - last_draw_).count();
  if (elapsed_s < kQuietSeconds || (drawn_ && since_draw_s < kRedrawSeconds)) return;
  last_draw_ = now;
  drawn_ = true;
  std::string line = progress_line(what_, done, total_, unit_, elapsed_s, detail);
  line.resize(std::min(line.size(), columns_of(stream_) - 1));
  fmt::print(stream_, "\r{}\x1b[K", line);
  std::fflush(stream_);
}

void Progress::clear() {
  if (!drawn_) return;
  fmt::print(stream_, "\r\x1b[K");
  std::fflush(stream_);
  drawn_ = false;
}

}  // namespace rr
