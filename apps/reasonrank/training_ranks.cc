#include "apps/reasonrank/training_ranks.h"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "rr/base/machine.h"
#include "rr/ranks/mpi_ranks.h"
#include "rr/ranks/record.h"

namespace rr {
namespace {

std::size_t number_in(const char* name, std::size_t otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoul(text, nullptr, 10);
}

// Where a rank is.
struct Place {
  std::string machine;
  std::vector<std::size_t> cores;  // that it may run on
  pid_t pid;
};

std::string pack(const Place& place) {
  RecordWriter writer;
  writer.put_all(place.machine);
  writer.put_all(place.cores);
  writer.put(place.pid);
  return std::move(writer).take();
}

Place unpack(const std::string& record) {
  RecordReader reader(record);
  auto machine = reader.get_all<std::string>();
  auto cores = reader.get_all<std::vector<std::size_t>>();
  return {std::move(machine), std::move(cores), reader.get<pid_t>()};
}

}  // namespace

StartedRanks started_ranks() {
  for (const auto& [rank, size] :
       {std::pair("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"), {"PMI_RANK", "PMI_SIZE"}}) {
    if (std::getenv(size) != nullptr) {
      return {number_in(rank, 0), std::max<std::size_t>(1, number_in(size, 1))};
    }
  }
  return {};
}

Result<TrainingRanks> join_training_ranks(const TrainingRunOptions& options,
                                          std::size_t num_threads) {
  TrainingRanks joined;
  RR_TRY(joined.ranks, join_ranks(started_ranks().size));
  // Before the others know of this rank, and load anything.
  const std::size_t memory = memory_limit(options);
  const Place own = {machine_name(), allowed_cores(), ::getpid()};
  std::size_t num_on_own_cores = 0;
  joined.num_here = 0;
  const std::vector<std::string> records = joined.ranks->gather(pack(own));
  for (std::size_t rank = 0; rank < records.size(); ++rank) {
    const Place place = unpack(records[rank]);
    const bool is_lower = rank < joined.ranks->rank();
    if (place.machine != own.machine) {
      joined.has_lower_elsewhere |= is_lower;
      continue;
    }
    ++joined.num_here;
    if (place.cores == own.cores) ++num_on_own_cores;
    if (is_lower) joined.lower_here.push_back(place.pid);
  }
  joined.memory_bytes = options.memory_gib > 0 ? memory : memory / joined.num_here;
  joined.num_threads =
      num_threads > 0 ? num_threads : std::max<std::size_t>(1, usable_cores() / num_on_own_cores);
  return joined;
}

std::string TrainingRanks::plan_line() const {
  return fmt::format("  {:<11}{}, {} on this machine, each with {} of its {} cores and {:.2f} GiB",
                     "ranks", ranks->size(), num_here, num_threads, ::sysconf(_SC_NPROCESSORS_ONLN),
                     in_gib(memory_bytes));
}

std::string resume_command(const TrainingRanks& ranks, const std::string& kind,
                           const std::string& folder) {
  const std::size_t size = ranks.ranks->size();
  const std::string start = size > 1 ? fmt::format("mpirun -n {} ", size) : "";
  return fmt::format("{}reasonrank train {} --resume {}", start, kind, folder);
}

LastWords::LastWords(const TrainingRanks& ranks, const std::atomic<bool>& stop,
                     std::string resume_command)
    : ranks_(ranks), stop_(stop), resume_command_(std::move(resume_command)) {
  if (ranks.ranks->size() > 1) watcher_ = std::thread([this] { watch(); });
}

LastWords::~LastWords() {
  is_over_ = true;
  if (watcher_.joinable()) watcher_.join();
}

void LastWords::watch() {
  constexpr auto kLook = std::chrono::milliseconds(50);
  constexpr int kPatience = 10;  // looks
  for (int looks = 0; looks < kPatience; looks += stop_ ? 1 : 0) {
    if (is_over_) return;
    std::this_thread::sleep_for(kLook);
  }
  const auto lives = [](pid_t pid) { return ::kill(pid, 0) == 0; };
  if (ranks_.has_lower_elsewhere ||
      std::any_of(ranks_.lower_here.begin(), ranks_.lower_here.end(), lives)) {
    return;
  }
  std::fputs(("stopping; if the ranks are killed before they have written a checkpoint, the run "
              "goes on from its last one with\n  " +
              resume_command_ + "\n")
                 .c_str(),
             stderr);
}

}  // namespace rr
