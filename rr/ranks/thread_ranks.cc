#include "rr/ranks/thread_ranks.h"

#include <barrier>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "rr/base/check.h"

namespace rr {
namespace {

struct Sum {
  std::span<float> values;
  std::vector<float> summand;  // of one rank
};

// What the ranks share.
struct Table {
  explicit Table(std::size_t size)
      : together(static_cast<std::ptrdiff_t>(size)), sums(size), records(size) {}

  std::barrier<> together;
  std::vector<std::vector<Sum>> sums;  // of each rank
  std::vector<std::string> records;
};

class ThreadRanks final : public Ranks {
 public:
  ThreadRanks(Table& table, std::size_t rank) : table_(table), rank_(rank) {}

  std::size_t rank() const override { return rank_; }
  std::size_t size() const override { return table_.sums.size(); }

  void begin_sum(std::span<float> values) override {
    table_.sums[rank_].push_back({values, {values.begin(), values.end()}});
  }

  void finish_sums() override {
    table_.together.arrive_and_wait();
    for (std::size_t i = 0; i < table_.sums[rank_].size(); ++i) sum(i);
    table_.together.arrive_and_wait();
    table_.sums[rank_].clear();
  }

  std::vector<std::string> gather(std::string record) override {
    RR_CHECK(table_.sums[rank_].empty(), "no sum is under way");
    table_.records[rank_] = std::move(record);
    table_.together.arrive_and_wait();
    std::vector<std::string> records = table_.records;
    table_.together.arrive_and_wait();
    return records;
  }

 private:
  void sum(std::size_t i) {
    const std::span<float> values = table_.sums[rank_][i].values;
    for (std::size_t rank = 0; rank < size(); ++rank) {
      RR_CHECK(table_.sums[rank].size() == table_.sums[rank_].size(), "all ranks begin all sums");
      const std::vector<float>& summand = table_.sums[rank][i].summand;
      RR_CHECK(summand.size() == values.size(), "a sum has one length");
      for (std::size_t j = 0; j < values.size(); ++j) {
        values[j] = rank == 0 ? summand[j] : values[j] + summand[j];
      }
    }
  }

  Table& table_;
  std::size_t rank_;
};

}  // namespace

void run_thread_ranks(std::size_t size, const std::function<void(Ranks& ranks)>& task) {
  Table table(size);
  std::vector<std::thread> threads;
  for (std::size_t rank = 0; rank < size; ++rank) {
    threads.emplace_back([&table, &task, rank] {
      ThreadRanks ranks(table, rank);
      task(ranks);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace rr
