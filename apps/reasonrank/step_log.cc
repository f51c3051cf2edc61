#include "apps/reasonrank/step_log.h"

#include <fmt/core.h>

#include <utility>

namespace rr {

Result<std::unique_ptr<StepLog>> StepLog::create(const std::filesystem::path& path) {
  RR_TRY(AtomicFile file, AtomicFile::create(path));
  return std::unique_ptr<StepLog>(new StepLog(std::move(file)));
}

void StepLog::add(const GenerationStep& step) {
  const std::string line = fmt::format(
      "{{\"seconds\":{:.6f},\"reading\":{},\"writing\":{},\"waiting\":{},\"read_tokens\":{},"
      "\"expected_tokens\":{},\"known_tokens\":{},\"written_tokens\":{},\"forced_tokens\":{},"
      "\"drafted_tokens\":{},\"right_drafts\":{},\"kv_blocks\":{}}}\n",
      step.seconds, step.reading, step.writing, step.waiting, step.read_tokens,
      step.expected_tokens, step.known_tokens, step.written_tokens, step.forced_tokens,
      step.drafted_tokens, step.right_drafts, step.kv_blocks);
  const std::lock_guard lock(mutex_);
  if (status_.ok() && !is_committed_) status_ = file_.write(line);
}

Status StepLog::commit() {
  const std::lock_guard lock(mutex_);
  is_committed_ = true;
  RR_TRY_STATUS(status_);
  return file_.commit();
}

}  // namespace rr
