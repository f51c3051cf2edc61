#include "rr/nn/internal/team.h"

#include <immintrin.h>

// Of libgomp, which oneDNN runs on; clang comes without its header.
extern "C" {
void omp_set_num_threads(int num_threads);
int omp_get_max_threads();
}

namespace rr::internal {
namespace {

// oneDNN of Debian runs on OpenMP: a team of one for the calling thread, and the old size after.
class SingleThreadedOpenMp {
 public:
  SingleThreadedOpenMp() : old_threads_(omp_get_max_threads()) { omp_set_num_threads(1); }
  ~SingleThreadedOpenMp() { omp_set_num_threads(old_threads_); }
  SingleThreadedOpenMp(const SingleThreadedOpenMp&) = delete;
  SingleThreadedOpenMp& operator=(const SingleThreadedOpenMp&) = delete;

 private:
  int old_threads_;
};

}  // namespace

void Team::run(const std::function<void(Member&)>& body) {
  next_part_ = 0;
  arrived_ = 0;
  // As many parts as threads, and no part ends before all have begun to meet in wait_for_all():
  // each thread gets one.
  pool_.run(size(), [&](std::size_t part) {
    const SingleThreadedOpenMp single_threaded;
    Member member(*this, part);
    body(member);
  });
}

void Team::wait_for_all() {
  constexpr int kPausesAwake = 500;  // some 20 to 30 microseconds
  const unsigned round = round_.load(std::memory_order_acquire);
  if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == size()) {
    arrived_.store(0, std::memory_order_relaxed);
    next_part_.store(0, std::memory_order_relaxed);
    round_.store(round + 1, std::memory_order_release);
    round_.notify_all();
    return;
  }
  for (int i = 0; i < kPausesAwake; ++i) {
    if (round_.load(std::memory_order_acquire) != round) return;
    _mm_pause();
  }
  round_.wait(round, std::memory_order_acquire);
}

}  // namespace rr::internal
