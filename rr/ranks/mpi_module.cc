#include <mpi.h>

#include <algorithm>
#include <chrono>
#include <climits>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <numeric>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "rr/base/check.h"
#include "rr/ranks/ranks.h"

// The one file that knows MPI: a library of its own, which join_ranks() loads where mpirun started
// the process. MPI's own errors need no look: its default handler ends all ranks with a message.

namespace rr {
namespace {

constexpr auto kBetweenLooks = std::chrono::microseconds(50);

int count_of(std::size_t size) {
  RR_CHECK(size <= INT_MAX, "MPI counts with int");
  return static_cast<int>(size);
}

// The thread that talks to MPI, and what it is asked to do.
class MpiThread {
 public:
  // Starts something that MPI does by and by.
  using Start = std::function<void(MPI_Request* request)>;

  MpiThread() : thread_([this] { work(); }) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return size_ > 0; });
  }

  ~MpiThread() {
    {
      const std::lock_guard lock(mutex_);
      is_ending_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  MpiThread(const MpiThread&) = delete;
  MpiThread& operator=(const MpiThread&) = delete;

  std::size_t rank() const { return rank_; }
  std::size_t size() const { return size_; }

  void begin(Start start) {
    {
      const std::lock_guard lock(mutex_);
      waiting_.push_back(std::move(start));
      ++num_unfinished_;
    }
    changed_.notify_all();
  }

  void finish() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return num_unfinished_ == 0; });
  }

 private:
  void work() {
    join();
    std::vector<MPI_Request> running;
    while (start_what_waits(running)) {
      const std::size_t num_done = look(running);
      if (num_done == 0) {
        std::this_thread::sleep_for(kBetweenLooks);
      } else {
        note_done(num_done);
      }
    }
    MPI_Finalize();
  }

  void join() {
    int provided = 0;
    MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided);
    int rank = 0;
    int size = 0;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    MPI_Comm_size(MPI_COMM_WORLD, &size);
    const std::lock_guard lock(mutex_);
    rank_ = static_cast<std::size_t>(rank);
    size_ = static_cast<std::size_t>(size);
    changed_.notify_all();
  }

  // In the order of asking, which is the same on all ranks. Waits where nothing is running; false
  // at the end.
  bool start_what_waits(std::vector<MPI_Request>& running) {
    std::deque<Start> starts;
    {
      std::unique_lock lock(mutex_);
      if (running.empty()) {
        changed_.wait(lock, [this] { return is_ending_ || !waiting_.empty(); });
      }
      starts.swap(waiting_);
    }
    for (const Start& start : starts) start(&running.emplace_back());
    return !running.empty();
  }

  // Lets MPI go on; how many have ended, which are taken out.
  static std::size_t look(std::vector<MPI_Request>& running) {
    std::vector<int> ended(running.size());
    int count = 0;
    MPI_Testsome(count_of(running.size()), running.data(), &count, ended.data(),
                 MPI_STATUSES_IGNORE);
    std::erase(running, MPI_REQUEST_NULL);
    return static_cast<std::size_t>(std::max(0, count));
  }

  void note_done(std::size_t count) {
    {
      const std::lock_guard lock(mutex_);
      num_unfinished_ -= count;
    }
    changed_.notify_all();
  }

  std::mutex mutex_;  // guards the rest, but for thread_
  std::condition_variable changed_;
  std::deque<Start> waiting_;
  std::size_t num_unfinished_ = 0;
  std::size_t rank_ = 0;
  std::size_t size_ = 0;  // 0: not joined yet
  bool is_ending_ = false;
  std::thread thread_;
};

class MpiRanks final : public Ranks {
 public:
  std::size_t rank() const override { return mpi_.rank(); }
  std::size_t size() const override { return mpi_.size(); }

  void begin_sum(std::span<float> values) override {
    mpi_.begin([values](MPI_Request* request) {
      MPI_Iallreduce(MPI_IN_PLACE, values.data(), count_of(values.size()), MPI_FLOAT, MPI_SUM,
                     MPI_COMM_WORLD, request);
    });
  }

  void finish_sums() override { mpi_.finish(); }

  std::vector<std::string> gather(std::string record) override {
    const int own = count_of(record.size());
    std::vector<int> sizes(size());
    mpi_.begin([&](MPI_Request* request) {
      MPI_Iallgather(&own, 1, MPI_INT, sizes.data(), 1, MPI_INT, MPI_COMM_WORLD, request);
    });
    mpi_.finish();
    std::vector<int> starts(sizes.size());
    std::exclusive_scan(sizes.begin(), sizes.end(), starts.begin(), 0);
    const std::size_t total =
        static_cast<std::size_t>(starts.back()) + static_cast<std::size_t>(sizes.back());
    std::string all(total, '\0');
    mpi_.begin([&](MPI_Request* request) {
      MPI_Iallgatherv(record.data(), own, MPI_BYTE, all.data(), sizes.data(), starts.data(),
                      MPI_BYTE, MPI_COMM_WORLD, request);
    });
    mpi_.finish();
    std::vector<std::string> records;
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      records.push_back(
          all.substr(static_cast<std::size_t>(starts[i]), static_cast<std::size_t>(sizes[i])));
    }
    return records;
  }

 private:
  MpiThread mpi_;
};

}  // namespace
}  // namespace rr

// See join_ranks(); the caller owns what is given.
extern "C" rr::Ranks* rr_new_mpi_ranks() { return new rr::MpiRanks; }
