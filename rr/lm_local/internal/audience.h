#pragma once

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

#include "rr/base/random.h"
#include "rr/base/utf8.h"
#include "rr/lm/generator.h"
#include "rr/lm_local/local_generator.h"

// For tests of the generator: requests, and who listens to them.

namespace rr::internal {

// Hears many requests, and can be waited for.
class Audience {
 public:
  struct Heard {
    std::string text;
    std::vector<Completion> ends;
  };

  // The listener of request `key`.
  GenerationListener listener(std::size_t key) {
    const std::lock_guard lock(mutex_);
    ++expected_;
    heard_[key];
    return [this, key](const GenerationEvent& event) {
      const std::lock_guard inside(mutex_);
      Heard& heard = heard_[key];
      heard.text += event.text;
      EXPECT_TRUE(is_valid_utf8(event.text));
      EXPECT_TRUE(heard.ends.empty()) << "an event after the last";
      if (event.completion != nullptr) {
        heard.ends.push_back(*event.completion);
        order_.push_back(key);
        ++ended_;
      }
      changed_.notify_all();
    };
  }
  void drop(std::size_t key) {  // it was refused
    const std::lock_guard lock(mutex_);
    --expected_;
    heard_.erase(key);
  }

  void wait_for_all() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return ended_ == expected_; });
  }
  void wait_for_text(std::size_t key) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return !heard_[key].text.empty(); });
  }

  // Look at these only when all have ended.
  const std::map<std::size_t, Heard>& heard() const { return heard_; }
  const Completion& completion(std::size_t key) const { return heard_.at(key).ends.front(); }
  const std::vector<std::size_t>& order_of_ends() const { return order_; }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::size_t, Heard> heard_;
  std::vector<std::size_t> order_;
  std::size_t expected_ = 0;
  std::size_t ended_ = 0;
};

inline GenerationRequest request_of(TokenIds prompt, std::vector<Stage> stages,
                                    Sampling sampling = {}) {
  return {std::move(prompt), std::move(stages), sampling, ""};
}

inline TokenIds some_prompt(std::size_t size, std::uint64_t seed) {
  RandomStream random(seed, 1);
  TokenIds ids(size);
  for (TokenId& id : ids) id = static_cast<TokenId>(random.below(256));
  return ids;
}

// What must not change with the batch, with memory or with drafts.
inline void expect_same(const Completion& a, const Completion& b) {
  EXPECT_EQ(a.text, b.text);
  EXPECT_EQ(a.ids, b.ids);
  EXPECT_EQ(a.token_logprobs, b.token_logprobs);
  EXPECT_EQ(a.stop, b.stop);
  ASSERT_EQ(a.end.has_value(), b.end.has_value());
  if (a.end) {
    EXPECT_EQ(a.end->id, b.end->id);
    EXPECT_EQ(a.end->logprob, b.end->logprob);
  }
  ASSERT_EQ(a.stages.size(), b.stages.size());
  for (std::size_t i = 0; i < a.stages.size(); ++i) {
    EXPECT_EQ(a.stages[i].num_tokens, b.stages[i].num_tokens);
    EXPECT_EQ(a.stages[i].stop, b.stages[i].stop);
    EXPECT_EQ(a.stages[i].num_forced, b.stages[i].num_forced);
    ASSERT_EQ(a.stages[i].choices.size(), b.stages[i].choices.size());
    for (std::size_t j = 0; j < a.stages[i].choices.size(); ++j) {
      EXPECT_EQ(a.stages[i].choices[j].identifier, b.stages[i].choices[j].identifier);
      EXPECT_EQ(a.stages[i].choices[j].logprob, b.stages[i].choices[j].logprob);
    }
  }
}

// Submits requests[order[i]] for every i as users do: some with prompts foretold, some after a
// while, some cancelled at once, where cancelled[i] lets them be.
inline void submit_as_it_comes(LocalGenerator& generator,
                               const std::vector<GenerationRequest>& requests,
                               const std::vector<std::size_t>& order,
                               const std::vector<bool>& cancelled, Audience& audience) {
  for (std::size_t i = 0; i < order.size(); ++i) {
    const auto id = generator.submit(requests[order[i]], audience.listener(i));
    RC_ASSERT(id.ok());
    if (i % 5 == 0) generator.expect(std::get<TokenIds>(requests[order[i]].prompt));
    if (i % 7 == 6) std::this_thread::yield();
    if (cancelled[i] && i % 3 == 0) generator.cancel(id.value());
  }
}

// Submits all, in order, and waits until they have ended.
inline void run(LocalGenerator& generator, std::vector<GenerationRequest> requests,
                Audience& audience) {
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const auto taken = generator.submit(std::move(requests[i]), audience.listener(i));
    ASSERT_TRUE(taken.ok()) << taken.error().to_string();
  }
  audience.wait_for_all();
}

}  // namespace rr::internal
