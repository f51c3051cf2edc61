#pragma once

#include <cstdio>
#include <string>

#include "rr/base/clock.h"

namespace rr {

// One line on a terminal that says how far a long job is: "reranking  12/43 topics  0:31, 1:20
// left". Silent where the stream is no terminal, and for jobs of under two seconds. Not
// thread-safe.
class Progress {
 public:
  // total 0: unknown, the count alone is shown. `stream` must outlive the object.
  Progress(std::string what, std::size_t total, std::string unit, std::FILE* stream = stderr);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `detail` is put at the end of the line. Draws at most ten times a second.
  void update(std::size_t done, const std::string& detail = "");

  // Takes the line away; the destructor does so too. Call it before anything else is written to the
  // stream.
  void clear();

 private:
  std::string what_;
  std::size_t total_;
  std::string unit_;
  std::FILE* stream_;
  bool is_terminal_;
  bool drawn_ = false;
  Clock::time_point start_ = Clock::now();
  Clock::time_point last_draw_{};
};

// The line itself, for `elapsed_s` seconds gone: "what  done/total unit  m:ss, m:ss left  detail".
std::string progress_line(const std::string& what, std::size_t done, std::size_t total,
                          const std::string& unit, double elapsed_s, const std::string& detail);

}  // namespace rr
