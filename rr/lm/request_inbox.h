#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <unordered_set>
#include <vector>

#include "rr/lm/generation_task.h"
#include "rr/lm/generator.h"

namespace rr {

// What those who submit tell the one thread that runs a model. All but take() may be called from
// any thread.
class RequestInbox {
 public:
  void submit(std::unique_ptr<GenerationTask> task);
  void cancel(GenerationId id);
  void expect(TokenIds beginning);
  void close();  // nothing comes any more, and nothing more is to be done

  struct News {
    std::vector<std::unique_ptr<GenerationTask>> submitted;
    std::unordered_set<GenerationId> cancelled;  // of tasks in `submitted`, earlier or unknown ones
    std::vector<TokenIds> expected;
    bool is_closed = false;
  };

  // What came since the last call. Waits for something to come, unless `has_work`.
  News take(bool has_work);

 private:
  std::mutex mutex_;  // guards the rest
  std::condition_variable wake_;
  News news_;
};

}  // namespace rr
