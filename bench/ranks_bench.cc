// Sums over ranks: mpirun -n 2 build/release/bin/ranks_bench --mib 4 16 64
//
// For each size: how long a sum takes that is waited for, a computation by itself, and both when
// the sum is begun before the computation. What the computation hides is the share of the sum's
// time that does not show in the last. With --idle the caller sleeps in the place of computing, as
// if the sum had cores of its own: what is hidden then goes on without the caller. Medians of the
// first rank.

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "rr/base/clock.h"
#include "rr/ranks/mpi_ranks.h"

namespace {

double seconds_of(const std::function<void()>& work) {
  const rr::Clock::time_point start = rr::Clock::now();
  work();
  return rr::seconds_since(start);
}

// Multiplications in the first level of cache.
float compute(std::size_t rounds) {
  std::vector<float> values(4096, 1.0f);
  for (std::size_t round = 0; round < rounds; ++round) {
    for (float& value : values) value = value * 0.999f + 0.001f;
  }
  return values[0];
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

double median_seconds(rr::Ranks& ranks, const std::function<void()>& work) {
  constexpr std::size_t kTimes = 15;
  std::vector<double> seconds;
  for (std::size_t i = 0; i < kTimes; ++i) {
    ranks.gather("");  // all begin together
    seconds.push_back(seconds_of(work));
  }
  return median(std::move(seconds));
}

void measure(rr::Ranks& ranks, std::size_t mib, std::size_t num_sums, bool is_idle) {
  std::vector<std::vector<float>> values(num_sums, std::vector<float>(mib << 18, 1.0f));
  const auto begin = [&] {
    for (std::vector<float>& bucket : values) ranks.begin_sum(bucket);
  };
  volatile float sink = 0;
  const auto sum = [&] {
    begin();
    ranks.finish_sums();
  };
  sum();
  const double alone = median_seconds(ranks, sum);
  const double a_round = seconds_of([&] { sink = compute(2000); }) / 2000;
  const auto rounds = static_cast<std::size_t>(2 * alone / a_round) + 1;
  const auto work = [&] {
    if (is_idle) {
      std::this_thread::sleep_for(std::chrono::duration<double>(2 * alone));
    } else {
      sink = compute(rounds);
    }
  };
  const double computing = median_seconds(ranks, work);
  const double both = median_seconds(ranks, [&] {
    begin();
    work();
    ranks.finish_sums();
  });
  (void)sink;
  if (!ranks.is_first()) return;
  const double bytes = static_cast<double>(num_sums * (mib << 20));
  fmt::print(
      "{} ranks, {} sums of {} MiB: {:.1f} ms, {:.2f} GB/s; computing {:.1f} ms, both {:.1f} "
      "ms: {:.0f} % hidden\n",
      ranks.size(), num_sums, mib, 1e3 * alone, bytes / alone / 1e9, 1e3 * computing, 1e3 * both,
      100 * (alone + computing - both) / alone);
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Sums over ranks.");
  std::vector<std::size_t> sizes = {1, 4, 16, 64};
  std::size_t num_sums = 4;
  app.add_option("--mib", sizes, "of a sum")->capture_default_str();
  app.add_option("--sums", num_sums, "that are begun together")->capture_default_str();
  bool is_idle = false;
  app.add_flag("--idle", is_idle, "sleep in the place of computing");
  CLI11_PARSE(app, argc, argv);
  const char* const started = std::getenv("OMPI_COMM_WORLD_SIZE");
  auto ranks = rr::join_ranks(started == nullptr ? 1 : std::stoul(started));
  if (!ranks.ok()) {
    fmt::print(stderr, "{}\n", ranks.error().to_string());
    return 1;
  }
  const double small = median_seconds(*ranks.value(), [&] { ranks.value()->gather("x"); });
  if (ranks.value()->is_first()) fmt::print("a small record: {:.3f} ms\n", 1e3 * small);
  for (const std::size_t mib : sizes) measure(*ranks.value(), mib, num_sums, is_idle);
}
