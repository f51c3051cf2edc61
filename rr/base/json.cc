#include "rr/base/json.h"

#include <fmt/core.h>

#include <algorithm>
#include <unordered_set>
#include <utility>
#include <vector>

#include "rr/base/utf8.h"

namespace rr {
namespace {

constexpr std::size_t kMaxDepth = 200;

// "parse error at line 1, column 2: syntax error while ..." without the library's prefix.
std::string short_message(const std::string& what) {
  const std::size_t bracket = what.find("] ");
  return bracket == std::string::npos ? what : what.substr(bracket + 2);
}

// The keys of an object that is being read.
class Keys {
 public:
  // False where the key was there.
  bool insert(const std::string& key) {
    constexpr std::size_t kFew = 16;  // so many are compared faster than hashed
    if (few_.size() < kFew) {
      if (std::find(few_.begin(), few_.end(), key) != few_.end()) return false;
      few_.push_back(key);
      return true;
    }
    if (many_.empty()) many_.insert(few_.begin(), few_.end());
    return many_.insert(key).second;
  }

 private:
  std::vector<std::string> few_;
  std::unordered_set<std::string> many_;
};

// Builds the value and refuses what nlohmann's own builder would take: deep nesting (its destructor
// recurses) and repeated keys (the later one would win in silence). Its own builder also looks each
// key up among all before it, which takes minutes for an object of a million.
class Builder : public nlohmann::json_sax<Json> {
 public:
  explicit Builder(Json& root) : root_(root) {}

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t&) override { return add(value); }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t& value) override { return add(std::move(value)); }

  bool start_object(std::size_t) override {
    keys_.emplace_back();
    return open(Json::object());
  }
  bool key(string_t& key) override {
    if (!keys_.back().insert(key)) {
      fault_ = fmt::format("key \"{}\" stands twice in one object", key);
      return false;
    }
    auto& object = open_.back()->get_ref<Json::object_t&>();
    object.emplace_back(key, Json());
    place_ = &object.back().second;
    return true;
  }
  bool end_object() override {
    keys_.pop_back();
    open_.pop_back();
    return true;
  }
  bool start_array(std::size_t) override { return open(Json::array()); }
  bool end_array() override {
    open_.pop_back();
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const Json::exception& error) override {
    // The library quotes what it read last, perhaps half a character.
    fault_ = repair_utf8("expected JSON: " + short_message(error.what())).text;
    return false;
  }

  // Why the value was refused.
  const std::string& fault() const { return fault_; }

 private:
  template <typename Value>
  bool add(Value&& value) {
    place(Json(std::forward<Value>(value)));
    return true;
  }

  // Where the value belongs: after a key, at an array's end, or at the root.
  Json& place(Json value) {
    if (open_.empty()) return root_ = std::move(value);
    if (open_.back()->is_object()) return *place_ = std::move(value);
    auto& array = open_.back()->get_ref<Json::array_t&>();
    array.push_back(std::move(value));
    return array.back();
  }

  bool open(Json container) {
    if (open_.size() == kMaxDepth) {
      fault_ = fmt::format("nested deeper than {} levels", kMaxDepth);
      return false;
    }
    open_.push_back(&place(std::move(container)));
    return true;
  }

  Json& root_;
  std::vector<Json*> open_;  // the containers around the next value
  std::vector<Keys> keys_;   // of the objects among them
  Json* place_ = nullptr;    // of the value of the last key
  std::string fault_;
};

const char* type_of(const Json& value) { return value.type_name(); }

Result<const Json*> field(const Json& object, std::string_view key, const std::string& where) {
  if (!object.is_object()) {
    return Error{Errc::kMalformed, fmt::format("expected a JSON object, found {}", type_of(object)),
                 where};
  }
  const auto it = object.find(key);
  if (it == object.end()) {
    return Error{Errc::kMalformed, fmt::format("expected a field \"{}\", found none", key), where};
  }
  return &*it;
}

}  // namespace

Result<Json> parse_json(std::string_view text, const std::string& where, std::size_t* repaired) {
  std::string clean;
  if (!is_valid_utf8(text)) {
    RepairedUtf8 repair = repair_utf8(text);
    clean = std::move(repair.text);
    text = clean;
    if (repaired != nullptr) *repaired += repair.replaced;
  }
  Json value;
  Builder builder(value);
  if (Json::sax_parse(text.begin(), text.end(), &builder)) return value;
  return Error{Errc::kMalformed, builder.fault(), where};
}

Result<std::string> json_string(const Json& object, std::string_view key,
                                const std::string& where) {
  RR_TRY(const Json* value, field(object, key, where));
  if (!value->is_string()) {
    return Error{Errc::kMalformed,
                 fmt::format("expected \"{}\" to be a string, found {}", key, type_of(*value)),
                 where};
  }
  return value->get<std::string>();
}

Result<std::string> json_id(const Json& object, std::string_view key, const std::string& where) {
  RR_TRY(const Json* value, field(object, key, where));
  if (value->is_number_integer()) return value->dump();
  if (value->is_string()) return value->get<std::string>();
  return Error{Errc::kMalformed,
               fmt::format("expected \"{}\" to be an id (a string or a whole number), found {}",
                           key, type_of(*value)),
               where};
}

std::string to_json_line(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace rr
