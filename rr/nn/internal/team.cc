#include "rr/nn/internal/team.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

// Of libgomp, which oneDNN runs on; clang comes without its header.
extern "C" {
void omp_set_num_threads(int num_threads);
int omp_get_max_threads();
}

namespace rr::internal {
namespace {

// Leaves the core to its other thread, or saves its power, for some cycles.
void pause_core() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("isb");
#endif
}

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
  next_ = 0;
  running_ = 0;
  // A part is one member's way through all steps. A thread that comes when the steps are done goes
  // through them at once, so whoever takes the last part waits for nobody.
  pool_.run(size(), [&](std::size_t part) {
    const SingleThreadedOpenMp single_threaded;
    Member member(*this, part);
    body(member);
  });
}

// False: none is left, or the step is over.
bool Team::take_part(std::uint32_t step, std::size_t num_parts, std::size_t& part) {
  std::uint64_t next = next_.load(std::memory_order_acquire);
  do {
    part = next & 0xffffffffu;
    if (next >> 32 != step || part == num_parts) return false;
  } while (!next_.compare_exchange_weak(next, next + 1, std::memory_order_acquire));
  return true;
}

void Team::end_part(std::uint32_t step, std::size_t num_parts) {
  if (num_ended_.fetch_add(1, std::memory_order_acq_rel) + 1 < num_parts) return;
  // Nobody else is inside the step: the next one may begin.
  num_ended_.store(0, std::memory_order_relaxed);
  next_.store(std::uint64_t{step + 1} << 32, std::memory_order_release);
  running_.store(step + 1, std::memory_order_release);
  running_.notify_all();
}

void Team::wait_for_end(std::uint32_t step) {
  constexpr int kPausesAwake = 500;  // some 20 to 30 microseconds
  for (int i = 0; i < kPausesAwake; ++i) {
    if (running_.load(std::memory_order_acquire) > step) return;
    pause_core();
  }
  for (std::uint32_t seen = 0; (seen = running_.load(std::memory_order_acquire)) <= step;) {
    running_.wait(seen, std::memory_order_acquire);
  }
}

}  // namespace rr::internal
