#include "rr/lm/internal/vocabulary_json.h"

#include <fmt/core.h>

#include <algorithm>
#include <limits>

namespace rr::internal {
namespace {

constexpr std::size_t kMaxDepth = 100;
constexpr std::size_t kMaxKeys = 4096;  // of one object besides the vocabulary

// Takes the parser's events: the vocabulary and the merges into plain vectors, the rest into a
// Json.
class Handler : public nlohmann::json_sax<Json> {
 public:
  explicit Handler(bool vocabulary_only) : vocabulary_only_(vocabulary_only) {}

  VocabularyJson take() { return std::move(result_); }
  const std::string& fault() const { return fault_; }

  bool null() override { return put(Json()); }
  bool boolean(bool value) override { return put(Json(value)); }
  bool number_float(double value, const std::string&) override { return put(Json(value)); }
  bool number_integer(std::int64_t value) override {
    return part_ == Part::kVocabulary ? put_id(value) : put(Json(value));
  }
  bool number_unsigned(std::uint64_t value) override {
    if (part_ != Part::kVocabulary) return put(Json(value));
    constexpr auto kMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    return put_id(static_cast<std::int64_t>(std::min(value, kMax)));
  }
  bool string(std::string& value) override {
    return part_ == Part::kMerges ? put_merge(value) : put(Json(std::move(value)));
  }
  bool binary(Json::binary_t&) override { return fail("binary data in JSON"); }

  bool start_object(std::size_t) override {
    if (is_vocabulary_here()) {
      part_ = Part::kVocabulary;
      return true;
    }
    return open(Json::object());
  }
  bool end_object() override { return part_ == Part::kVocabulary ? leave_part() : close(); }

  bool start_array(std::size_t) override {
    if (part_ == Part::kMerges && !in_pair_) {
      in_pair_ = true;
      pair_.clear();
      return true;
    }
    if (part_ == Part::kRest && in_model() && key_ == "merges") {
      part_ = Part::kMerges;
      return true;
    }
    return open(Json::array());
  }
  bool end_array() override {
    if (part_ != Part::kMerges) return close();
    return in_pair_ ? leave_pair() : leave_part();
  }

  bool key(std::string& value) override {
    key_ = std::move(value);
    if (part_ != Part::kRest) return true;
    if (open_.back()->size() >= kMaxKeys) return fail("an object of too many keys");
    if (open_.back()->contains(key_)) return fail(fmt::format("key \"{}\" stands twice", key_));
    return true;
  }

  bool parse_error(std::size_t position, const std::string& last_token,
                   const nlohmann::detail::exception&) override {
    return fail(fmt::format("expected JSON, found \"{}\" at byte {}", last_token, position));
  }

 private:
  enum class Part { kRest, kVocabulary, kMerges };

  bool fail(std::string fault) {
    fault_ = std::move(fault);
    return false;
  }

  bool in_model() const { return open_.size() == 2 && second_key_ == "model"; }

  bool is_vocabulary_here() const {
    if (part_ != Part::kRest) return false;
    return vocabulary_only_ ? open_.empty() : in_model() && key_ == "vocab";
  }

  bool put(Json value) {
    if (part_ == Part::kVocabulary) return fail("a vocabulary entry whose id is no whole number");
    if (part_ == Part::kMerges) return fail("a merge that is neither a text nor two texts");
    place(std::move(value));
    return true;
  }

  Json* place(Json value) {
    if (open_.empty()) return &(result_.rest = std::move(value));
    if (open_.back()->is_array()) {
      open_.back()->push_back(std::move(value));
      return &open_.back()->back();
    }
    return &((*open_.back())[key_] = std::move(value));
  }

  bool put_id(std::int64_t id) {
    result_.vocabulary.emplace_back(std::move(key_), id);
    return true;
  }

  bool put_merge(std::string& text) {
    if (!in_pair_) {
      result_.merges.push_back(std::move(text));
    } else {
      pair_.push_back(std::move(text));
    }
    return true;
  }

  bool open(Json container) {
    if (part_ != Part::kRest) return put(std::move(container));
    if (open_.size() >= kMaxDepth) return fail(fmt::format("nested over {} levels", kMaxDepth));
    if (open_.size() == 1) second_key_ = key_;
    open_.push_back(place(std::move(container)));
    return true;
  }

  bool close() {
    open_.pop_back();
    return true;
  }

  bool leave_part() {
    part_ = Part::kRest;
    return true;
  }

  bool leave_pair() {
    in_pair_ = false;
    if (pair_.size() != 2) return fail("a merge that is neither a text nor two texts");
    result_.merges.push_back(pair_[0] + ' ' + pair_[1]);
    return true;
  }

  bool vocabulary_only_;
  VocabularyJson result_;
  std::string fault_;
  Part part_ = Part::kRest;
  bool in_pair_ = false;
  std::vector<std::string> pair_;
  std::vector<Json*> open_;  // containers not yet closed, outermost first
  std::string key_;          // of the value that comes
  std::string second_key_;   // under which the container of the second level stands
};

Result<VocabularyJson> parse(std::string_view text, const std::string& where,
                             bool vocabulary_only) {
  Handler handler(vocabulary_only);
  if (!Json::sax_parse(text.begin(), text.end(), &handler)) {
    return Error{Errc::kMalformed, handler.fault(), where};
  }
  return handler.take();
}

}  // namespace

Result<VocabularyJson> parse_tokenizer_json(std::string_view text, const std::string& where) {
  RR_TRY(VocabularyJson parsed, parse(text, where, false));
  if (!parsed.rest.is_object()) {
    return Error{Errc::kMalformed,
                 fmt::format("expected a JSON object, found {}", parsed.rest.type_name()), where};
  }
  const auto model = parsed.rest.find("model");
  const bool has_strange_parts = model != parsed.rest.end() && model->is_object() &&
                                 (model->contains("vocab") || model->contains("merges"));
  if (!has_strange_parts) return parsed;
  return Error{Errc::kMalformed,
               "expected model.vocab to be an object of ids and model.merges an array", where};
}

Result<VocabularyJson> parse_vocab_json(std::string_view text, const std::string& where) {
  RR_TRY(VocabularyJson parsed, parse(text, where, true));
  if (parsed.rest.is_null()) return parsed;
  return Error{
      Errc::kMalformed,
      fmt::format("expected a JSON object of tokens and ids, found {}", parsed.rest.type_name()),
      where};
}

}  // namespace rr::internal
