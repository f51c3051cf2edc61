#include "rr/lm/generator.h"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <utility>

#include "rr/base/check.h"

namespace rr {
namespace {

// Where the completions of generate_all() come together. Shared with the listeners: one may still
// be on its way out of a call when the last completion has been taken.
struct Collection {
  std::mutex mutex;
  std::condition_variable all_here;
  std::vector<Completion> completions;
  std::size_t num_missing = 0;
};

GenerationListener listener_of(std::shared_ptr<Collection> collection, std::size_t index) {
  return [collection = std::move(collection), index](const GenerationEvent& event) {
    if (event.completion == nullptr) return;
    const std::lock_guard lock(collection->mutex);
    collection->completions[index] = *event.completion;
    if (--collection->num_missing == 0) collection->all_here.notify_all();
  };
}

void wait_for_all(Collection& collection) {
  std::unique_lock lock(collection.mutex);
  collection.all_here.wait(lock, [&] { return collection.num_missing == 0; });
}

}  // namespace

const char* stop_reason_name(StopReason reason) {
  switch (reason) {
    case StopReason::kEnd:
      return "end";
    case StopReason::kStop:
      return "stop";
    case StopReason::kLength:
      return "length";
    case StopReason::kCancelled:
      return "cancelled";
    case StopReason::kFailed:
      return "failed";
  }
  RR_CHECK(false, "a stop reason of the enumeration");
}

Result<std::vector<Completion>> generate_all(Generator& generator,
                                             std::vector<GenerationRequest> requests) {
  const auto collection = std::make_shared<Collection>();
  collection->completions.resize(requests.size());
  std::vector<GenerationId> submitted;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    {
      const std::lock_guard lock(collection->mutex);
      ++collection->num_missing;
    }
    Result<GenerationId> id = generator.submit(std::move(requests[i]), listener_of(collection, i));
    if (id.ok()) {
      submitted.push_back(id.value());
      continue;
    }
    {
      const std::lock_guard lock(collection->mutex);
      --collection->num_missing;
    }
    for (const GenerationId other : submitted) generator.cancel(other);
    wait_for_all(*collection);
    return std::move(id).error();
  }
  wait_for_all(*collection);
  return std::move(collection->completions);
}

}  // namespace rr
