#include "rr/synth/candidates.h"

#include <fmt/core.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "rr/base/check.h"

namespace rr {
namespace {

constexpr std::string_view kBlanks = " \t\r\n\f\v";

std::string_view strip(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kBlanks);
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

std::size_t count_words(std::string_view text) {
  std::size_t words = 0;
  bool inside = false;
  for (const char c : text) {
    const bool is_blank = kBlanks.find(c) != kBlanks.npos;
    if (!is_blank && !inside) ++words;
    inside = !is_blank;
  }
  return words;
}

// The position after the first `words` words.
std::size_t end_of_words(std::string_view text, std::size_t words) {
  std::size_t at = 0;
  for (; words > 0 && at != text.npos; --words) {
    at = text.find_first_not_of(kBlanks, at);
    if (at != text.npos) at = text.find_first_of(kBlanks, at);
  }
  return std::min(at, text.size());
}

// The position after the last sentence that ends in text[0, limit); 0: none does.
std::size_t end_of_sentence(std::string_view text, std::size_t limit) {
  for (std::size_t at = limit; at > 1; --at) {
    const bool ends = text[at - 1] == '.' || text[at - 1] == '!' || text[at - 1] == '?';
    if (ends && (at == text.size() || kBlanks.find(text[at]) != kBlanks.npos)) return at;
  }
  return 0;
}

// What blank lines separate, stripped.
std::vector<std::string_view> paragraphs_of(std::string_view text) {
  std::vector<std::string_view> paragraphs;
  std::size_t begin = 0;
  bool line_is_blank = true;
  const auto add = [&](std::size_t end) {
    const std::string_view paragraph = strip(text.substr(begin, end - begin));
    if (!paragraph.empty()) paragraphs.push_back(paragraph);
    begin = end;
  };
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '\n') {
      if (line_is_blank) add(at);
      line_is_blank = true;
    } else if (kBlanks.find(text[at]) == kBlanks.npos) {
      line_is_blank = false;
    }
  }
  add(text.size());
  return paragraphs;
}

// A paragraph that is too long, in pieces.
void add_pieces(std::string_view paragraph, std::size_t max_words,
                std::vector<std::string>& pieces) {
  while (count_words(paragraph) > max_words) {
    const std::size_t limit = end_of_words(paragraph, max_words);
    const std::size_t sentence = end_of_sentence(paragraph, limit);
    const std::size_t end = sentence > 0 ? sentence : limit;
    pieces.emplace_back(paragraph.substr(0, end));
    paragraph = strip(paragraph.substr(end));
  }
  if (!paragraph.empty()) pieces.emplace_back(paragraph);
}

std::vector<std::string> pieces_of(std::string_view text, const DocumentSplitOptions& options) {
  std::vector<std::string> pieces;
  std::string waiting;  // short paragraphs that wait for the next one
  for (const std::string_view paragraph : paragraphs_of(text)) {
    const std::size_t words = count_words(waiting) + count_words(paragraph);
    if (!waiting.empty() && words > options.max_words) {
      pieces.push_back(std::move(waiting));
      waiting.clear();
    }
    if (!waiting.empty()) waiting += "\n\n";
    waiting += paragraph;
    if (count_words(waiting) < options.min_words) continue;
    add_pieces(waiting, options.max_words, pieces);
    waiting.clear();
  }
  if (waiting.empty()) return pieces;
  // A short end belongs to what stands before it, where that has room.
  const bool fits =
      !pieces.empty() && count_words(pieces.back()) + count_words(waiting) <= options.max_words;
  if (fits) {
    pieces.back() += "\n\n" + waiting;
  } else {
    pieces.push_back(std::move(waiting));
  }
  return pieces;
}

// Adds passages until `limit`, none that was there before.
class Pool {
 public:
  void add(const Passage& passage, std::size_t limit, std::vector<Passage>& pool,
           Candidates& counts) {
    if (known_docids_.contains(passage.docid) || known_texts_.contains(passage.text)) {
      ++counts.repeated;
    } else if (pool.size() == limit) {
      ++counts.cut;
    } else {
      known_docids_.insert(passage.docid);
      known_texts_.insert(passage.text);
      pool.push_back(passage);
    }
  }

 private:
  std::unordered_set<Docid> known_docids_;
  std::unordered_set<std::string> known_texts_;
};

}  // namespace

std::vector<Passage> split_document(const Passage& document, const DocumentSplitOptions& options) {
  RR_CHECK(options.min_words >= 1 && options.min_words <= options.max_words,
           "a passage has between min_words and max_words words");
  std::vector<std::string> pieces = pieces_of(document.text, options);
  std::vector<Passage> passages;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const Docid docid = pieces.size() == 1
                            ? document.docid
                            : Docid(fmt::format("{}#{}", document.docid.str(), i + 1));
    passages.push_back({docid, document.title, std::move(pieces[i])});
  }
  return passages;
}

Candidates gather_candidates(Domain domain, const CandidateInputs& inputs,
                             const CandidateOptions& options) {
  Candidates candidates;
  Pool pool;
  if (domain != Domain::kComplexQa) {
    for (const Passage& passage : inputs.retrieved) {
      pool.add(passage, options.max_retrieved, candidates.retrieved, candidates);
    }
    return candidates;
  }
  for (const Passage& document : inputs.linked) {
    for (const Passage& passage : split_document(document, options.split)) {
      pool.add(passage, options.max_linked, candidates.linked, candidates);
    }
  }
  for (const Passage& document : inputs.retrieved) {
    for (const Passage& passage : split_document(document, options.split)) {
      pool.add(passage, options.max_retrieved, candidates.retrieved, candidates);
    }
  }
  return candidates;
}

}  // namespace rr
