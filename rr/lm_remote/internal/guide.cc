#include "rr/lm_remote/internal/guide.h"

#include <fmt/core.h>

#include <algorithm>
#include <string_view>
#include <variant>
#include <vector>

namespace rr::internal {
namespace {

constexpr std::string_view kOpenThoughts = "<think>";
constexpr std::string_view kCloseThoughts = "</think>";

// "[20] > " is at most 7 tokens; the rest is for what templates and models put around an answer.
constexpr std::size_t kMostTokensPerIdentifier = 9;
constexpr std::size_t kSlackTokens = 16;

std::size_t tokens_of(const Stage& stage) {
  if (const auto* free = std::get_if<FreeStage>(&stage)) return free->max_tokens;
  if (const auto* forced = std::get_if<ForcedStage>(&stage)) return forced->text.size();
  return std::get<PermutationStage>(stage).size * kMostTokensPerIdentifier + kSlackTokens;
}

// A piece of the reply's shape.
struct Piece {
  enum Kind { kText, kThoughts, kAnything, kOrder } kind;
  std::string text;      // kText; kAnything: what ends it, may be empty
  std::size_t size = 0;  // kOrder
};

bool opens_thoughts(const Stage& stage) {
  const auto* forced = std::get_if<ForcedStage>(&stage);
  return forced != nullptr && forced->text.starts_with(kOpenThoughts);
}

// What follows the thoughts' end in a forced text, if it closes them.
std::optional<std::string> after_thoughts(const Stage& stage) {
  const auto* forced = std::get_if<ForcedStage>(&stage);
  if (forced == nullptr || !forced->text.starts_with(kCloseThoughts)) return std::nullopt;
  const std::size_t begin = forced->text.find_first_not_of(" \n", kCloseThoughts.size());
  return begin == std::string::npos ? "" : forced->text.substr(begin);
}

std::size_t place_of_order(std::span<const Stage> stages) {
  const auto is_order = [](const Stage& s) { return std::holds_alternative<PermutationStage>(s); };
  return static_cast<std::size_t>(std::find_if(stages.begin(), stages.end(), is_order) -
                                  stages.begin());
}

std::vector<Piece> pieces_of(std::span<const Stage> stages) {
  std::vector<Piece> pieces;
  for (std::size_t i = 0; i < stages.size(); ++i) {
    if (i + 2 < stages.size() && opens_thoughts(stages[i]) &&
        std::holds_alternative<FreeStage>(stages[i + 1])) {
      if (auto rest = after_thoughts(stages[i + 2])) {
        pieces.push_back({Piece::kThoughts, "", 0});
        pieces.push_back({Piece::kText, std::move(*rest), 0});
        i += 2;
        continue;
      }
    }
    if (const auto* forced = std::get_if<ForcedStage>(&stages[i])) {
      pieces.push_back({Piece::kText, forced->text, 0});
    } else if (const auto* free = std::get_if<FreeStage>(&stages[i])) {
      pieces.push_back({Piece::kAnything, free->stop.empty() ? "" : free->stop.front(), 0});
    } else {
      pieces.push_back({Piece::kOrder, "", std::get<PermutationStage>(stages[i]).size});
    }
  }
  return pieces;
}

std::vector<Piece> guided_pieces(std::span<const Stage> stages, bool from_order) {
  const std::size_t order = place_of_order(stages);
  if (order == stages.size()) return {};
  return pieces_of(from_order ? stages.subspan(order) : stages);
}

std::string regex_literal(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (std::string_view("\\^$.|?*+()[]{}/").find(c) != std::string_view::npos) escaped += '\\';
    escaped += c;
  }
  return escaped;
}

std::string regex_order(std::size_t size) {
  std::string numbers;
  for (std::size_t i = 1; i <= size; ++i) numbers += fmt::format("{}{}", i == 1 ? "" : "|", i);
  const std::string identifier = fmt::format("\\[({})\\]", numbers);
  if (size == 1) return identifier;
  return fmt::format("{}( > {}){{{}}}", identifier, identifier, size - 1);
}

std::string regex_of(const Piece& piece) {
  switch (piece.kind) {
    case Piece::kText:
      return regex_literal(piece.text);
    case Piece::kThoughts:
      return "(<think>[\\s\\S]*<\\/think>\\s*)?";
    case Piece::kAnything:
      return "[\\s\\S]*" + regex_literal(piece.text);
    case Piece::kOrder:
      return regex_order(piece.size);
  }
  return "";
}

std::string grammar_literal(std::string_view text) {
  if (text.empty()) return "";
  std::string escaped = "\"";
  for (const char c : text) {
    if (c == '\n') {
      escaped += "\\n";
    } else {
      if (c == '"' || c == '\\') escaped += '\\';
      escaped += c;
    }
  }
  return escaped + "\"";
}

std::string grammar_class(std::string_view characters) {
  std::string text = "[^";
  for (const char c : characters) {
    if (std::string_view("\\]^-").find(c) != std::string_view::npos) text += '\\';
    text += c == '\n' ? "\\n" : std::string(1, c);
  }
  return text + "]";
}

// Any text up to and with the first `end`: GBNF has no "does not contain", so each character of
// `end` but the last may be followed by one that breaks it off. Exact where the first character of
// `end` does not come again in it.
std::string grammar_until(std::string_view end) {
  if (end.empty()) return "[^\\x00]*";
  const std::string first(1, end.front());
  std::string broken_off;
  for (std::size_t i = end.size() - 1; i >= 1; --i) {
    const std::string other = grammar_class(std::string(1, end[i]) + first);
    broken_off = broken_off.empty()
                     ? other
                     : fmt::format("{} | {} ( {} )", other, grammar_literal(std::string(1, end[i])),
                                   broken_off);
  }
  const std::string part = fmt::format("{}+ ( {} )", grammar_literal(first), broken_off);
  return fmt::format("( {}{} )* {}", grammar_class(first), broken_off.empty() ? "" : " | " + part,
                     grammar_literal(end));
}

std::string grammar_order(std::size_t size) {
  std::string order = "identifier";
  for (std::size_t i = 1; i < size; ++i) order += " \" > \" identifier";
  return order;
}

std::string grammar_of(const Piece& piece) {
  switch (piece.kind) {
    case Piece::kText:
      return grammar_literal(piece.text);
    case Piece::kThoughts:
      return "thoughts?";
    case Piece::kAnything:
      return grammar_until(piece.text);
    case Piece::kOrder:
      return grammar_order(piece.size);
  }
  return "";
}

}  // namespace

