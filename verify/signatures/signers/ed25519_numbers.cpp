// SPDX-License-Identifier: Apache-2.0
#include "verify/signatures/signers/ed25519_numbers.h"

#include <sodium.h>

namespace sparkmill::signatures::ed25519_numbers {

Number reduced(const std::array<std::uint8_t, 64>& wide) {
  Number out{};
  crypto_core_ed25519_scalar_reduce(out.data(), wide.data());
  return out;
}

Number times_base(const Number& n) {
  Number out{};
  if (crypto_scalarmult_ed25519_base_noclamp(out.data(), n.data()) != 0) out = kNeutral;
  return out;
}

Number times(const Number& n, const Number& p) {
  Number out{};
  if (crypto_scalarmult_ed25519_noclamp(out.data(), n.data(), p.data()) != 0) out = kNeutral;
  return out;
}

Number sum(const Number& p, const Number& q) {
  Number out{};
  (void)crypto_core_ed25519_add(out.data(), p.data(), q.data());  // fails for what is no point
  return out;
}

Number product_plus(const Number& a, const Number& b, const Number& c) {
  Number out{};
  crypto_core_ed25519_scalar_mul(out.data(), a.data(), b.data());
  crypto_core_ed25519_scalar_add(out.data(), out.data(), c.data());
  return out;
}

Number challenge(ByteView r, ByteView a, ByteView m) {
  crypto_hash_sha512_state state;
  crypto_hash_sha512_init(&state);
  for (const ByteView part : {r, a, m}) crypto_hash_sha512_update(&state, part.data(), part.size());
  std::array<std::uint8_t, 64> wide{};
  crypto_hash_sha512_final(&state, wide.data());
  return reduced(wide);
}

void add_order(std::uint8_t* s) {
  static constexpr Number kOrder = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7,
                                    0xa2, 0xde, 0xf9, 0xde, 0x14, 0,    0,    0,    0,    0,    0,
                                    0,    0,    0,    0,    0,    0,    0,    0,    0,    0x10};
  unsigned carry = 0;
  for (std::size_t k = 0; k < kOrder.size(); ++k) {
    carry += unsigned{s[k]} + kOrder[k];
    s[k] = static_cast<std::uint8_t>(carry);
    carry >>= 8;
  }
}

}  // namespace sparkmill::signatures::ed25519_numbers
