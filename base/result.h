// SPDX-License-Identifier: Apache-2.0
// The closed list of what can go wrong, and Result<T>: a value or an Error that names the input and the fix.
// A negative answer (a wrong proof, a bad signature) is a value, not an Error.
#pragma once

#include <cassert>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace sparkmill {

enum class Status : std::uint8_t {
  ok = 0,
  bad_argument,      ///< the caller broke a contract
  bad_input,         ///< a file, message or option is malformed
  bad_config,        ///< configuration refused
  not_found,         ///< a file, blob, row or id does not exist
  io_error,          ///< reading or writing failed
  no_space,          ///< disk full
  corrupt,           ///< content does not match its hash or checksum
  refused,           ///< a peer said no (login, version, signature)
  unreachable,       ///< a peer did not answer
  timeout,           ///< a peer or a device was too slow
  late,              ///< past its deadline
  duplicate,         ///< already counted
  cancelled,         ///< a stop token fired
  too_large,         ///< over a stated limit
  no_device,         ///< nothing here can run it
  self_test_failed,  ///< a kernel row gave a wrong known answer
  mismatch,          ///< two computations that must agree do not
  locked,            ///< somebody else holds it
  unsupported,       ///< valid, but not in this build or on this device
  internal,          ///< a bug of ours
};

/// Short stable name, e.g. "bad_input": used in JSON errors and logs.
std::string_view name(Status status);

/// The process exit code for a failure, docs/exit-codes.md.
int exit_code(Status status);

struct [[nodiscard]] Error {
  Status code = Status::internal;
  std::string message;  ///< names the input, e.g. "faces.pcbt: header says n = 100, not a multiple of 64"
  std::string hint;     ///< what to do about it; may be empty
};

inline Error fail(Status code, std::string message, std::string hint = {}) {
  return {code, std::move(message), std::move(hint)};
}

template <class T = std::monostate>
class [[nodiscard]] Result {
 public:
  Result(T value) : v_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : v_(std::in_place_index<1>, std::move(error)) {}

  explicit operator bool() const { return v_.index() == 0; }
  bool ok() const { return v_.index() == 0; }
  T& value() & { return checked(), std::get<0>(v_); }
  const T& value() const& { return checked(), std::get<0>(v_); }
  T&& value() && { return checked(), std::get<0>(std::move(v_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  const Error& error() const { return std::get<1>(v_); }
  Status status() const { return ok() ? Status::ok : error().code; }

 private:
  void checked() const { assert(ok()); }
  std::variant<T, Error> v_;
};

using Done = Result<std::monostate>;
inline Done done() { return std::monostate{}; }

}  // namespace sparkmill

/// Returns the error of `expr` (a Result) from the current function; otherwise goes on.
#define SPARKMILL_TRY(expr)                           \
  do {                                                \
    if (auto try_result = (expr); !try_result.ok()) { \
      return try_result.error();                      \
    }                                                 \
  } while (false)

#define SPARKMILL_CONCAT2(a, b) a##b
#define SPARKMILL_CONCAT(a, b) SPARKMILL_CONCAT2(a, b)
/// `SPARKMILL_ASSIGN(auto x, f());`: x is the value of f(), or the error is returned.
#define SPARKMILL_ASSIGN(decl, expr) SPARKMILL_ASSIGN2(decl, expr, SPARKMILL_CONCAT(assign_result_, __LINE__))
#define SPARKMILL_ASSIGN2(decl, expr, tmp) \
  auto tmp = (expr);                       \
  if (!(tmp).ok()) return (tmp).error();   \
  decl = std::move(*(tmp))
