#pragma once

#include <string>
#include <utility>
#include <variant>

#include "rr/base/check.h"

namespace rr {

// What the caller can do about a failure; the text is for people.
enum class Errc {
  kMalformed,    // input breaks its format: report where, skip or stop
  kNotFound,     // a file, a docid or a model that should be there is not
  kUnavailable,  // a backend or a resource is down, busy or full: trying again later may help
  kRejected,     // a backend understood and said no: trying again will not help
};

struct Error {
  Errc code;
  std::string message;  // what was expected and what was seen, one line, no full stop
  std::string where;    // "qrels.txt:17", a URL, a qid: enough to look it up

  // "where: message", or the message alone where `where` is empty.
  std::string to_string() const { return where.empty() ? message : where + ": " + message; }
};

// A value, or the reason why there is none.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: implicit
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT: implicit

  bool ok() const { return state_.index() == 0; }

  // Requires ok().
  T& value() & {
    RR_CHECK(ok(), "value() of a failed Result");
    return *std::get_if<0>(&state_);
  }
  const T& value() const& {
    RR_CHECK(ok(), "value() of a failed Result");
    return *std::get_if<0>(&state_);
  }
  T&& value() && { return std::move(value()); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  // Requires !ok().
  const Error& error() const& {
    RR_CHECK(!ok(), "error() of a successful Result");
    return *std::get_if<1>(&state_);
  }
  Error&& error() && {
    RR_CHECK(!ok(), "error() of a successful Result");
    return std::move(*std::get_if<1>(&state_));
  }

 private:
  std::variant<T, Error> state_;
};

// Success, or the reason why not. `return ok_status();` says success.
using Status = Result<std::monostate>;
inline Status ok_status() { return Status(std::monostate{}); }

}  // namespace rr

#define RR_INTERNAL_JOIN2(a, b) a##b
#define RR_INTERNAL_JOIN(a, b) RR_INTERNAL_JOIN2(a, b)
#define RR_INTERNAL_TRY(result, declaration, ...)     \
  auto result = (__VA_ARGS__);                        \
  if (!result.ok()) return std::move(result).error(); \
  declaration = std::move(result).value()

// RR_TRY(Judgement judgement, parse(line)): declares and sets it, or returns the error.
#define RR_TRY(declaration, ...) \
  RR_INTERNAL_TRY(RR_INTERNAL_JOIN(rr_result_, __LINE__), declaration, __VA_ARGS__)

// RR_TRY_STATUS(write(file)): returns the error, if there is one.
#define RR_TRY_STATUS(...)                                    \
  do {                                                        \
    auto rr_status = (__VA_ARGS__);                           \
    if (!rr_status.ok()) return std::move(rr_status).error(); \
  } while (false)
