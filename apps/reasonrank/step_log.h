#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <utility>

#include "rr/base/atomic_file.h"
#include "rr/base/result.h"
#include "rr/lm_local/local_generator.h"

namespace rr {

// What each step of a model was made of, a line of JSON each (docs/formats/steps.md).
class StepLog {
 public:
  static Result<std::unique_ptr<StepLog>> create(const std::filesystem::path& path);

  // From any thread; nothing after commit().
  void add(const GenerationStep& step);

  // The file appears, whole. Fails where a line could not be written.
  Status commit();

 private:
  explicit StepLog(AtomicFile file) : file_(std::move(file)) {}

  std::mutex mutex_;  // guards the rest
  AtomicFile file_;
  Status status_ = ok_status();
  bool is_committed_ = false;
};

}  // namespace rr