AnswerPlan plan_of(std::span<const Stage> stages) {
  AnswerPlan plan;
  const std::size_t order = place_of_order(stages);
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const std::size_t tokens = tokens_of(stages[i]);
    plan.max_tokens += tokens;
    if (i >= order) plan.order_tokens += tokens;
    if (std::holds_alternative<FreeStage>(stages[i])) plan.wants_thoughts = true;
  }
  if (order < stages.size()) {
    plan.wants_order = true;
    plan.order_size = std::get<PermutationStage>(stages[order]).size;
    if (order > 0 && after_thoughts(stages[order - 1])) {
      plan.close_thoughts = std::get<ForcedStage>(stages[order - 1]).text;
    }
  } else if (stages.size() == 1) {
    if (const auto* free = std::get_if<FreeStage>(&stages.front())) plan.stop = free->stop;
  }
  return plan;
}

std::string guide_regex(std::span<const Stage> stages, bool from_order) {
  std::string regex;
  for (const Piece& piece : guided_pieces(stages, from_order)) regex += regex_of(piece);
  return regex;
}

std::string guide_grammar(std::span<const Stage> stages, bool from_order) {
  const std::vector<Piece> pieces = guided_pieces(stages, from_order);
  if (pieces.empty()) return "";
  std::string root = "root ::=";
  std::size_t size = 0;
  bool has_thoughts = false;
  for (const Piece& piece : pieces) {
    const std::string text = grammar_of(piece);
    if (!text.empty()) root += " " + text;
    size = std::max(size, piece.size);
    has_thoughts = has_thoughts || piece.kind == Piece::kThoughts;
  }
  std::string numbers;
  for (std::size_t i = 1; i <= size; ++i)
    numbers += fmt::format("{}\"{}\"", i == 1 ? "" : " | ", i);
  std::string grammar = root + fmt::format("\nidentifier ::= \"[\" ( {} ) \"]\"\n", numbers);
  if (has_thoughts) {
    grammar += "thoughts ::= " + grammar_literal(kOpenThoughts) + " " +
               grammar_until(kCloseThoughts) + " [ \\n]*\n";
  }
  return grammar;
}

}  // namespace rr::internal
