#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "rr/lm/generator.h"
#include "rr/lm/tokenizer.h"

namespace rr::internal {

// Writes "[3] > [1] > [2]" token by token, the model choosing each identifier among those still
// open. Knows tokens only, no probabilities: whoever drives it shows its branches to the model.
//
// Which tokens may come follows from the tokenizer alone: at each identifier the texts that are
// still possible, "...[3] > [", "...[12] > [", are encoded as the tokenizer would, and the model
// walks the tree of these token sequences. So it never has to write a number in pieces that the
// tokenizer would not make, tokens that hold several characters ("] >", "12") are fine, and where
// one identifier begins like another it decides between going on and "]". The tail " > [" is there
// because it stands behind every identifier but the last, which nobody chooses.
class PermutationWriter {
 public:
  // The tokenizer must outlive the writer. Requires size >= 1.
  PermutationWriter(const Tokenizer& tokenizer, std::size_t size);

  // True once one identifier is left: it needs no choice, take_last() has it.
  bool only_one_left() const { return open_.size() == 1; }

  // Starts the next identifier behind `before`, text that is certain and not yet in tokens
  // ("<answer>[", "] > ["). Requires !only_one_left() and that no identifier is begun.
  void begin(const std::string& before);
  bool has_begun() const { return candidates_ != nullptr; }

  // Tokens that are certain now, those of `before` included; empty before a real branch.
  TokenIds take_certain();

  // The tokens to choose from, at least two, ascending. Requires has_begun() and that
  // take_certain() was called since the last choice.
  const std::vector<TokenId>& branches() const { return branches_; }
  void choose(TokenId branch, double logprob);

  // The identifier just completed, and the text behind it that is certain but not yet in tokens
  // (of "] > [" what the tokens so far do not hold). nullopt while it is not decided.
  struct Decided {
    IdentifierChoice choice;
    std::string rest;
  };
  std::optional<Decided> take_decided();

  std::size_t take_last();

 private:
  // How one identifier goes on behind `before`.
  struct Candidate {
    std::size_t identifier;
    TokenIds ids;            // of before + digits + tail
    std::size_t num_needed;  // tokens until the last digit is in
  };

  const std::vector<Candidate>& candidates_after(const std::string& before);
  Candidate make_candidate(std::size_t identifier, const std::string& before) const;
  bool has_ended(const Candidate& candidate) const { return depth_ >= candidate.ids.size(); }
  void keep_only(TokenId branch);

  const Tokenizer* tokenizer_;
  std::vector<std::size_t> open_;                       // identifiers, ascending
  std::map<std::string, std::vector<Candidate>> seen_;  // by `before`; of identifiers 1..size
  std::size_t size_;

  const std::vector<Candidate>* candidates_ = nullptr;  // of the identifier that is begun
  std::vector<std::size_t> possible_;                   // identifiers that fit the tokens so far
  std::size_t depth_ = 0;                               // tokens so far
  std::vector<TokenId> branches_;
  double logprob_ = 0;
};

}  // namespace rr::internal
