// SPDX-License-Identifier: Apache-2.0
// The lane-parallel form of ECVRF against the portable one, byte for byte: the RFC's vectors, own and bent proofs,
// torsion in Gamma and in keys, odd encodings, alpha of every length, batches of every size.
#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/hash.h"
#include "base/hex.h"
#include "kernels/ed25519/sha512.h"
#include "tests/kernels/ed25519/sample.h"
#include "verify/signatures/ecvrf.h"
#include "verify/signatures/elligator.h"

namespace sparkmill::signatures {
namespace {

using ed25519::VrfKernel;
using ed25519::test::Group;

struct Proof {
  VrfKey key{};
  VrfProof proof{};
  Bytes alpha;
};

std::vector<std::unique_ptr<VrfKernel>> kernels_here() {
  std::vector<std::unique_ptr<VrfKernel>> list;
  for (const char* isa : {"avx512", "avx2"}) {
    auto kernel = ed25519::make_vrf_kernel(isa);
    if (kernel == nullptr) {
      std::printf("skipped: %s\n", isa);
      continue;
    }
    EXPECT_EQ(kernel->isa(), isa);
    list.push_back(std::move(kernel));
  }
  return list;
}

struct Answers {
  Bytes valid, evidence, outputs;
  bool operator==(const Answers&) const = default;
};

Answers of_lanes(VrfKernel& kernel, VrfSuite suite, std::span<const Proof> proofs) {
  Bytes keys, signatures, messages;
  std::vector<std::uint64_t> offsets{0};
  for (const Proof& p : proofs) {
    keys.insert(keys.end(), p.key.begin(), p.key.end());
    signatures.insert(signatures.end(), p.proof.begin(), p.proof.end());
    messages.insert(messages.end(), p.alpha.begin(), p.alpha.end());
    offsets.push_back(messages.size());
  }
  Answers out{Bytes(proofs.size(), 7), Bytes(proofs.size() * 64, 7), Bytes(proofs.size() * 64, 7)};
  const Done ran = kernel.verify_vartime(suite, {proofs.size(), keys, signatures, messages, offsets},
                                         {out.valid, out.evidence, out.outputs}, StopToken());
  EXPECT_TRUE(ran) << (ran ? "" : ran.error().message);
  return out;
}
Answers of_singles(VrfSuite suite, std::span<const Proof> proofs) {
  Answers out;
  for (const Proof& p : proofs) {
    VrfEvidence evidence{};
    const auto beta = vrf_verify_vartime(suite, p.key, p.proof, p.alpha, &evidence);
    out.valid.push_back(beta ? 1 : 0);
    out.evidence.insert(out.evidence.end(), evidence.begin(), evidence.end());
    const VrfOutput output = beta.value_or(VrfOutput{});
    out.outputs.insert(out.outputs.end(), output.begin(), output.end());
  }
  return out;
}
/// Every form gives the portable bytes; how many are valid.
std::size_t expect_same(VrfSuite suite, std::span<const Proof> proofs) {
  const Answers want = of_singles(suite, proofs);
  for (const auto& kernel : kernels_here()) {
    const Answers got = of_lanes(*kernel, suite, proofs);
    for (std::size_t i = 0; i < proofs.size(); ++i) {
      EXPECT_EQ(got.valid[i], want.valid[i]) << kernel->isa() << ", item " << i << ", key " << to_hex(proofs[i].key)
                                             << ", proof " << to_hex(proofs[i].proof);
    }
    EXPECT_TRUE(got == want) << kernel->isa();
  }
  return static_cast<std::size_t>(std::count(want.valid.begin(), want.valid.end(), 1));
}

Proof proved(VrfSuite suite, std::uint64_t seed, Bytes alpha) {
  const Hash32 secret = sha256(view("vrf lanes " + std::to_string(seed)));
  return {vrf_public_key(secret), *vrf_prove(suite, secret, alpha), std::move(alpha)};
}

/// A proof by a secret scalar of ours whose key and Gamma are off by torsion, made for these bytes; valid when the
/// torsion cancels in U and V.
Proof with_torsion(VrfSuite suite, ChaChaWords& words, unsigned of_key, unsigned of_gamma, Bytes alpha) {
  using ed25519::test::random_scalar;
  using ed25519::test::scalar_product;
  using ed25519::test::scalar_sum;
  using ed25519::test::torsion;
  const Group::Scalar secret = random_scalar(words), nonce = random_scalar(words);
  Proof p;
  p.alpha = std::move(alpha);
  p.key = Group::encode(Group::add(Group::multiply_vartime(secret, Group::base()), torsion(of_key)));
  // H as the verifier finds it: evidence with s = 1 and c = 0 is enc(B) | enc(H).
  VrfProof probe{};
  const VrfKey base = Group::encode(Group::base());
  std::copy(base.begin(), base.end(), probe.begin());
  probe[48] = 1;
  VrfEvidence seen{};
  (void)vrf_verify_vartime(suite, p.key, probe, p.alpha, &seen);
  Hash32 h_bytes{};
  std::copy(seen.begin() + 32, seen.end(), h_bytes.begin());
  bool canonical = false;
  const auto h = Group::decode(h_bytes, canonical);
  if (!h) return p;  // a key of small order: nothing was computed
  const Hash32 gamma = Group::encode(Group::add(Group::multiply_vartime(secret, *h), torsion(of_gamma)));
  const Hash32 u = Group::encode(Group::multiply_vartime(nonce, Group::base()));
  const Hash32 v = Group::encode(Group::multiply_vartime(nonce, *h));
  const std::uint8_t front[] = {static_cast<std::uint8_t>(suite), 2}, back = 0;
  const auto hash = ed25519::sha512({front, p.key, h_bytes, gamma, u, v, ByteView(&back, 1)});
  Group::Scalar c{};
  std::copy(hash.begin(), hash.begin() + 16, c.begin());
  const Group::Scalar s = scalar_sum(nonce, scalar_product(c, secret));
  std::copy(gamma.begin(), gamma.end(), p.proof.begin());
  std::copy(c.begin(), c.begin() + 16, p.proof.begin() + 32);
  std::copy(s.begin(), s.end(), p.proof.begin() + 48);
  return p;
}

constexpr VrfSuite kSuites[] = {VrfSuite::tai, VrfSuite::ell2};

TEST(EcvrfLanes, TheRfcsVectors) {
  const auto text = read_text_file(SPARKMILL_SOURCE_DIR "/tests/vectors/rfc9381_ecvrf_edwards25519.json", 1u << 20);
  ASSERT_TRUE(text);
  const auto root = nlohmann::json::parse(*text);
  for (const VrfSuite suite : kSuites) {
    std::vector<Proof> proofs;
    std::vector<std::string> betas;
    for (const auto& c : root["cases"]) {
      const Bytes key = *from_hex(c["pk"].get<std::string>()), proof = *from_hex(c["pi"].get<std::string>());
      if ((c["suite"] == "TAI") != (suite == VrfSuite::tai) || key.size() != 32 || proof.size() != 80) continue;
      Proof p;
      std::copy(key.begin(), key.end(), p.key.begin());
      std::copy(proof.begin(), proof.end(), p.proof.begin());
      p.alpha = *from_hex(c["alpha"].get<std::string>());
      proofs.push_back(std::move(p));
      betas.push_back(c["valid"].get<bool>() ? c["beta"].get<std::string>() : "");
    }
    EXPECT_GT(proofs.size(), 20u);
    for (const auto& kernel : kernels_here()) {
      const Answers got = of_lanes(*kernel, suite, proofs);
      for (std::size_t i = 0; i < proofs.size(); ++i) {
        EXPECT_EQ(got.valid[i] != 0, !betas[i].empty()) << kernel->isa() << ", case " << i;
        const std::string beta = to_hex(ByteView(got.outputs).subspan(i * 64, 64));
        EXPECT_EQ(beta, betas[i].empty() ? std::string(128, '0') : betas[i]) << kernel->isa() << ", case " << i;
      }
    }
    expect_same(suite, proofs);
  }
}

TEST(EcvrfLanes, RandomAndMutatedAsThePortableCode) {
#if defined(SPARKMILL_CHECKED)
  constexpr std::size_t kCount = 60;
#else
  constexpr std::size_t kCount = 500;
#endif
  for (const VrfSuite suite : kSuites) {
    ChaChaWords words(sha256(view("vrf mutations")));
    std::vector<Proof> proofs;
    for (std::size_t i = 0; i < kCount; ++i) {
      Bytes alpha(i % 50 == 7 ? 300 + words.below(900) : words.below(60));
      for (std::uint8_t& byte : alpha) byte = static_cast<std::uint8_t>(words.u32());
      Proof p = proved(suite, i % 40, std::move(alpha));
      const auto flip = [&](std::span<std::uint8_t> bytes) {
        bytes[words.below(bytes.size())] ^= static_cast<std::uint8_t>(1u << words.below(8));
      };
      switch (words.below(8)) {
        case 0: flip(std::span(p.proof).first(32)); break;
        case 1: flip(std::span(p.proof).subspan(32, 16)); break;
        case 2: flip(std::span(p.proof).last(32)); break;
        case 3: flip(p.key); break;
        case 4: p.alpha.push_back(1); break;
        default: break;
      }
      proofs.push_back(std::move(p));
    }
    const std::size_t valid = expect_same(suite, proofs);
    EXPECT_GT(valid, kCount / 5);
    EXPECT_LT(valid, kCount * 4 / 5);
  }
}

TEST(EcvrfLanes, TorsionInGammaAndKeys) {
  for (const VrfSuite suite : kSuites) {
    ChaChaWords words(sha256(view("vrf torsion")));
    std::vector<Proof> proofs;
    for (unsigned key = 0; key < 8; ++key) {
      for (unsigned gamma = 0; gamma < 8; ++gamma)
        proofs.push_back(with_torsion(suite, words, key, gamma, Bytes(key + 8 * gamma, 0x33)));
    }
    const std::size_t valid = expect_same(suite, proofs);
    EXPECT_GE(valid, 1u);
    EXPECT_LE(valid, 32u);
    // Points of small order and every odd encoding of them as key and as Gamma.
    std::vector<Proof> odd;
    for (unsigned n = 0; n < 8; ++n) {
      for (const bool as_key : {true, false}) {
        for (const unsigned turn : {0u, 1u, 2u}) {
          Proof p = proofs[n];
          Hash32 bytes = Group::encode(ed25519::test::torsion(n));
          if (turn == 1) bytes[31] ^= 0x80;
          if (turn == 2) {
            bytes.fill(0xff);
            bytes[0] = static_cast<std::uint8_t>(0xec + n);
            bytes[31] = 0x7f;
          }
          std::copy(bytes.begin(), bytes.end(), as_key ? p.key.begin() : p.proof.begin());
          odd.push_back(p);
          std::fill(p.proof.begin() + 48, p.proof.end(), std::uint8_t{0});
          odd.push_back(std::move(p));
        }
      }
    }
    expect_same(suite, odd);
  }
}

TEST(EcvrfLanes, EverySizeAndTheEdgesOfS) {
  for (const VrfSuite suite : kSuites) {
    std::vector<Proof> proofs;
    for (std::size_t i = 0; i < 40; ++i) proofs.push_back(proved(suite, i, Bytes(i, 4)));
    const Hash32& order = ed25519::reference::Curve25519::order();
    const auto put_s = [&](std::size_t i, const Hash32& s) {
      std::copy(s.begin(), s.end(), proofs[i].proof.begin() + 48);
    };
    put_s(3, order);
    put_s(5, ed25519::reference::minus(order, 1));
    put_s(7, Hash32{});
    proofs[9].proof[79] |= 0x80;
    for (const auto& kernel : kernels_here()) {
      std::vector<Proof> many;
      for (std::size_t k = 0; k < 300; ++k) many.push_back(proofs[k * 7 % 40]);
      const Answers all = of_lanes(*kernel, suite, many);
      for (const std::size_t size : {0u, 1u, 3u, 8u, 15u, 17u, 33u, 255u, 257u, 300u}) {
        const Answers part = of_lanes(*kernel, suite, std::span(many).last(size));
        EXPECT_TRUE(std::equal(part.valid.begin(), part.valid.end(), all.valid.end() - static_cast<long>(size)));
        EXPECT_TRUE(
            std::equal(part.outputs.begin(), part.outputs.end(), all.outputs.end() - static_cast<long>(64 * size)));
        EXPECT_TRUE(
            std::equal(part.evidence.begin(), part.evidence.end(), all.evidence.end() - static_cast<long>(64 * size)));
      }
    }
    EXPECT_EQ(expect_same(suite, proofs), 36u);
  }
}

TEST(EcvrfLanes, MalformedBatchesAreErrors) {
  for (const auto& kernel : kernels_here()) {
    const Proof p = proved(VrfSuite::tai, 1, Bytes(4));
    const std::uint64_t offsets[] = {0, 4}, falling[] = {4, 0};
    Bytes valid(1), outputs(64);
    const auto status = [&](ByteView key, ByteView proof, std::span<const std::uint64_t> at,
                            std::span<std::uint8_t> out) {
      return kernel->verify_vartime(VrfSuite::tai, {1, key, proof, p.alpha, at}, {valid, {}, out}, StopToken())
          .status();
    };
    EXPECT_EQ(status(p.key, p.proof, offsets, outputs), Status::ok);
    EXPECT_EQ(status(ByteView(p.key).first(31), p.proof, offsets, outputs), Status::bad_argument);
    EXPECT_EQ(status(p.key, ByteView(p.proof).first(79), offsets, outputs), Status::bad_argument);
    EXPECT_EQ(status(p.key, p.proof, offsets, std::span(outputs).first(63)), Status::bad_argument);
    EXPECT_EQ(status(p.key, p.proof, falling, outputs), Status::bad_input);
  }
}

}  // namespace
}  // namespace sparkmill::signatures
