#include "rr/synth/teacher_reply.h"

#include <algorithm>
#include <cctype>
#include <limits>
#include <string>

namespace rr {
namespace {

constexpr std::string_view kOpen = "<think>";
constexpr std::string_view kClose = "</think>";
constexpr std::string_view kBlanks = " \t\r\n";

std::string_view strip(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kBlanks);
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

struct Parts {
  std::string_view thoughts;
  std::string_view rest;
};

// Thoughts are what stands before the last "</think>"; thoughts that do not end are all there is.
Parts split_thoughts(std::string_view reply) {
  const std::size_t close = reply.rfind(kClose);
  const std::size_t open = reply.find(kOpen);
  if (close == reply.npos) {
    if (open == reply.npos) return {{}, strip(reply)};
    return {strip(reply.substr(open + kOpen.size())), strip(reply.substr(0, open))};
  }
  std::string_view thoughts = reply.substr(0, close);
  if (open < close) thoughts.remove_prefix(open + kOpen.size());
  return {strip(thoughts), strip(reply.substr(close + kClose.size()))};
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0; }

// Numbers of a text, as written; the largest value stands for all above it.
void read_numbers(std::string_view text, std::vector<std::size_t>& numbers) {
  constexpr std::size_t kCap = std::numeric_limits<std::size_t>::max() / 16;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (!is_digit(text[i])) continue;
    if (i == 0 || !is_digit(text[i - 1])) numbers.push_back(0);
    numbers.back() = std::min(numbers.back() * 10 + static_cast<std::size_t>(text[i] - '0'), kCap);
  }
}

// What stands between a '[' and the next ']', where it is digits, commas and blanks only.
struct Bracketed {
  std::vector<std::size_t> numbers;
  std::string outside;  // the rest of the text
};
Bracketed read_brackets(std::string_view text) {
  Bracketed read;
  while (!text.empty()) {
    const std::size_t open = std::min(text.find('['), text.size());
    read.outside += text.substr(0, open);
    text.remove_prefix(open);
    if (text.empty()) break;
    const std::size_t close = text.find(']');
    const std::string_view inside = text.substr(1, close == text.npos ? 0 : close - 1);
    const bool is_list = !inside.empty() && std::any_of(inside.begin(), inside.end(), is_digit) &&
                         inside.find_first_not_of("0123456789, ") == inside.npos;
    if (is_list) read_numbers(inside, read.numbers);
    if (!is_list) read.outside += '[';
    text.remove_prefix(is_list ? close + 1 : 1);
  }
  return read;
}

bool starts_with_none(std::string_view text) {
  const std::size_t begin =
      static_cast<std::size_t>(std::find_if(text.begin(), text.end(), is_letter) - text.begin());
  constexpr std::string_view kNone = "none";
  if (text.size() - begin < kNone.size()) return false;
  const bool same = std::equal(kNone.begin(), kNone.end(), text.begin() + static_cast<long>(begin),
                               [](char a, char b) { return a == (b | 0x20); });
  const std::size_t end = begin + kNone.size();
  return same && (end == text.size() || !is_letter(text[end]));
}

void pick(const std::vector<std::size_t>& identifiers, std::size_t num_passages,
          ParsedSelection& parsed) {
  for (const std::size_t identifier : identifiers) {
    if (identifier < 1 || identifier > num_passages) {
      ++parsed.out_of_range;
      continue;
    }
    auto& picked = parsed.picked;
    if (std::find(picked.begin(), picked.end(), identifier - 1) != picked.end()) {
      ++parsed.duplicated;
    } else {
      picked.push_back(identifier - 1);
    }
  }
}

}  // namespace

ParsedSelection parse_selection(std::string_view reply, std::size_t num_passages) {
  const std::string_view answer = split_thoughts(reply).rest;
  Bracketed read = read_brackets(answer);
  ParsedSelection parsed;
  parsed.has_prose = std::any_of(read.outside.begin(), read.outside.end(), is_letter);
  if (read.numbers.empty() && !answer.empty() &&
      answer.find_first_not_of("0123456789, \t\r\n") == answer.npos) {
    read_numbers(answer, read.numbers);
  }
  const bool says_none = starts_with_none(read.outside);
  if (says_none && read.numbers.empty()) {
    parsed.kind = ParsedSelection::Kind::kNone;
    return parsed;
  }
  if (says_none) return parsed;
  pick(read.numbers, num_passages, parsed);
  if (!parsed.picked.empty()) parsed.kind = ParsedSelection::Kind::kPicked;
  return parsed;
}

ParsedTeacherRanking parse_teacher_ranking(std::string_view reply, std::size_t num_passages) {
  const ReplyParts tagged = split_reply(reply, AnswerFormat::kTagged);
  if (tagged.has_answer) {
    return {tagged.thoughts,
            parse_permutation(reply, num_passages, {.format = AnswerFormat::kTagged})};
  }
  const Parts parts = split_thoughts(reply);
  return {parts.thoughts,
          parse_permutation(parts.rest, num_passages, {.format = AnswerFormat::kWhole})};
}

}  // namespace rr
