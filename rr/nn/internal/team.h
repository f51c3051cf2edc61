#pragma once

#include <atomic>
#include <cstddef>
#include <functional>

#include "rr/base/thread_pool.h"

namespace rr::internal {

// The pool's threads on one job of many short steps. A forward pass has five steps a layer, each of
// some tens of microseconds: waking sleeping threads for each would cost as much as the work. Here
// every thread stays in the job, and between steps waits a few microseconds awake and then asleep,
// so that a core which is shared with other programs is given up.
class Team {
 public:
  explicit Team(ThreadPool& pool) : pool_(pool) {}

  std::size_t size() const { return pool_.num_threads(); }

  // What one thread of the team sees.
  class Member {
   public:
    Member(Team& team, std::size_t index) : team_(team), index_(index) {}

    std::size_t index() const { return index_; }  // 0 .. size() - 1

    // All members must come here with the same num_parts: calls task(part) once for each part over
    // the whole team, as members come free, and goes on when all parts are done.
    template <typename Task>
    void for_parts(std::size_t num_parts, const Task& task) {
      for (;;) {
        const std::size_t part = team_.next_part_.fetch_add(1, std::memory_order_relaxed);
        if (part >= num_parts) break;
        task(part);
      }
      team_.wait_for_all();
    }

   private:
    Team& team_;
    std::size_t index_;
  };

  // Calls body once on every thread at the same time. oneDNN calls inside body stay on their
  // thread. body must not throw.
  void run(const std::function<void(Member&)>& body);

 private:
  void wait_for_all();

  ThreadPool& pool_;
  std::atomic<std::size_t> next_part_ = 0;
  std::atomic<std::size_t> arrived_ = 0;
  std::atomic<unsigned> round_ = 0;
};

}  // namespace rr::internal
