#include "rr/base/json.h"

#include <fmt/core.h>

#include <unordered_set>
#include <vector>

#include "rr/base/utf8.h"

namespace rr {
namespace {

constexpr int kMaxDepth = 200;

// Refuses what nlohmann's parser would take: deep nesting (its destructor recurses) and repeated
// keys (the later one would win in silence).
class StrictCallback {
 public:
  bool operator()(int depth, Json::parse_event_t event, const Json& value) {
    if (depth > kMaxDepth && fault_.empty()) {
      fault_ = fmt::format("nested deeper than {} levels", kMaxDepth);
    }
    switch (event) {
      case Json::parse_event_t::object_start:
        keys_.emplace_back();
        break;
      case Json::parse_event_t::key:
        if (!keys_.back().insert(value.get_ref<const std::string&>()).second && fault_.empty()) {
          fault_ = fmt::format("key \"{}\" stands twice in one object",
                               value.get_ref<const std::string&>());
        }
        break;
      case Json::parse_event_t::object_end:
        keys_.pop_back();
        break;
      default:
        break;
    }
    return fault_.empty();
  }

  const std::string& fault() const { return fault_; }

 private:
  std::vector<std::unordered_set<std::string>> keys_;
  std::string fault_;
};

// "parse error at line 1, column 2: syntax error while ..." without the library's prefix.
std::string short_message(const std::string& what) {
  const std::size_t bracket = what.find("] ");
  return bracket == std::string::npos ? what : what.substr(bracket + 2);
}

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
  StrictCallback strict;
  try {
    Json value = Json::parse(text.begin(), text.end(), std::ref(strict));
    if (!strict.fault().empty()) return Error{Errc::kMalformed, strict.fault(), where};
    return value;
  } catch (const Json::exception& error) {
    return Error{Errc::kMalformed, "expected JSON: " + short_message(error.what()), where};
  }
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
