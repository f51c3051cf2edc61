#pragma once

#include <cstddef>
#include <cstring>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "rr/base/result.h"

namespace rr {

// Processes that work on one thing together. Each has a rank, from 0, and all of them make the same
// calls in the same order: a call that needs the others waits for them. Where a rank is lost the
// call does not return: what started the ranks ends the others.
//
// One rank is driven by one thread.
class Ranks {
 public:
  virtual ~Ranks() = default;

  virtual std::size_t rank() const = 0;
  virtual std::size_t size() const = 0;
  bool is_first() const { return rank() == 0; }

  // Begins to put the sum over all ranks into `values`, of the same length on every rank, and
  // returns at once: the sum goes on beside whatever the caller does. Neither read nor write
  // `values` before finish_sums(). Every rank gets the same bits.
  virtual void begin_sum(std::span<float> values) = 0;

  // Waits for all sums that were begun.
  virtual void finish_sums() = 0;

  // The records of all ranks, in the order of the ranks. Requires that no sum is under way.
  virtual std::vector<std::string> gather(std::string record) = 0;
};

// A process by itself: everything is done at once.
class SingleRank final : public Ranks {
 public:
  std::size_t rank() const override { return 0; }
  std::size_t size() const override { return 1; }
  void begin_sum(std::span<float>) override {}
  void finish_sums() override {}
  std::vector<std::string> gather(std::string record) override { return {std::move(record)}; }
};

// Gathers the records of all ranks where every rank has one. Where some failed, every rank gets the
// failure of the lowest of them, which says so where others did not fail.
Result<std::vector<std::string>> exchange(Ranks& ranks, Result<std::string> mine);

// The same of plain values, from machines of one kind.
template <typename T>
Result<std::vector<T>> exchange_values(Ranks& ranks, const Result<T>& mine) {
  static_assert(std::is_trivially_copyable_v<T>);
  Result<std::string> record = std::string(sizeof(T), '\0');
  if (mine.ok()) {
    std::memcpy(record.value().data(), &mine.value(), sizeof(T));
  } else {
    record = mine.error();
  }
  RR_TRY(const std::vector<std::string> records, exchange(ranks, std::move(record)));
  std::vector<T> values(records.size());
  for (std::size_t i = 0; i < records.size(); ++i) {
    std::memcpy(&values[i], records[i].data(), sizeof(T));
  }
  return values;
}

// The same without records: fails on every rank where one failed.
Status agree(Ranks& ranks, const Status& mine);
template <typename T>
Status agree(Ranks& ranks, const Result<T>& mine) {
  return agree(ranks, mine.ok() ? ok_status() : Status(mine.error()));
}

// Whether all ranks have the same record.
bool have_same(Ranks& ranks, std::string record);

}  // namespace rr
