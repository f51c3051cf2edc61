#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>

#include "rr/base/thread_pool.h"

namespace rr::internal {

// The pool's threads on one job of many short steps. A forward pass has six steps a layer, each of
// some tens of microseconds: waking sleeping threads for each would cost as much as the work. Here
// every thread stays in the job, and between steps waits a little awake and then asleep, so that a
// core which is shared with other programs is given up.
//
// A step ends when its parts are done, not when every thread has come to it: a thread that the
// system keeps from running is waited for only while it holds a part. It finds the steps it missed
// done, and goes on where the others are.
class Team {
 public:
  explicit Team(ThreadPool& pool) : pool_(pool) {}

  std::size_t size() const { return pool_.num_threads(); }

  // What one thread of the team sees.
  class Member {
   public:
    Member(Team& team, std::size_t index) : team_(team), index_(index) {}

    std::size_t index() const { return index_; }  // 0 .. size() - 1

    // One step. All members come here in the same order with the same num_parts, sooner or later:
    // task(part) is called once for each part, by whoever is free, and this returns when all parts
    // are done. Before a member's first part of the step, and only if it gets one, it calls
    // prepare() for what it needs of its own.
    //
    // What happens outside of prepare() and task() may happen while others are any number of steps
    // further on: it must not read what steps write.
    template <typename Prepare, typename Task>
    void for_parts(std::size_t num_parts, const Prepare& prepare, const Task& task) {
      if (num_parts == 0) return;
      const std::uint32_t step = step_++;
      bool is_prepared = false;
      for (std::size_t part = 0; team_.take_part(step, num_parts, part);) {
        if (!is_prepared) prepare();
        is_prepared = true;
        task(part);
        team_.end_part(step, num_parts);
      }
      team_.wait_for_end(step);
    }

    template <typename Task>
    void for_parts(std::size_t num_parts, const Task& task) {
      for_parts(
          num_parts, [] {}, task);
    }

   private:
    Team& team_;
    std::size_t index_;
    std::uint32_t step_ = 0;  // the next one
  };

  // Calls body once on every thread. oneDNN calls inside body stay on their thread. body must not
  // throw.
  void run(const std::function<void(Member&)>& body);

 private:
  bool take_part(std::uint32_t step, std::size_t num_parts, std::size_t& part);
  void end_part(std::uint32_t step, std::size_t num_parts);
  void wait_for_end(std::uint32_t step);

  ThreadPool& pool_;
  std::atomic<std::uint64_t> next_ = 0;  // the step that runs << 32 | its next part
  std::atomic<std::size_t> num_ended_ = 0;
  std::atomic<std::uint32_t> running_ = 0;  // the step that runs, again: to sleep on
};

}  // namespace rr::internal
