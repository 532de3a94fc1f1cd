// SPDX-License-Identifier: Apache-2.0
// Batches for tests: items one by one, packed when they are run; signatures made from the oracle's group, also without
// a secret key, from any u1, u2 and Q that a test wants.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/hash.h"
#include "base/hex.h"
#include "kernels/secp256k1/reference.h"
#include "tests/kernels/runners.h"

namespace sparkmill::secp256k1::test {

using Group = reference::Group<reference::Secp256k1>;

struct Item {
  Bytes key, signature, message;
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

struct Verdicts {
  Bytes valid, evidence, public_keys;
  bool operator==(const Verdicts&) const = default;
};

inline Verdicts run(Kernel& kernel, Check which, std::span<const Item> items, bool evidence = true) {
  const Packed packed(items);
  Verdicts v{Bytes(items.size(), 9), Bytes(evidence ? items.size() * kEvidenceBytes : 0, 9), {}};
  const Done ran = kernel.verify_vartime(which, packed.batch(), {v.valid, v.evidence}, StopToken());
  EXPECT_TRUE(ran) << (ran ? "" : ran.error().message);
  return v;
}
inline Verdicts run(Kernel& kernel, RecoverRule rule, std::span<const Item> items, bool evidence = true) {
  const Packed packed(items);
  Verdicts v{Bytes(items.size(), 9), Bytes(evidence ? items.size() * kEvidenceBytes : 0, 9),
             Bytes(items.size() * kPublicKeyBytes, 9)};
  const Done ran = kernel.recover_vartime(rule, packed.batch(), {v.valid, v.evidence}, v.public_keys, StopToken());
  EXPECT_TRUE(ran) << (ran ? "" : ran.error().message);
  return v;
}

using Runner = kernels::test::Runner<Kernel>;

inline std::vector<Runner> make_runners(std::vector<std::string>& failures) {
  return kernels::test::make_runners<Kernel>(kernels::Family::secp256k1, failures);
}
inline Runner reference_runner() {
  const kernels::Row* row = kernels::find_row(kernels::Family::secp256k1, "reference");
  Runner r{row->id(), std::move(*row->make({})), nullptr};
  r.kernel = dynamic_cast<Kernel*>(r.owner.get());
  return r;
}

/// All rows beside the oracle, made and self-tested once.
inline std::vector<std::string>& failures() {
  static std::vector<std::string> list;
  return list;
}
inline std::vector<Runner>& runners() {
  static std::vector<Runner> list = make_runners(failures());
  return list;
}
inline Runner& oracle() {
  static Runner r = reference_runner();
  return r;
}

/// All rows give the oracle's bytes; the oracle is asked once. Mode: a Check or a RecoverRule.
template <class Mode>
Verdicts expect_as_oracle(Mode mode, std::span<const Item> items) {
  const Verdicts want = run(*oracle().kernel, mode, items);
  for (Runner& r : runners()) {
    const Verdicts got = run(*r.kernel, mode, items), plain = run(*r.kernel, mode, items, false);
    for (std::size_t i = 0; i < items.size(); ++i) {
      const auto part = [i](const Bytes& b, std::size_t n) {
        return Bytes(b.begin() + i * n, b.begin() + (i + 1) * n);
      };
      const bool same = got.valid[i] == want.valid[i] && plain.valid[i] == want.valid[i] &&
                        part(got.evidence, kEvidenceBytes) == part(want.evidence, kEvidenceBytes);
      EXPECT_TRUE(same) << r.label << ", item " << i << ": " << int{got.valid[i]} << ", without evidence "
                        << int{plain.valid[i]} << ", oracle " << int{want.valid[i]} << ", key " << to_hex(items[i].key)
                        << ", signature " << to_hex(items[i].signature) << ", message " << to_hex(items[i].message);
      if (!same) break;
    }
    EXPECT_EQ(got.public_keys, want.public_keys) << r.label;
    EXPECT_EQ(plain.public_keys, want.public_keys) << r.label << " without evidence";
  }
  return want;
}

inline Scalar random_scalar(ChaChaWords& words) {
  return Scalar::reduced({words.u64(), words.u64(), words.u64(), words.u64()});
}
inline Scalar scalar(std::uint64_t n) { return Scalar::reduced({n, 0, 0, 0}); }
/// A root of x^2 + x + 1 mod N.
inline Scalar lambda() {
  return Scalar::reduced({0xdf02967c1b23bd72, 0x122e22ea20816678, 0xa5261c028812645a, 0x5363ad4cc05c30e0});
}
inline Group::Point times(const Scalar& n, const Group::Point& p) {
  return Group::combine_vartime(n.number(), p, {}, p);
}
inline Group::Point base() { return Group::point(Group::base()); }

inline void append(Bytes& to, const Words4& n) {
  to.resize(to.size() + 32);
  to_big_endian(n, to.data() + to.size() - 32);
}
inline Bytes bytes_of(const Words4& a) {
  Bytes out;
  append(out, a);
  return out;
}
inline Bytes bytes_of(const Words4& a, const Words4& b) {
  Bytes out = bytes_of(a);
  append(out, b);
  return out;
}
inline Bytes key_bytes(const Group::Affine& q) { return bytes_of(q.x.number(), q.y.number()); }
inline Item compressed(Item item) {
  const std::uint8_t head = item.key[63] % 2 == 0 ? 2 : 3;
  item.key.resize(32);
  item.key.insert(item.key.begin(), head);
  return item;
}

/// The ECDSA signature whose equation is R = [u1]G + [u2]Q; valid unless R is infinity, then r is `otherwise`.
inline Item ecdsa_of(const Scalar& u1, const Scalar& u2, const Group::Affine& q, const Scalar& otherwise) {
  const Group::Point point = Group::sum({u1.number(), u2.number(), q});
  const Scalar r = Group::is_infinity(point) ? otherwise : Scalar::reduced(Group::affine(point).x.number());
  const Scalar s = r * u2.inverse();
  return {key_bytes(q), bytes_of(r.number(), s.number()), bytes_of((u1 * s).number())};
}
inline Item ecdsa_signed(const Scalar& secret, const Scalar& nonce, const Words4& digest) {
  const Scalar r = Scalar::reduced(Group::affine(times(nonce, base())).x.number());
  const Scalar s = (Scalar::reduced(digest) + r * secret) * nonce.inverse();
  return {key_bytes(Group::affine(times(secret, base()))), bytes_of(r.number(), s.number()), bytes_of(digest)};
}
/// With the nonce's and the key's sign as BIP-340 wants them.
inline Item bip340_signed(Scalar secret, Scalar nonce, Bytes message) {
  const Group::Affine p = Group::affine(times(secret, base())), r = Group::affine(times(nonce, base()));
  if (p.y.odd()) secret = Scalar::zero() - secret;
  if (r.y.odd()) nonce = Scalar::zero() - nonce;
  const Bytes key = bytes_of(p.x.number()), x = bytes_of(r.x.number());
  const Scalar e = Scalar::reduced(reference::bip340_challenge(x, key, message));
  return {key, bytes_of(r.x.number(), (nonce + e * secret).number()), std::move(message)};
}
/// Recovers [u1]G + [u2]R with R = [nonce]G.
inline Item recovery_of(const Scalar& u1, const Scalar& u2, const Scalar& nonce) {
  const Group::Affine point = Group::affine(times(nonce, base()));
  const Scalar r = Scalar::reduced(point.x.number());
  Item item{{}, bytes_of(r.number(), (u2 * r).number()), bytes_of((Scalar::zero() - u1 * r).number())};
  item.signature.push_back(
      static_cast<std::uint8_t>((point.y.odd() ? 1 : 0) + (point.x.number() != r.number() ? 2 : 0)));
  return item;
}

}  // namespace sparkmill::secp256k1::test
