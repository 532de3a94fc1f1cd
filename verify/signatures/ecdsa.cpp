// SPDX-License-Identifier: Apache-2.0
#include "verify/signatures/ecdsa.h"

#include <algorithm>
#include <cstring>

#include "verify/signatures/addresses.h"

namespace sparkmill::signatures {
namespace {

constexpr std::uint8_t kSequence = 0x30, kInteger = 0x02;

/// N / 2, rounded down.
constexpr std::array<std::uint8_t, 32> kHalfOrder = {0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                                     0xff, 0xff, 0xff, 0xff, 0xff, 0x5d, 0x57, 0x6e, 0x73, 0x57, 0xa4,
                                                     0x50, 0x1d, 0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0};

/// Takes one INTEGER off the front of `der` and puts it right-aligned into 32 bytes; false: malformed or too large.
bool take_integer(ByteView& der, std::uint8_t* out) {
  if (der.size() < 3 || der[0] != kInteger) return false;
  // r and s have at most 33 bytes, so a length over 127 and its long form cannot be right.
  const std::size_t length = der[1];
  if (length == 0 || length > 33 || length > der.size() - 2) return false;
  ByteView number = der.subspan(2, length);
  if ((number[0] & 0x80) != 0) return false;                                  // negative
  if (length > 1 && number[0] == 0 && (number[1] & 0x80) == 0) return false;  // padded
  if (number[0] == 0 && length > 1) number = number.subspan(1);
  if (number.size() > 32) return false;
  std::memset(out, 0, 32);
  std::memcpy(out + 32 - number.size(), number.data(), number.size());
  der = der.subspan(2 + length);
  return true;
}

void append_integer(ByteView number, Bytes& out) {
  while (number.size() > 1 && number[0] == 0) number = number.subspan(1);
  const bool pad = (number[0] & 0x80) != 0;
  out.push_back(kInteger);
  out.push_back(static_cast<std::uint8_t>(number.size() + (pad ? 1 : 0)));
  if (pad) out.push_back(0);
  out.insert(out.end(), number.begin(), number.end());
}

/// The value of a big-endian word when it is below 2^32; larger ones only matter to EIP-155, which asks the last bit.
std::optional<std::uint32_t> small(ByteView v) {
  std::uint32_t value = 0;
  for (std::size_t k = 0; k < v.size(); ++k) {
    if (k + 4 < v.size() && v[k] != 0) return std::nullopt;
    value = value << 8 | v[k];
  }
  return value;
}

}  // namespace

std::optional<std::array<std::uint8_t, 64>> parse_der(ByteView der) {
  std::array<std::uint8_t, 64> out{};
  // Two INTEGERs of up to 35 bytes: the length of the SEQUENCE fits the short form.
  if (der.size() < 2 || der[0] != kSequence || der[1] > 127 || der[1] != der.size() - 2) return std::nullopt;
  der = der.subspan(2);
  if (!take_integer(der, out.data()) || !take_integer(der, out.data() + 32) || !der.empty()) return std::nullopt;
  return out;
}

Bytes encode_der(ByteView r_s) {
  Bytes out = {kSequence, 0};
  append_integer(r_s.first(32), out);
  append_integer(r_s.subspan(32, 32), out);
  out[1] = static_cast<std::uint8_t>(out.size() - 2);
  return out;
}

bool is_low_s(ByteView s) {
  return !std::lexicographical_compare(kHalfOrder.begin(), kHalfOrder.end(), s.begin(), s.end());
}

std::optional<std::uint8_t> recovery_id(Caller caller, ByteView v) {
  const auto value = small(v);
  const auto within = [](std::uint32_t n, std::uint32_t low, std::uint32_t high) { return n >= low && n <= high; };
  switch (caller) {
    case Caller::evm_precompile:
    case Caller::ethereum_homestead:
    case Caller::openzeppelin:
    case Caller::tron_precompile:
      if (!value || !within(*value, 27, 28)) return std::nullopt;
      return static_cast<std::uint8_t>(*value - 27);
    case Caller::ethereum_transaction:
      if (value && *value < 2) return static_cast<std::uint8_t>(*value);
      if (value && within(*value, 27, 28)) return static_cast<std::uint8_t>(*value - 27);
      if (value && *value < 35) return std::nullopt;
      return static_cast<std::uint8_t>((v.back() + 1) & 1);  // 35 + 2 chain + parity
    case Caller::tron_multisign: {
      if (!value || *value > 28) return std::nullopt;
      const std::uint32_t normal = *value < 27 ? *value + 27 : *value;
      if (!within(normal, 27, 28)) return std::nullopt;
      return static_cast<std::uint8_t>(normal - 27);
    }
    case Caller::tron_transaction: {
      if (!value) return std::nullopt;
      // A signed byte: 128 and more are negative, and + 27 leaves them below 27 or beyond 34.
      const int read = v.back() < 128 ? v.back() : v.back() - 256;
      const int normal = read < 27 ? static_cast<std::int8_t>(read + 27) : read;
      if (normal < 27 || normal > 34) return std::nullopt;
      return static_cast<std::uint8_t>((normal - 27) & 3);
    }
  }
  return std::nullopt;
}

bool demands_low_s(Caller caller) {
  return caller == Caller::ethereum_transaction || caller == Caller::ethereum_homestead ||
         caller == Caller::openzeppelin;
}
bool ranges_r_and_s(Caller caller) { return caller != Caller::tron_transaction; }
bool is_tron(Caller caller) {
  return caller == Caller::tron_precompile || caller == Caller::tron_multisign || caller == Caller::tron_transaction;
}

std::array<std::uint8_t, 20> address_of(ByteView public_key) {
  std::array<std::uint8_t, 20> out{};
  addresses_of(public_key, out);
  return out;
}

}  // namespace sparkmill::signatures
