#include "rr/bm25/internal/porter.h"

#include <array>
#include <cstddef>
#include <span>
#include <string_view>

namespace rr::internal {
namespace {

class Stemmer {
 public:
  explicit Stemmer(std::u16string& word) : word_(word) {}

  void run() {
    drop_plural();
    drop_ed_and_ing();
    if (ends(u"y") && has_vowel(stem_)) word_.back() = u'i';
    replace_first_of(kDoubleSuffixes);
    replace_first_of(kSingleSuffixes);
    drop_last_suffix();
    drop_final_e();
    if (word_.back() == u'l' && is_double_consonant() && measure(word_.size()) > 1) {
      word_.pop_back();
    }
  }

 private:
  struct Rule {
    std::u16string_view suffix;
    std::u16string_view replacement;
  };

  // Step 2; the first that fits decides, whether it may be replaced or not.
  static constexpr std::array<Rule, 21> kDoubleSuffixes = {
      {{u"ational", u"ate"}, {u"tional", u"tion"}, {u"enci", u"ence"},   {u"anci", u"ance"},
       {u"izer", u"ize"},    {u"bli", u"ble"},     {u"alli", u"al"},     {u"entli", u"ent"},
       {u"eli", u"e"},       {u"ousli", u"ous"},   {u"ization", u"ize"}, {u"ation", u"ate"},
       {u"ator", u"ate"},    {u"alism", u"al"},    {u"iveness", u"ive"}, {u"fulness", u"ful"},
       {u"ousness", u"ous"}, {u"aliti", u"al"},    {u"iviti", u"ive"},   {u"biliti", u"ble"},
       {u"logi", u"log"}}};
  // Step 3.
  static constexpr std::array<Rule, 7> kSingleSuffixes = {{{u"icate", u"ic"},
                                                           {u"ative", u""},
                                                           {u"alize", u"al"},
                                                           {u"iciti", u"ic"},
                                                           {u"ical", u"ic"},
                                                           {u"ful", u""},
                                                           {u"ness", u""}}};
  // Step 4.
  static constexpr std::array<std::u16string_view, 19> kLastSuffixes = {
      u"al",  u"ance", u"ence", u"er",  u"ic",  u"able", u"ible", u"ant", u"ement", u"ment",
      u"ent", u"ion",  u"ou",   u"ism", u"ate", u"iti",  u"ous",  u"ive", u"ize"};

  bool is_consonant(std::size_t i) const {
    switch (word_[i]) {
      case u'a':
      case u'e':
      case u'i':
      case u'o':
      case u'u':
        return false;
      case u'y':
        return i == 0 || !is_consonant(i - 1);
      default:
        return true;
    }
  }

  // Porter's m of the first `length` characters: how often a consonant follows a vowel.
  int measure(std::size_t length) const {
    int count = 0;
    bool after_vowel = false;
    for (std::size_t i = 0; i < length; ++i) {
      const bool consonant = is_consonant(i);
      count += consonant && after_vowel ? 1 : 0;
      after_vowel = !consonant;
    }
    return count;
  }

  bool has_vowel(std::size_t length) const {
    for (std::size_t i = 0; i < length; ++i) {
      if (!is_consonant(i)) return true;
    }
    return false;
  }

  bool is_double_consonant() const {
    const std::size_t n = word_.size();
    return n >= 2 && word_[n - 1] == word_[n - 2] && is_consonant(n - 1);
  }

  // Porter's *o: the first `length` end consonant, vowel, consonant, the last not w, x or y.
  bool ends_short(std::size_t length) const {
    if (length < 3 || !is_consonant(length - 1) || is_consonant(length - 2) ||
        !is_consonant(length - 3)) {
      return false;
    }
    const char16_t last = word_[length - 1];
    return last != u'w' && last != u'x' && last != u'y';
  }

  // Whether the word ends so; stem_ is then what stands before.
  bool ends(std::u16string_view suffix) {
    if (!std::u16string_view(word_).ends_with(suffix)) return false;
    stem_ = word_.size() - suffix.size();
    return true;
  }

  void drop_plural() {
    if (word_.back() != u's') return;
    if (ends(u"sses") || ends(u"ies")) {
      word_.resize(word_.size() - 2);
    } else if (word_[word_.size() - 2] != u's') {
      word_.pop_back();
    }
  }

  void drop_ed_and_ing() {
    if (ends(u"eed")) {
      if (measure(stem_) > 0) word_.pop_back();
      return;
    }
    if (!(ends(u"ed") || ends(u"ing")) || !has_vowel(stem_)) return;
    word_.resize(stem_);
    if (ends(u"at") || ends(u"bl") || ends(u"iz")) {
      word_ += u'e';
    } else if (is_double_consonant()) {
      const char16_t last = word_.back();
      if (last != u'l' && last != u's' && last != u'z') word_.pop_back();
    } else if (measure(word_.size()) == 1 && ends_short(word_.size())) {
      word_ += u'e';
    }
  }

  void replace_first_of(std::span<const Rule> rules) {
    for (const Rule& rule : rules) {
      if (!ends(rule.suffix)) continue;
      if (measure(stem_) > 0) word_.replace(stem_, word_.npos, rule.replacement);
      return;
    }
  }

  void drop_last_suffix() {
    for (const std::u16string_view suffix : kLastSuffixes) {
      if (!ends(suffix)) continue;
      if (suffix == u"ion" &&
          !(stem_ > 0 && (word_[stem_ - 1] == u's' || word_[stem_ - 1] == u't'))) {
        continue;
      }
      if (measure(stem_) > 1) word_.resize(stem_);
      return;
    }
  }

  void drop_final_e() {
    if (word_.back() != u'e') return;
    const int m = measure(word_.size());
    if (m > 1 || (m == 1 && !ends_short(word_.size() - 1))) word_.pop_back();
  }

  std::u16string& word_;
  std::size_t stem_ = 0;  // set by ends()
};

}  // namespace

void porter_stem(std::u16string& word) {
  if (word.size() > 2) Stemmer(word).run();
}

}  // namespace rr::internal
