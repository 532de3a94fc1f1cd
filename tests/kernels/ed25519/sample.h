// SPDX-License-Identifier: Apache-2.0
// Batches for tests: items one by one, packed when they are run; signatures with torsion made from the oracle's group.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/hash.h"
#include "kernels/ed25519/reference.h"
#include "tests/kernels/runners.h"

namespace sparkmill::ed25519::test {

using Group = reference::Group<reference::Curve25519>;
using Signature = std::array<std::uint8_t, 64>;

struct Item {
  Hash32 key{};
  Signature signature{};
  Bytes message;
};

struct Verdicts {
  Bytes valid, evidence;
  bool operator==(const Verdicts&) const = default;
};

struct Packed {
  Bytes keys, signatures, messages;
  std::vector<std::uint64_t> offsets{0};
  explicit Packed(std::span<const Item> items) {
    for (const Item& i : items) {
      keys.insert(keys.end(), i.key.begin(), i.key.end());
      signatures.insert(signatures.end(), i.signature.begin(), i.signature.end());
      messages.insert(messages.end(), i.message.begin(), i.message.end());
      offsets.push_back(messages.size());
    }
  }
  kernels::SignatureBatch batch() const { return {offsets.size() - 1, keys, signatures, messages, offsets}; }
};

inline Verdicts run(Kernel& kernel, Policy policy, std::span<const Item> items, bool evidence = true) {
  const Packed packed(items);
  Verdicts v{Bytes(items.size(), 9), Bytes(evidence ? items.size() * kEvidenceBytes : 0, 9)};
  const Done ran = kernel.verify_vartime(policy, packed.batch(), {v.valid, v.evidence}, StopToken());
  EXPECT_TRUE(ran) << (ran ? "" : ran.error().message);
  return v;
}

using Runner = kernels::test::Runner<Kernel>;

inline std::vector<Runner> make_runners(std::vector<std::string>& failures) {
  return kernels::test::make_runners<Kernel>(kernels::Family::ed25519, failures);
}

inline Runner reference_runner() {
  const kernels::Row* row = kernels::find_row(kernels::Family::ed25519, "reference");
  Runner r{row->id(), std::move(*row->make({})), nullptr};
  r.kernel = dynamic_cast<Kernel*>(r.owner.get());
  return r;
}

/// Scalars mod L by the oracle's slow arithmetic.
inline Group::Scalar scalar_sum(const Group::Scalar& a, const Group::Scalar& b) {
  reference::Number<64> wide{};
  unsigned carry = 0;
  for (std::size_t k = 0; k < 33; ++k) {
    const unsigned byte = carry + (k < 32 ? a[k] + b[k] : 0u);
    wide[k] = static_cast<std::uint8_t>(byte);
    carry = byte >> 8;
  }
  return reference::modulo(wide, reference::Curve25519::order());
}
inline Group::Scalar scalar_product(const Group::Scalar& a, const Group::Scalar& b) {
  reference::Number<64> wide{};
  for (std::size_t i = 0; i < 32; ++i) {
    unsigned carry = 0;
    for (std::size_t j = 0; j < 32; ++j) {
      const unsigned byte = wide[i + j] + carry + unsigned{a[i]} * b[j];
      wide[i + j] = static_cast<std::uint8_t>(byte);
      carry = byte >> 8;
    }
    wide[i + 32] = static_cast<std::uint8_t>(carry);
  }
  return reference::modulo(wide, reference::Curve25519::order());
}
inline Group::Scalar random_scalar(ChaChaWords& words) {
  reference::Number<64> wide;
  for (std::uint8_t& byte : wide) byte = static_cast<std::uint8_t>(words.u32());
  return reference::modulo(wide, reference::Curve25519::order());
}

/// A point of order 8.
inline constexpr Hash32 kOrderEight = {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b,
                                       0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
                                       0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a};
/// n times that point.
inline Group::Point torsion(unsigned n) {
  bool canonical = false;
  const auto generator = Group::decode(kOrderEight, canonical);
  Group::Point p = Group::identity();
  for (unsigned k = 0; k < n; ++k) p = Group::add(p, *generator);
  return p;
}

/// A signature whose A and R are off the prime-order subgroup by given torsion.
inline Item signed_with_torsion(ChaChaWords& words, unsigned of_a, unsigned of_r, Bytes message) {
  const Group::Scalar secret = random_scalar(words), nonce = random_scalar(words);
  Item item;
  item.message = std::move(message);
  item.key = Group::encode(Group::add(Group::multiply_vartime(secret, Group::base()), torsion(of_a)));
  const Hash32 r = Group::encode(Group::add(Group::multiply_vartime(nonce, Group::base()), torsion(of_r)));
  const Group::Scalar k = reference::challenge(r, item.key, item.message);
  const Group::Scalar s = scalar_sum(nonce, scalar_product(k, secret));
  std::copy(r.begin(), r.end(), item.signature.begin());
  std::copy(s.begin(), s.end(), item.signature.begin() + 32);
  return item;
}

}  // namespace sparkmill::ed25519::test
