// SPDX-License-Identifier: Apache-2.0
// The encodings with exceptions are few enough to be listed.
#include "kernels/ed25519/encoding.h"

#include <algorithm>

namespace sparkmill::ed25519 {
namespace {

constexpr std::uint64_t kOnes = ~std::uint64_t{0};
constexpr std::uint64_t kTop = kOnes >> 1;

/// p + n for -19 <= n < 19.
constexpr Words4 near_prime(std::int64_t n) { return {kOnes - 18 + static_cast<std::uint64_t>(n), kOnes, kOnes, kTop}; }

constexpr Words4 kPlusOne = {1, 0, 0, 0}, kMinusOne = near_prime(-1);

/// y of the eight points of small order, in every encoding below 2^255.
constexpr Words4 kSmallOrder[] = {
    kPlusOne,
    near_prime(1),
    kMinusOne,
    {0, 0, 0, 0},
    near_prime(0),
    {0xb027b2c28f95e826, 0xf098eff289f4c345, 0x3933c6d305acdfd5, 0x05fc536d880238b1},
    {0x4fd84d3d706a17c7, 0x0f67100d760b3cba, 0xc6cc392cfa53202a, 0x7a03ac9277fdc74e},
};

}  // namespace

bool is_canonical(const Words4& a) {
  const Words4 y = without_sign(a);
  if (y[3] == kTop && y[2] == kOnes && y[1] == kOnes && y[0] >= near_prime(0)[0]) return false;
  return (a[3] & kSignBit) == 0 || (y != kPlusOne && y != kMinusOne);
}

bool has_small_order(const Words4& a) {
  return std::find(std::begin(kSmallOrder), std::end(kSmallOrder), without_sign(a)) != std::end(kSmallOrder);
}

}  // namespace sparkmill::ed25519
