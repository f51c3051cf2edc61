#pragma once

#include <cstddef>
#include <vector>

#include "rr/base/thread_pool.h"
#include "rr/nn/internal/aligned_buffer.h"
#include "rr/nn/internal/linear.h"
#include "rr/nn/internal/team.h"

namespace rr::internal {

// What one thread of a crew works in.
struct CrewScratch {
  ProductScratch products;
  AlignedBuffer product;  // results of one panel
  AlignedBuffer rows;     // inputs of one product, gathered; or a block of float rows
  AlignedBuffer tile;     // attention
};

// Threads for the steps of learning, each of which takes milliseconds: one job a step. Parts are
// taken as threads come free, so no result may depend on which thread runs a part.
class Crew {
 public:
  explicit Crew(ThreadPool& pool) : team_(pool), scratch_(pool.num_threads()) {}

  std::size_t size() const { return team_.size(); }

  // Lets go of what the threads work in: after steps that need more of it than those to come.
  void release_scratch() {
    for (CrewScratch& scratch : scratch_) scratch = CrewScratch();
  }

  // Calls task(part, scratch) once for each part.
  template <typename Task>
  void for_parts(std::size_t num_parts, const Task& task) {
    if (num_parts == 0) return;
    team_.run([&](Team::Member& member) {
      CrewScratch& scratch = scratch_[member.index()];
      member.for_parts(num_parts, [&](std::size_t part) { task(part, scratch); });
    });
  }

 private:
  Team team_;
  std::vector<CrewScratch> scratch_;
};

}  // namespace rr::internal
