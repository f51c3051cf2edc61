#pragma once

#include <compare>
#include <cstddef>
#include <functional>
#include <string>
#include <utility>

namespace rr {

// An identifier that is text: a Qid is not a Docid, though both are strings. Never empty once read
// from a file; may hold blanks (ir/run_file.h says how they are written). Compares as bytes.
template <typename Tag>
class Id {
 public:
  Id() = default;
  explicit Id(std::string value) : value_(std::move(value)) {}

  const std::string& str() const { return value_; }

  friend auto operator<=>(const Id&, const Id&) = default;

 private:
  std::string value_;
};

using Qid = Id<struct QidTag>;
using Docid = Id<struct DocidTag>;

}  // namespace rr

template <typename Tag>
struct std::hash<rr::Id<Tag>> {
  std::size_t operator()(const rr::Id<Tag>& id) const noexcept {
    return std::hash<std::string>{}(id.str());
  }
};
