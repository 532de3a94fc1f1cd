// SPDX-License-Identifier: Apache-2.0
#include "verify/chain/difficulty.h"

#include <algorithm>
#include <boost/multiprecision/cpp_int.hpp>
#include <cmath>
#include <iterator>
#include <limits>

namespace sparkmill::chain {

namespace {

using Big = boost::multiprecision::cpp_int;

constexpr std::uint64_t kSign = std::uint64_t{1} << 55;
constexpr std::uint64_t kMantissa = kSign - 1;

Big two_to_256() { return Big(1) << 256; }

Big big_from_bits(std::uint64_t bits) {
  const auto exponent = static_cast<unsigned>(bits >> 56);
  Big target = bits & kMantissa;
  if (exponent <= 3) {
    target >>= 8 * (3 - exponent);
  } else {
    target <<= 8 * (exponent - 3);
  }
  return (bits & kSign) != 0 ? Big(-target) : target;
}

Big big_from_le(const Hash32& bytes) {
  Big out;
  boost::multiprecision::import_bits(out, bytes.begin(), bytes.end(), 8, false);
  return out;
}

/// Requires 0 <= n < 2^256.
Hash32 le_from_big(const Big& n) {
  Hash32 out{};
  Bytes bytes;
  boost::multiprecision::export_bits(n, std::back_inserter(bytes), 8, false);
  std::copy_n(bytes.begin(), std::min(bytes.size(), out.size()), out.begin());
  return out;
}

Target target_from_big(const Big& n) {
  if (n < 0) return {Target::Kind::negative, {}};
  if (n >= two_to_256()) return {Target::Kind::everything, {}};
  return {Target::Kind::limit, le_from_big(n)};
}

Big big_from_target(const Target& target) {
  switch (target.kind) {
    case Target::Kind::negative: return -1;
    case Target::Kind::everything: return two_to_256();
    case Target::Kind::limit: break;
  }
  return big_from_le(target.value);
}

Result<std::uint64_t> bits_from_big(const Big& n) {
  if (n == 0) return std::uint64_t{0};
  const Big size = abs(n);
  const std::uint64_t exponent = msb(size) / 8 + 1;  // bytes
  if (exponent > 255) return fail(Status::too_large, "target: over 255 bytes, which bits cannot say");
  const Big mantissa = exponent <= 3 ? Big(size << (8 * (3 - exponent))) : Big(size >> (8 * (exponent - 3)));
  return exponent << 56 | (n < 0 ? kSign : 0) | static_cast<std::uint64_t>(mantissa);
}

}  // namespace

Hash32 Target::bound() const {
  if (kind == Kind::limit) return value;
  Hash32 all{};
  all.fill(0xff);
  return all;
}

Target target_from_bits(std::uint64_t bits) { return target_from_big(big_from_bits(bits)); }

std::string target_text(std::uint64_t bits) {
  const Big n = big_from_bits(bits);
  const Big size = abs(n);
  return (n < 0 ? "-" : "") + size.str(0, std::ios_base::hex);
}

std::uint64_t bits_from_target(const Target& target) {
  if (target.kind == Target::Kind::negative) return 0;
  return *bits_from_big(big_from_target(target));  // at most 33 bytes: fits
}

Result<std::uint64_t> bits_from_target_text(std::string_view hex) {
  const auto is_digit = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
  };
  if (hex.empty() || hex.size() > 512 || !std::all_of(hex.begin(), hex.end(), is_digit)) {
    return fail(Status::bad_input, "target: not 1 to 512 hex digits");
  }
  return bits_from_big(Big("0x" + std::string(hex)));
}

bool meets(const Hash32& result, const Target& target) {
  if (target.kind != Target::Kind::limit) return target.kind == Target::Kind::everything;
  for (std::size_t i = result.size(); i-- > 0;) {
    if (result[i] != target.value[i]) return result[i] < target.value[i];
  }
  return true;
}

Target target_of_difficulty(std::uint64_t difficulty) {
  if (difficulty <= 1) return {Target::Kind::everything, {}};
  return target_from_big(two_to_256() / difficulty);
}

Result<Target> target_from_top_bytes(ByteView reversed) {
  Target out;
  if (reversed.empty() || reversed.size() > out.value.size()) {
    return fail(Status::bad_input, "target: " + std::to_string(reversed.size()) + " bytes, 1 to 32 make sense");
  }
  std::copy(reversed.begin(), reversed.end(), out.value.end() - static_cast<std::ptrdiff_t>(reversed.size()));
  return out;
}

Hash32 work(const Target& target) {
  const Big n = big_from_target(target);
  return n <= 0 ? Hash32{} : le_from_big(two_to_256() / (n + 1));
}

double expected_hashes(const Target& target) {
  if (target.kind == Target::Kind::everything) return 1;
  if (!target.possible()) return std::numeric_limits<double>::infinity();
  return std::ldexp(1.0, 256) / static_cast<double>(Big(big_from_le(target.value) + 1));
}

Result<std::uint64_t> scale_bits(std::uint64_t bits, std::int64_t numerator, std::uint64_t denominator) {
  const Big product = big_from_bits(bits) * numerator;
  Big scaled = product / denominator;  // towards zero
  if (product < 0 && scaled * denominator != product) scaled -= 1;
  return bits_from_big(scaled);
}

bool harder_or_equal(std::uint64_t a, std::uint64_t b) { return big_from_bits(a) <= big_from_bits(b); }

}  // namespace sparkmill::chain
