#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "rr/base/random.h"
#include "rr/base/result.h"
#include "rr/lm/generator.h"
#include "rr/lm/internal/permutation_writer.h"
#include "rr/lm/tokenizer.h"

namespace rr {

// Writes one completion through its stages: takes the model's scores when a token is to be chosen,
// and adds by itself what is forced. Knows no model, no threads and no other request.
//
// Where stages meet, tokens are as the tokenizer would write the text: a forced text is encoded
// together with the forced text after it ("<answer>" and the "[" of a permutation), but never with
// what the model wrote before it. Where a free stage that is not the last wrote on past its stop
// string, and that is not how the following text begins, its last token is taken back and the part
// up to the stop string's end is written in its place; in the last stage that token stays whole. A
// token that lies across two stages counts for the first.
//
// So a token that was chosen last may be taken back by the call that chose it; none that a later
// call has seen.
class CompletionWriter {
 public:
  // The tokenizer must outlive the writer. Requires stages that check_stages() accepts and options
  // that check_sampling() accepts.
  CompletionWriter(const Tokenizer& tokenizer, std::vector<Stage> stages, const Sampling& sampling,
                   std::string_view label);

  // The completion so far. Where it is not complete, its next token waits for choose().
  const TokenIds& ids() const { return ids_; }
  bool is_complete() const { return stage_ == stages_.size(); }
  std::size_t num_forced() const { return num_forced_; }  // of the ids so far

  // Tokens that the model may still choose in the free stage being written; 0: none is.
  std::size_t num_free_left() const;

  // Chooses the next token and goes on to where the next choice is due: the completion is longer
  // then, or complete. `logits` belong to the position after the last id: one an id of the
  // vocabulary, rows of padding behind them ignored. Requires !is_complete() and scores that
  // log_sum_exp() is finite on.
  void choose(std::span<const float> logits);

  // Stages that were begun, in order.
  std::vector<StageReport> reports() const;

  // The end token that ended the last stage that was chosen freely; nullopt: none did.
  std::optional<TokenId> end_token() const { return end_token_; }

  // How the last stage begun ended.
  StopReason stop() const;

 private:
  // Does what can be done of a stage without the model. How the stage ended; nullopt: it waits for
  // a choice.
  std::optional<StopReason> run(const FreeStage& stage);
  std::optional<StopReason> run(const ForcedStage& stage);
  std::optional<StopReason> run(const PermutationStage& stage);
  std::optional<StopReason> run(const TokenChoiceStage& stage);
  void run_stages();
  void begin_stage();

  double draw() const;
  void choose_free(std::span<const float> logits, const FreeStage& stage);
  void choose_branch(std::span<const float> logits);
  void choose_token(std::span<const float> logits, const TokenChoiceStage& stage);
  void meet_stop_string(std::size_t stop_end, std::span<const std::string> stops);
  std::string upcoming_text() const;

  void add(TokenId id, bool is_forced);
  void wait_to_write(std::string_view text);
  void write_waiting();

  const Tokenizer* tokenizer_;
  std::vector<Stage> stages_;
  Sampling sampling_;
  RandomStream random_;
  std::size_t num_choices_here_ = 0;  // with the same scores, before this one

  TokenIds ids_;
  struct Origin {
    std::size_t stage;
    bool is_forced;
  };
  std::vector<Origin> origins_;  // one an id
  std::size_t num_forced_ = 0;

  std::size_t stage_ = 0;  // the stage being written; number of stages: complete
  bool is_begun_ = false;  // whether begin_stage() was called for it
  std::optional<TokenId> end_token_;
  std::vector<StopReason> stops_;                       // one a stage that ended
  std::vector<std::vector<IdentifierChoice>> choices_;  // one a stage begun

  // Text that is certain and waits to become tokens, and which stage wrote which part of it.
  struct Part {
    std::size_t stage;
    std::size_t num_bytes;
  };
  std::string waiting_;
  std::deque<Part> waiting_parts_;
  std::size_t num_skipped_ = 0;  // bytes of coming forced text that the model wrote already

  // Of the free stage being written.
  std::string free_text_;
  std::size_t num_free_tokens_ = 0;
  std::optional<StopReason> free_stop_;

  std::optional<internal::PermutationWriter> permutation_;
};

// Refuses no stage at all, an empty stop string, a permutation of nothing, and a choice of nothing
// or of what is no token.
Status check_stages(const Tokenizer& tokenizer, std::span<const Stage> stages);

// Most tokens that the stages may write: budgets in full, forced texts and permutations as they
// are encoded one after the other. A stop string met inside a token may add a few. Saturates at
// `limit`, and looks at nothing longer.
std::size_t most_tokens(const Tokenizer& tokenizer, std::span<const Stage> stages,
                        std::size_t limit);

}  // namespace rr
