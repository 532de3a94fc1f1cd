// SPDX-License-Identifier: Apache-2.0
// Strict reading of flat JSON objects: each getter names the field in its error, the first error wins, and a message is
// taken only when every demanded field was there with the right type and size.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "base/hex.h"
#include "base/result.h"

namespace sparkmill::protocol {

/// Linear in the text. Errors: bad_input when it is no JSON, an object names a member twice, or lists and objects stand
/// in each other more than `depth` deep.
Done check_json(std::string_view text, std::string_view what, std::size_t depth);

/// Parses a JSON object. Error: bad_input for anything else, a duplicate member, nesting deeper than 8, or more than
/// `limit` bytes.
Result<nlohmann::json> parse_object(std::string_view text, std::string_view what, std::size_t limit);

/// Refuses members that are not in `known`: requests are closed, answers may grow.
Done only_members(const nlohmann::json& object, std::initializer_list<std::string_view> known, std::string_view what);

class ObjectReader {
 public:
  ObjectReader(const nlohmann::json& object, std::string_view what) : object_(object), what_(what) {}

  bool has(const char* field) const { return object_.contains(field); }
  std::uint64_t integer(const char* field, std::uint64_t min, std::uint64_t max);
  bool boolean(const char* field);
  std::string text(const char* field, std::size_t max_bytes);
  std::vector<std::string> texts(const char* field, std::size_t max_items, std::size_t max_bytes);
  Bytes bytes(const char* field, std::size_t max_bytes);
  template <std::size_t N>
  std::array<std::uint8_t, N> array(const char* field) {
    std::array<std::uint8_t, N> out{};
    const std::string hex = text(field, 2 * N);
    if (error_) return out;
    auto value = array_from_hex<N>(hex, what_ + "." + field);
    if (!value) return set(value.error()), out;
    return *value;
  }
  const nlohmann::json* list(const char* field, std::size_t max_items);

  /// The first error, if any.
  Done finish() const {
    if (error_) return *error_;
    return done();
  }

 private:
  const nlohmann::json* get(const char* field);
  void set(Error error) {
    if (!error_) error_ = std::move(error);
  }
  void wrong(const char* field, std::string_view expected);
  const nlohmann::json& object_;
  std::string what_;
  std::optional<Error> error_;
};

}  // namespace sparkmill::protocol
