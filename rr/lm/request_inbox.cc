#include "rr/lm/request_inbox.h"

#include <utility>

namespace rr {

void RequestInbox::submit(std::unique_ptr<GenerationTask> task) {
  {
    const std::lock_guard lock(mutex_);
    news_.submitted.push_back(std::move(task));
  }
  wake_.notify_one();
}

void RequestInbox::cancel(GenerationId id) {
  {
    const std::lock_guard lock(mutex_);
    news_.cancelled.insert(id);
  }
  wake_.notify_one();
}

void RequestInbox::expect(TokenIds beginning) {
  {
    const std::lock_guard lock(mutex_);
    news_.expected.push_back(std::move(beginning));
  }
  wake_.notify_one();
}

void RequestInbox::close() {
  {
    const std::lock_guard lock(mutex_);
    news_.is_closed = true;
  }
  wake_.notify_one();
}

RequestInbox::News RequestInbox::take(bool has_work) {
  std::unique_lock lock(mutex_);
  wake_.wait(lock, [&] {
    return has_work || news_.is_closed || !news_.submitted.empty() || !news_.cancelled.empty() ||
           !news_.expected.empty();
  });
  News news;
  news.is_closed = news_.is_closed;  // and stays so
  std::swap(news, news_);
  return news;
}

}  // namespace rr
