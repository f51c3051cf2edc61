#include "rr/base/thread_pool.h"

#include "rr/base/check.h"

namespace rr {

ThreadPool::ThreadPool(std::size_t num_threads) {
  RR_CHECK(num_threads >= 1, "a pool needs a thread");
  workers_.reserve(num_threads - 1);
  for (std::size_t i = 1; i < num_threads; ++i) workers_.emplace_back([this] { work(); });
}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::run(std::size_t num_parts, const std::function<void(std::size_t)>& task) {
  if (num_parts == 0) return;
  if (workers_.empty() || num_parts == 1) {
    for (std::size_t part = 0; part < num_parts; ++part) task(part);
    return;
  }
  const std::lock_guard only_caller(caller_mutex_);
  std::unique_lock lock(mutex_);
  task_ = &task;
  num_parts_ = num_parts;
  next_part_ = 0;
  unfinished_ = num_parts;
  wake_.notify_all();
  for (std::size_t part = 0; take_part(part, lock);) {
  }
  done_.wait(lock, [this] { return unfinished_ == 0; });
  task_ = nullptr;
}

// Runs one part without the lock; false when none is left.
bool ThreadPool::take_part(std::size_t& part, std::unique_lock<std::mutex>& lock) {
  if (task_ == nullptr || next_part_ == num_parts_) return false;
  part = next_part_++;
  const std::function<void(std::size_t)>& task = *task_;
  lock.unlock();
  task(part);
  lock.lock();
  if (--unfinished_ == 0) done_.notify_one();
  return true;
}

void ThreadPool::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || (task_ != nullptr && next_part_ < num_parts_); });
    if (stopping_) return;
    for (std::size_t part = 0; take_part(part, lock);) {
    }
  }
}

}  // namespace rr
