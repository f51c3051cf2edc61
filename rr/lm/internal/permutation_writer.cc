#include "rr/lm/internal/permutation_writer.h"

#include <algorithm>
#include <numeric>
#include <string_view>

#include "rr/base/check.h"

namespace rr::internal {
namespace {

constexpr std::string_view kTail = "] > [";

}  // namespace

PermutationWriter::PermutationWriter(const Tokenizer& tokenizer, std::size_t size)
    : tokenizer_(&tokenizer), open_(size), size_(size) {
  RR_CHECK(size >= 1, "a permutation orders at least one identifier");
  std::iota(open_.begin(), open_.end(), std::size_t{1});
}

PermutationWriter::Candidate PermutationWriter::make_candidate(std::size_t identifier,
                                                               const std::string& before) const {
  Candidate candidate;
  candidate.identifier = identifier;
  candidate.ids =
      tokenizer_->encode_with_special(before + std::to_string(identifier) + std::string(kTail));
  // Counted from the end: a normalising tokenizer may have changed the length of `before`.
  std::size_t behind = 0;
  candidate.num_needed = candidate.ids.size();
  while (candidate.num_needed > 0) {
    behind += tokenizer_->token_bytes(candidate.ids[candidate.num_needed - 1]).size();
    if (behind > kTail.size()) break;
    --candidate.num_needed;
  }
  return candidate;
}

const std::vector<PermutationWriter::Candidate>& PermutationWriter::candidates_after(
    const std::string& before) {
  const auto [entry, is_new] = seen_.try_emplace(before);
  if (is_new) {
    for (std::size_t identifier = 1; identifier <= size_; ++identifier) {
      entry->second.push_back(make_candidate(identifier, before));
    }
  }
  return entry->second;
}

void PermutationWriter::begin(const std::string& before) {
  RR_CHECK(!has_begun() && !only_one_left(), "no identifier to begin");
  candidates_ = &candidates_after(before);
  possible_ = open_;
  depth_ = 0;
  logprob_ = 0;
  branches_.clear();
}

TokenIds PermutationWriter::take_certain() {
  RR_CHECK(has_begun(), "no identifier is begun");
  TokenIds certain;
  branches_.clear();
  for (;;) {
    if (possible_.size() == 1) {
      const Candidate& only = (*candidates_)[possible_.front() - 1];
      while (depth_ < only.num_needed) certain.push_back(only.ids[depth_++]);
      return certain;
    }
    for (const std::size_t identifier : possible_) {
      const Candidate& candidate = (*candidates_)[identifier - 1];
      if (!has_ended(candidate)) branches_.push_back(candidate.ids[depth_]);
    }
    std::sort(branches_.begin(), branches_.end());
    branches_.erase(std::unique(branches_.begin(), branches_.end()), branches_.end());
    if (branches_.size() >= 2) return certain;
    if (branches_.empty()) {
      // A broken tokenizer that writes two identifiers alike: the answer stays a permutation.
      possible_.resize(1);
      continue;
    }
    certain.push_back(branches_.front());
    keep_only(branches_.front());
    branches_.clear();
  }
}

void PermutationWriter::keep_only(TokenId branch) {
  std::erase_if(possible_, [&](std::size_t identifier) {
    const Candidate& candidate = (*candidates_)[identifier - 1];
    return has_ended(candidate) || candidate.ids[depth_] != branch;
  });
  ++depth_;
}

void PermutationWriter::choose(TokenId branch, double logprob) {
  RR_CHECK(std::binary_search(branches_.begin(), branches_.end(), branch), "not a branch");
  logprob_ += logprob;
  keep_only(branch);
}

std::optional<PermutationWriter::Decided> PermutationWriter::take_decided() {
  if (!has_begun() || possible_.size() != 1) return std::nullopt;
  const Candidate& chosen = (*candidates_)[possible_.front() - 1];
  if (depth_ < chosen.num_needed) return std::nullopt;
  std::size_t behind = 0;
  for (std::size_t i = depth_; i < chosen.ids.size(); ++i) {
    behind += tokenizer_->token_bytes(chosen.ids[i]).size();
  }
  Decided decided{{chosen.identifier, logprob_},
                  std::string(kTail.substr(kTail.size() - std::min(behind, kTail.size())))};
  std::erase(open_, chosen.identifier);
  candidates_ = nullptr;
  return decided;
}

std::size_t PermutationWriter::take_last() {
  RR_CHECK(only_one_left() && !has_begun(), "more than one identifier is open");
  const std::size_t identifier = open_.front();
  open_.clear();
  return identifier;
}

}  // namespace rr::internal
