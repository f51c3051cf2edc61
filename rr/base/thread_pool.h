#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace rr {

// Threads that sleep between jobs: a spinning team starves as soon as its cores are shared.
// One job runs at a time; the calling thread works on it too.
class ThreadPool {
 public:
  // num_threads counts the caller: 1 starts no thread. Requires num_threads >= 1.
  explicit ThreadPool(std::size_t num_threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  std::size_t num_threads() const { return workers_.size() + 1; }

  // Calls task(part) once for each part of 0..num_parts-1 and returns when all are done. Threads
  // take parts as they come free, so which thread runs a part is not fixed: a part must not depend
  // on it. Tasks must not throw, and must not call run() of the same pool. Calls from several
  // threads wait for one another.
  void run(std::size_t num_parts, const std::function<void(std::size_t part)>& task);

 private:
  void work();
  bool take_part(std::size_t& part, std::unique_lock<std::mutex>& lock);

  std::mutex caller_mutex_;  // one run() at a time
  std::mutex mutex_;         // guards what follows
  std::condition_variable wake_;
  std::condition_variable done_;
  const std::function<void(std::size_t)>* task_ = nullptr;
  std::size_t num_parts_ = 0;
  std::size_t next_part_ = 0;
  std::size_t unfinished_ = 0;
  bool stopping_ = false;
  std::vector<std::thread> workers_;
};

}  // namespace rr
