// SPDX-License-Identifier: Apache-2.0
// Batches for tests: items one by one, packed when they are run; keys of OpenSSL, and big numbers by it.
#pragma once

#include <gtest/gtest.h>
#include <openssl/bn.h>

#include <memory>
#include <string>
#include <vector>

#include "base/hash.h"
#include "kernels/rsa/encoding.h"
#include "tests/kernels/runners.h"

namespace sparkmill::rsa::test {

using Block = std::array<std::uint8_t, kModulusBytes>;

struct Item {
  Block key{};
  Block signature{};
  Bytes message = Bytes(kHashBytes);
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

inline Verdicts run(Kernel& kernel, Encoding encoding, std::span<const Item> items, bool evidence = true) {
  const Packed packed(items);
  Verdicts v{Bytes(items.size(), 9), Bytes(evidence ? items.size() * kEvidenceBytes : 0, 9)};
  const Done ran = kernel.verify_vartime(encoding, packed.batch(), {v.valid, v.evidence}, StopToken());
  EXPECT_TRUE(ran) << (ran ? "" : ran.error().message);
  return v;
}

using Runner = kernels::test::Runner<Kernel>;

inline std::vector<Runner> make_runners(std::vector<std::string>& failures) {
  return kernels::test::make_runners<Kernel>(kernels::Family::rsa, failures);
}

inline Runner reference_runner() {
  const kernels::Row* row = kernels::find_row(kernels::Family::rsa, "reference");
  Runner r{row->id(), std::move(*row->make({})), nullptr};
  r.kernel = dynamic_cast<Kernel*>(r.owner.get());
  return r;
}

/// Numbers of OpenSSL that free themselves.
struct Free {
  void operator()(BIGNUM* n) const { BN_free(n); }
  void operator()(BN_CTX* c) const { BN_CTX_free(c); }
};
using Big = std::unique_ptr<BIGNUM, Free>;

inline Big big(ByteView bytes) { return Big(BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr)); }
inline Block block(const Big& n) {
  Block b;
  EXPECT_EQ(BN_bn2binpad(n.get(), b.data(), kModulusBytes), static_cast<int>(kModulusBytes));
  return b;
}
/// base^exponent mod n.
inline Big power(const Big& base, const Big& exponent, const Big& n) {
  const std::unique_ptr<BN_CTX, Free> context(BN_CTX_new());
  Big r(BN_new());
  EXPECT_EQ(BN_mod_exp(r.get(), base.get(), exponent.get(), n.get(), context.get()), 1);
  return r;
}

/// A key with its private exponent: signs anything of 256 bytes below n.
struct PrivateKey {
  Block n;
  Big d;
  /// Two primes that differ from those of another `number`.
  static PrivateKey make(unsigned number) {
    static std::vector<Big> primes = [] {
      std::vector<Big> list;
      for (unsigned k = 0; k < 6; ++k) {
        list.emplace_back(BN_new());
        // The top two bits set, so that products have 2048 bits; p = 2 mod 3 or not does not matter to 65537.
        EXPECT_EQ(BN_generate_prime_ex(list.back().get(), 1024, 0, nullptr, nullptr, nullptr), 1);
      }
      return list;
    }();
    const std::unique_ptr<BN_CTX, Free> context(BN_CTX_new());
    const auto& p = primes[number % 5];
    const auto& q = primes[number % 5 + 1];
    Big n(BN_new()), p1(BN_dup(p.get())), q1(BN_dup(q.get())), phi(BN_new()), e(BN_new());
    EXPECT_EQ(BN_mul(n.get(), p.get(), q.get(), context.get()), 1);
    BN_sub_word(p1.get(), 1);
    BN_sub_word(q1.get(), 1);
    BN_mul(phi.get(), p1.get(), q1.get(), context.get());
    BN_set_word(e.get(), kExponent);
    PrivateKey key{block(n), Big(BN_mod_inverse(nullptr, e.get(), phi.get(), context.get()))};
    EXPECT_NE(key.d, nullptr);
    return key;
  }
  Block sign(const Block& em) const { return block(power(big(em), d, big(n))); }
  Item item(Encoding encoding, Bytes message) const {
    Item i{n, sign(encoded(encoding, message)), {}};
    i.message = std::move(message);
    return i;
  }
};

inline Block random_block(ChaChaWords& words) {
  Block b;
  for (std::uint8_t& byte : b) byte = static_cast<std::uint8_t>(words.u32());
  return b;
}
inline Bytes random_message(ChaChaWords& words, std::size_t bytes = kHashBytes) {
  Bytes m(bytes);
  for (std::uint8_t& byte : m) byte = static_cast<std::uint8_t>(words.u32());
  return m;
}

/// a + b and a - b mod 2^2048.
inline Block plus(Block a, const Block& b) {
  unsigned carry = 0;
  for (std::size_t k = kModulusBytes; k-- > 0;) {
    carry += a[k] + b[k];
    a[k] = static_cast<std::uint8_t>(carry);
    carry >>= 8;
  }
  return a;
}
inline Block minus(Block a, const Block& b) {
  int borrow = 0;
  for (std::size_t k = kModulusBytes; k-- > 0;) {
    borrow += a[k] - b[k];
    a[k] = static_cast<std::uint8_t>(borrow);
    borrow >>= 8;
  }
  return a;
}
inline Block small(std::uint8_t n) {
  Block b{};
  b.back() = n;
  return b;
}

}  // namespace sparkmill::rsa::test
