// SPDX-License-Identifier: Apache-2.0
#include <charconv>
#include <cstdio>

#include "base/hex.h"
#include "verify/unit/unit.h"

namespace sparkmill::unit {
namespace {

constexpr std::string_view kPrefix = "smk_";
constexpr std::size_t kIdDigits = 32;
constexpr std::size_t kIndexDigits = 5;
constexpr std::size_t kUnitLength = kPrefix.size() + kIdDigits + 1 + kIndexDigits;

Error not_ours(std::string_view name) {
  return fail(Status::bad_input, "'" + std::string(name) + "' is not a name of ours",
              "units are called smk_<job id>_<index>, their results smk_<job id>_<index>_<number>");
}

/// The length of the leading digits that make a canonical number, 0 if none.
std::size_t number_length(std::string_view text) {
  const std::size_t n = std::min(text.find_first_not_of("0123456789"), text.size());
  return n > 9 || (n > 1 && text[0] == '0') ? 0 : n;
}

}  // namespace

std::string unit_name(const Id16& whole_id, std::uint32_t index) {
  char digits[16];
  std::snprintf(digits, sizeof digits, "%0*u", static_cast<int>(kIndexDigits), index);
  return std::string(kPrefix) + to_hex(whole_id) + "_" + digits;
}

std::string input_name(const Hash32& hash) { return std::string(kPrefix) + "in_" + to_hex(hash); }

Result<ResultName> parse_unit_name(std::string_view name) {
  if (name.size() != kUnitLength || name.substr(0, kPrefix.size()) != kPrefix) return not_ours(name);
  const std::string_view hex = name.substr(kPrefix.size(), kIdDigits);
  const std::string_view index = name.substr(kPrefix.size() + kIdDigits + 1);
  if (hex.find_first_not_of("0123456789abcdef") != std::string_view::npos) return not_ours(name);
  ResultName out;
  const auto id = array_from_hex<16>(hex);
  const auto [end, ec] = std::from_chars(index.data(), index.data() + index.size(), out.index);
  if (!id || ec != std::errc() || end != index.data() + index.size() || name[kUnitLength - kIndexDigits - 1] != '_') {
    return not_ours(name);
  }
  out.whole_id = *id;
  out.unit = name;
  return out;
}

Result<ResultName> parse_result_name(std::string_view file_or_result) {
  const std::string_view name = file_or_result.substr(file_or_result.rfind('/') + 1);
  if (name.size() <= kUnitLength + 1 || name[kUnitLength] != '_') return not_ours(name);
  auto out = parse_unit_name(name.substr(0, kUnitLength));
  if (!out) return not_ours(name);
  const std::string_view rest = name.substr(kUnitLength + 1);
  const std::size_t digits = number_length(rest);
  if (digits == 0 || (digits != rest.size() && rest[digits] != '_') || name.size() > 255) return not_ours(name);
  out->result = name.substr(0, kUnitLength + 1 + digits);
  return out;
}

}  // namespace sparkmill::unit
