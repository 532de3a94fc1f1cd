// SPDX-License-Identifier: Apache-2.0
// The arithmetic that devices run (kernels/rsa/device.h), compiled for the host, against the oracle and OpenSSL.
#include "kernels/rsa/device.h"

#include "tests/kernels/rsa/sample.h"

namespace sparkmill::rsa::test {
namespace {

Block bytes_of(const sm_u32* digits) {
  Block b;
  for (sm_u32 k = 0; k < kModulusBytes; ++k)
    b[kModulusBytes - 1 - k] = static_cast<std::uint8_t>(sm_rsa_byte(digits, k));
  return b;
}

TEST(DeviceNumbers, DigitsGoThereAndBack) {
  ChaChaWords words(sha256(view("digits")));
  Block ones;
  ones.fill(0xff);
  for (const Block& b : {Block{}, small(1), ones, random_block(words), random_block(words)}) {
    sm_u32 digits[SM_RSA_DIGITS];
    sm_rsa_read(digits, b.data());
    for (const sm_u32 d : digits) EXPECT_LE(d, SM_RSA_MASK);
    EXPECT_EQ(bytes_of(digits), b);
  }
}

TEST(DeviceNumbers, MontgomerysFormIsTheProductWithR) {
  ChaChaWords words(sha256(view("division")));
  Block top{}, ones;
  top[0] = 0x80;
  ones.fill(0xff);
  std::vector<Block> moduli{ones, minus(ones, small(2)), plus(top, small(1))};
  for (int k = 0; k < 20; ++k) {
    moduli.push_back(random_block(words));
    moduli.back()[0] |= 0x80;
    moduli.back()[kModulusBytes - 1] |= 1;
  }
  const std::unique_ptr<BN_CTX, Free> context(BN_CTX_new());
  Big r(BN_new());
  BN_set_bit(r.get(), 28 * SM_RSA_DIGITS);
  for (const Block& n : moduli) {
    Block random = random_block(words);
    random[0] &= 0x7f;
    for (const Block& s : {small(0), small(1), minus(n, small(1)), minus(n, top), random}) {
      sm_u32 n_digits[SM_RSA_DIGITS], s_digits[SM_RSA_DIGITS], a[SM_RSA_DIGITS];
      sm_u64 x[2 * SM_RSA_DIGITS];
      sm_rsa_read(n_digits, n.data());
      sm_rsa_read(s_digits, s.data());
      sm_rsa_to_montgomery(a, s_digits, n_digits, x);
      for (int k = 0; k < 6; ++k) {
        ASSERT_LT(a[73] >> 7 | a[74], 1u);  // below 2^2051
        sm_rsa_below_n(a, n_digits);
      }
      Big want(BN_new());
      BN_mod_mul(want.get(), big(s).get(), r.get(), big(n).get(), context.get());
      EXPECT_EQ(bytes_of(a), block(want));
    }
  }
}

TEST(DeviceEncoding, EveryLength) {
  ChaChaWords words(sha256(view("em")));
  for (const Encoding encoding : kEncodings) {
    for (std::size_t bytes = 1; bytes <= kMostDrawBytes; ++bytes) {
      if (encoding == Encoding::pkcs1_sha256 && bytes != kHashBytes) continue;
      const Bytes message = random_message(words, bytes);
      const Block want = encoded(encoding, message);
      for (sm_u32 k = 0; k < kModulusBytes; ++k) {
        ASSERT_EQ(sm_rsa_em_byte(static_cast<sm_u32>(encoding), message.data(), static_cast<sm_u32>(bytes), k),
                  want[kModulusBytes - 1 - k])
            << bytes << ", " << k;
      }
    }
  }
}

TEST(DeviceVerify, AsTheOracle) {
  ChaChaWords words(sha256(view("device")));
  Runner oracle = reference_runner();
  for (const Encoding encoding : kEncodings) {
    std::vector<Item> items;
    for (unsigned k = 0; k < 12; ++k) {
      items.push_back(PrivateKey::make(k % 5).item(encoding, random_message(words)));
      if (k % 3 == 1) items.back().signature[17 * k] ^= 4;
      if (k == 8) items.back().key[kModulusBytes - 1] ^= 1;
    }
    items.push_back({items[0].key, items[0].key, Bytes(kHashBytes)});
    items.push_back({items[0].key, minus(items[0].key, small(1)), Bytes(kHashBytes)});
    items.push_back({items[0].key, Block{}, Bytes(kHashBytes)});
    const Verdicts want = run(*oracle.kernel, encoding, items);
    for (std::size_t i = 0; i < items.size(); ++i) {
      Block evidence;
      const Bytes& m = items[i].message;
      const auto ask = [&](sm_u32 wanted) {
        return sm_rsa_verify(items[i].key.data(), items[i].signature.data(), m.data(), static_cast<sm_u32>(m.size()),
                             static_cast<sm_u32>(encoding), wanted, evidence.data());
      };
      EXPECT_EQ(ask(1), want.valid[i]) << i;
      EXPECT_EQ(0, std::memcmp(evidence.data(), want.evidence.data() + kEvidenceBytes * i, kEvidenceBytes)) << i;
      EXPECT_EQ(ask(0), want.valid[i]) << i;
    }
  }
}

}  // namespace
}  // namespace sparkmill::rsa::test
