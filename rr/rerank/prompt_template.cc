#include "rr/rerank/prompt_template.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "rr/base/check.h"
#include "rr/rerank/internal/prompt_templates.h"

namespace rr {
namespace {

constexpr std::string_view kMark = "--- ";
constexpr std::string_view kForEach = ", for each passage";

// Replaces placeholders in one walk, so that nothing put in is searched again.
std::string fill_text(std::string_view text, std::span<const Placeholder> values) {
  std::string result;
  while (!text.empty()) {
    const std::size_t brace = std::min(text.find('{'), text.size());
    result += text.substr(0, brace);
    text.remove_prefix(brace);
    if (text.empty()) break;
    const auto found = std::find_if(values.begin(), values.end(), [&](const Placeholder& value) {
      return text.starts_with(value.name);
    });
    result += found == values.end() ? std::string_view("{") : found->value;
    text.remove_prefix(found == values.end() ? 1 : found->name.size());
  }
  return result;
}

// "[1] text", "[2] text", ... with a line break between, `lead` before each.
std::string numbered(std::string_view lead, std::string_view after,
                     std::span<const std::string_view> passages) {
  std::string text;
  for (std::size_t i = 0; i < passages.size(); ++i) {
    text += fmt::format("{}{}[{}]{} {}", i == 0 ? "" : "\n", lead, i + 1, after, passages[i]);
  }
  return text;
}

std::vector<Placeholder> with(std::vector<Placeholder> values,
                              std::initializer_list<Placeholder> more) {
  values.insert(values.end(), more);
  return values;
}

}  // namespace

PromptTemplate PromptTemplate::named(std::string_view name) {
  return PromptTemplate(internal::prompt_template_text(name));
}

PromptTemplate::PromptTemplate(std::string_view text) {
  RR_CHECK(text.ends_with('\n'), "a prompt template ends with a line end");
  while (!text.empty()) {
    RR_CHECK(text.starts_with(kMark), "a turn of a prompt template begins with its mark");
    const std::size_t line_end = text.find('\n');
    std::string_view mark = text.substr(kMark.size(), line_end - kMark.size());
    const bool for_each = mark.ends_with(kForEach);
    if (for_each) mark.remove_suffix(kForEach.size());
    text.remove_prefix(line_end + 1);
    const std::size_t next = text.find("\n--- ");
    const std::size_t length = next == text.npos ? text.size() - 1 : next;
    const auto roles = {Role::kSystem, Role::kUser, Role::kAssistant};
    const auto role = std::find_if(roles.begin(), roles.end(),
                                   [&](Role known) { return mark == role_name(known); });
    RR_CHECK(role != roles.end(), "a turn is the system's, the user's or the assistant's");
    turns_.push_back({*role, for_each, std::string(text.substr(0, length))});
    text.remove_prefix(length + 1);
  }
}

Messages PromptTemplate::fill(std::span<const Placeholder> values,
                              std::span<const std::string_view> passages) const {
  const std::string num = std::to_string(passages.size());
  const std::string list = numbered("", "", passages);
  const std::string named_list = numbered("Passage ", ":", passages);
  const std::vector<Placeholder> all =
      with({values.begin(), values.end()},
           {{"{num}", num}, {"{passages}", list}, {"{named_passages}", named_list}});
  Messages messages;
  for (auto turn = turns_.begin(); turn != turns_.end();) {
    if (!turn->for_each_passage) {
      messages.push_back({turn->role, fill_text(turn->text, all)});
      ++turn;
      continue;
    }
    const auto end =
        std::find_if(turn, turns_.end(), [](const Turn& t) { return !t.for_each_passage; });
    for (std::size_t i = 0; i < passages.size(); ++i) {
      const std::string identifier = std::to_string(i + 1);
      const auto here = with(all, {{"{i}", identifier}, {"{passage}", passages[i]}});
      for (auto each = turn; each != end; ++each) {
        messages.push_back({each->role, fill_text(each->text, here)});
      }
    }
    turn = end;
  }
  return messages;
}

}  // namespace rr
