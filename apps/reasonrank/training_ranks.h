#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "apps/reasonrank/training_run.h"
#include "rr/base/result.h"
#include "rr/ranks/ranks.h"

namespace rr {

// What mpirun says of the processes that it started, in their environment: OpenMPI's
// (OMPI_COMM_WORLD_RANK, _SIZE) or the one of other MPIs (PMI_RANK, PMI_SIZE). One alone without.
struct StartedRanks {
  std::size_t rank = 0;
  std::size_t size = 1;
};
StartedRanks started_ranks();

// The ranks of a run of training, and what this one may take of its machine.
struct TrainingRanks {
  std::unique_ptr<Ranks> ranks;
  std::size_t num_here = 1;      // ranks on this machine
  std::size_t num_threads = 1;   // the cores that several ranks may run on are divided among them
  std::size_t memory_bytes = 0;  // --memory, or a share of four fifths of what is free

  // Lower ranks: pids of those on this machine, and whether there are others.
  std::vector<pid_t> lower_here;
  bool has_lower_elsewhere = false;

  // A line of the plan, where there are several.
  std::string plan_line() const;
};

// Joins the ranks that were started with this process. `num_threads`: 0: a share of the cores.
Result<TrainingRanks> join_training_ranks(const TrainingRunOptions& options,
                                          std::size_t num_threads);

// The command that goes on with a run, as many ranks as there are: "mpirun -n 2 reasonrank train
// sft --resume runs/a".
std::string resume_command(const TrainingRanks& ranks, const std::string& kind,
                           const std::string& folder);

// Says how to go on where several ranks are told to stop and do not come to it within half a
// second: mpirun, which tells them so when one of them has died, soon kills the rest. The lowest
// rank that still lives says it.
class LastWords {
 public:
  // Both must outlive it.
  LastWords(const TrainingRanks& ranks, const std::atomic<bool>& stop, std::string resume_command);
  ~LastWords();
  LastWords(const LastWords&) = delete;
  LastWords& operator=(const LastWords&) = delete;

 private:
  void watch();

  const TrainingRanks& ranks_;
  const std::atomic<bool>& stop_;
  std::string resume_command_;
  std::atomic<bool> is_over_ = false;
  std::thread watcher_;
};

}  // namespace rr
