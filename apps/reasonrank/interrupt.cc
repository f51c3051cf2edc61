#include "apps/reasonrank/interrupt.h"

#include <pthread.h>

#include <chrono>
#include <csignal>
#include <thread>

#include "rr/base/check.h"

namespace rr {
namespace {

// Signals so close are one: `timeout` and `mpirun` send theirs to the process and to its group.
constexpr auto kOneInterrupt = std::chrono::milliseconds(500);

std::atomic<bool> is_watching = false;
std::atomic<bool> is_kept = false;  // the first only sets the flag
std::atomic<bool> interrupted = false;

void watch(const sigset_t& signals) {
  while (true) {
    int signal = 0;
    ::sigwait(&signals, &signal);
    if (is_kept && !interrupted.exchange(true)) {
      std::this_thread::sleep_for(kOneInterrupt);
      constexpr timespec kAtOnce{};
      while (::sigtimedwait(&signals, nullptr, &kAtOnce) > 0) {
      }
      continue;
    }
    if (interrupted) std::signal(signal, SIG_DFL);
    ::pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
    std::raise(signal);                               // on this thread
    ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // still here: whoever started us ignores it
  }
}

}  // namespace

void watch_for_interrupts() {
  if (is_watching.exchange(true)) return;
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGUSR1);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // threads inherit it
  std::thread([signals] { watch(signals); }).detach();
}

const std::atomic<bool>& stop_on_interrupt() {
  RR_CHECK(is_watching, "watch_for_interrupts() before the first thread");
  is_kept = true;
  return interrupted;
}

}  // namespace rr
