#include "rr/base/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <vector>

namespace rr {
namespace {

TEST(ThreadPool, RunsEveryPartOnce) {
  for (const std::size_t num_threads : {1u, 2u, 5u}) {
    ThreadPool pool(num_threads);
    for (std::size_t num_parts = 0; num_parts < 50; ++num_parts) {
      std::vector<std::atomic<int>> calls(num_parts);
      pool.run(num_parts, [&](std::size_t part) { ++calls[part]; });
      for (const std::atomic<int>& count : calls) EXPECT_EQ(count.load(), 1);
    }
  }
}

TEST(ThreadPool, ServesSeveralCallers) {
  ThreadPool pool(3);
  std::atomic<int> total = 0;
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&] {
      for (int i = 0; i < 200; ++i) pool.run(7, [&](std::size_t) { ++total; });
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(total.load(), 4 * 200 * 7);
}

}  // namespace
}  // namespace rr
