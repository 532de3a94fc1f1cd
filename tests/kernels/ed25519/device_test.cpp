// SPDX-License-Identifier: Apache-2.0
// The arithmetic that devices run (kernels/ed25519/device.h), compiled for the host, against the oracle: field,
// scalars, hashes, whole verifications; and the cutting of batches into launches.
#include <gtest/gtest.h>

#include "kernels/ed25519/device_batch.h"
#include "kernels/ed25519/scalar.h"
#include "tests/kernels/ed25519/sample.h"

namespace sparkmill::ed25519::test {
namespace {

using reference::Field25519;

Hash32 bytes_of(const sm_fe& a) {
  const sm_fe f = sm_fe_frozen(a);
  Hash32 out;
  std::memcpy(out.data(), f.v, sizeof f.v);
  return out;
}
sm_fe element(const Hash32& bytes) { return sm_load_words(bytes.data()); }
/// The residue of all 256 bits.
Field25519 residue(const Hash32& bytes) {
  const Field25519 low = Field25519::from_bytes(bytes);
  Field25519 nineteen;
  nineteen.limb[0] = (bytes[31] & 0x80) != 0 ? 19 : 0;
  return low + nineteen;
}

/// Random values, and all near 0, p, 2p and 2^256.
std::vector<Hash32> values() {
  ChaChaWords words(sha256(view("field values")));
  std::vector<Hash32> list;
  for (int k = 0; k < 40; ++k) {
    Hash32 h;
    for (auto& byte : h) byte = static_cast<std::uint8_t>(words.u32());
    list.push_back(h);
  }
  for (const unsigned top : {0x00u, 0x7fu, 0x80u, 0xffu}) {
    for (const unsigned low : {0x00u, 0x01u, 0x13u, 0x26u, 0xd9u, 0xdau, 0xecu, 0xedu, 0xeeu, 0xffu}) {
      Hash32 h;
      h.fill(top == 0x00 || top == 0x80 ? 0x00 : 0xff);
      h[0] = static_cast<std::uint8_t>(low);
      h[31] = static_cast<std::uint8_t>(top);
      list.push_back(h);
    }
  }
  return list;
}

TEST(DeviceField, AsTheOracle) {
  const auto list = values();
  for (const Hash32& a : list) {
    EXPECT_EQ(bytes_of(element(a)), residue(a).to_bytes());
    EXPECT_EQ(bytes_of(sm_fe_sqr(element(a))), (residue(a) * residue(a)).to_bytes());
    EXPECT_EQ(sm_fe_is_zero(element(a)) != 0, residue(a) == Field25519::zero());
    for (const Hash32& b : list) {
      EXPECT_EQ(bytes_of(sm_fe_mul(element(a), element(b))), (residue(a) * residue(b)).to_bytes());
      EXPECT_EQ(bytes_of(sm_fe_add(element(a), element(b))), (residue(a) + residue(b)).to_bytes());
      EXPECT_EQ(bytes_of(sm_fe_sub(element(a), element(b))), (residue(a) - residue(b)).to_bytes());
    }
  }
  const sm_fe x = element(list[0]);
  EXPECT_EQ(bytes_of(sm_fe_mul(x, sm_fe_inverse(x))), bytes_of(sm_fe_small(1)));
}

TEST(Scalars, ReductionsAsTheOracle) {
  ChaChaWords words(sha256(view("scalars")));
  for (unsigned turn = 0; turn < 400; ++turn) {
    reference::Number<64> wide;
    for (auto& byte : wide)
      byte = turn < 2 ? static_cast<std::uint8_t>(255 * turn) : static_cast<std::uint8_t>(words.u32());
    if (turn >= 200) {  // near multiples of L: q L + small, q of up to 250 bits
      reference::Number<64> product{};
      const Hash32& order = reference::Curve25519::order();
      for (std::size_t i = 0; i < 32; ++i) {
        unsigned carry = i == 0 ? turn % 3 : 0;
        for (std::size_t j = 0; j < 32; ++j) {
          carry += product[i + j] + unsigned{wide[i]} * order[j];
          product[i + j] = static_cast<std::uint8_t>(carry);
          carry >>= 8;
        }
        product[i + 32] = static_cast<std::uint8_t>(carry);
      }
      wide = turn % 2 == 0 ? product : reference::minus(product, 1);
    }
    const auto want = reference::modulo(wide, reference::Curve25519::order());
    std::uint64_t words64[8];
    sm_u32 words32[16], device[8];
    std::memcpy(words64, wide.data(), 64);
    std::memcpy(words32, wide.data(), 64);
    sm_modulo_order(words32, device);
    const Words4 cpu = modulo_order(words64);
    EXPECT_EQ(0, std::memcmp(device, want.data(), 32)) << turn;
    EXPECT_EQ(0, std::memcmp(cpu.data(), want.data(), 32)) << turn;
  }
}

TEST(Scalars, DigitsAddUpAndStayInTheTables) {
  ChaChaWords words(sha256(view("digits")));
  for (unsigned turn = 0; turn < 300; ++turn) {
    Words4 n{words.u64(), words.u64(), words.u64(), words.u64() >> 11};
    if (turn < 64) n = {turn % 2 ? ~0ull : 0, turn & 2 ? ~0ull : 0, turn & 4 ? ~0ull : 0, turn & 8 ? ~0ull >> 11 : 1};
    for (const bool evidence : {false, true}) {
      const cpu::Schedule& s = evidence ? cpu::evidence_schedule() : cpu::plain_schedule();
      std::int16_t a[cpu::kDigitsA] = {}, b[cpu::kDigitsB] = {};
      cpu::write_digits_a(n, evidence, a, 1);
      cpu::write_digits_b(n, evidence, b, 1);
      for (const auto& [at, digits, limit] : {std::tuple(s.a, a, 16), std::tuple(s.b, b, 256)}) {
        Group::Scalar sum{};  // from the top, as the ladder does, mod 2^256
        for (int bit = static_cast<int>(s.top); bit >= 0; --bit) {
          int carry = at[bit] >= 0 ? digits[at[bit]] : 0;
          EXPECT_LE(std::abs(carry), limit);
          for (auto& byte : sum) {
            carry += 2 * byte;
            byte = static_cast<std::uint8_t>(carry & 0xff);
            carry >>= 8;
          }
          if (bit == s.pause) {
            Group::Scalar whole;
            std::memcpy(whole.data(), n.data(), 32);
            EXPECT_EQ(sum, reference::shifted_right(whole, kEvidenceShift));
          }
        }
        EXPECT_EQ(0, std::memcmp(sum.data(), n.data(), 32)) << turn << (evidence ? ", evidence" : "");
      }
    }
  }
}

TEST(DeviceVerify, AsTheOracle) {
  ChaChaWords words(sha256(view("device")));
  std::vector<Item> items;
  for (unsigned k = 0; k < 24; ++k) {
    items.push_back(signed_with_torsion(words, k % 8, (k / 3) % 8, Bytes(k * 17, static_cast<std::uint8_t>(k))));
    if (k % 4 == 3) items.back().signature[k] ^= 1;
  }
  for (const unsigned low : {0xecu, 0xedu, 0xeeu, 0xf0u, 0xffu}) {  // odd keys with S = 0
    Item item;
    item.key.fill(0xff);
    item.key[0] = static_cast<std::uint8_t>(low);
    for (const unsigned top : {0x7fu, 0xffu}) {
      item.key[31] = static_cast<std::uint8_t>(top);
      std::copy(item.key.begin(), item.key.end(), item.signature.begin());
      items.push_back(item);
    }
  }
  const auto base = device_base_table();
  Runner oracle = reference_runner();
  for (const Policy policy : kPolicies) {
    const Verdicts want = run(*oracle.kernel, policy, items);
    for (std::size_t i = 0; i < items.size(); ++i) {
      sm_fe evidence;
      const Bytes& m = items[i].message;
      EXPECT_EQ(sm_ed25519_verify(items[i].key.data(), items[i].signature.data(), m.data(), m.size(), base.data(),
                                  device_flags(policy, true), &evidence),
                want.valid[i])
          << name(policy) << ", " << i;
      EXPECT_EQ(0, std::memcmp(evidence.v, want.evidence.data() + 32 * i, 32)) << name(policy) << ", " << i;
    }
  }
}

TEST(Launches, CoverABatchOnceAndRebaseOffsets) {
  std::vector<Item> items(10);
  for (std::size_t i = 0; i < items.size(); ++i) items[i].message = Bytes(i == 4 ? 1000 : 10 * i, 1);
  const Packed packed(items);
  const auto batch = packed.batch();
  std::size_t next = 0;
  std::vector<std::uint64_t> offsets(11);
  while (next < 10) {
    const Launch launch = next_launch(batch, next, 3, 200);
    ASSERT_EQ(launch.first, next);
    ASSERT_GE(launch.count, 1u);
    ASSERT_LE(launch.count, 3u);
    EXPECT_TRUE(launch.count == 1 || launch.messages.size() <= 200);
    launch_offsets(batch, launch, offsets.data());
    EXPECT_EQ(offsets[0], 0u);
    EXPECT_EQ(offsets[launch.count], launch.messages.size());
    EXPECT_EQ(launch.messages.data(), batch.messages.data() + batch.message_offsets[next]);
    next += launch.count;
  }
  EXPECT_EQ(next, 10u);
}

}  // namespace
}  // namespace sparkmill::ed25519::test
