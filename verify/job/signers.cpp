// SPDX-License-Identifier: Apache-2.0
#include "verify/job/signers.h"

#include <sodium.h>

#include <algorithm>
#include <string>

#include "verify/job/signers_impl.h"

namespace sparkmill::job {
namespace {

using signatures::Form;
using signatures::Scheme;
using Bytes32 = std::array<std::uint8_t, 32>;

/// Signers of a job; enough that "wrong key" is a guess, few enough that making them costs less than signing.
constexpr std::size_t kKeys = 64;
constexpr std::size_t kBytomMessageBytes = 32;

/// The generator of the eight points of small order.
constexpr Bytes32 kOrderEight = {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b,
                                 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
                                 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a};
/// y = p + 1: the neutral element, not in canonical form.
constexpr Bytes32 kOddNeutral = {0xee, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f};
constexpr Bytes32 kOrder = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7,
                            0xa2, 0xde, 0xf9, 0xde, 0x14, 0,    0,    0,    0,    0,    0,
                            0,    0,    0,    0,    0,    0,    0,    0,    0,    0x10};

class Ed25519Signers final : public Signers {
 public:
  Ed25519Signers(const Form& form, const Hash32& seed) : form_(form), draw_(seed), keys_(kKeys) {
    for (Key& key : keys_) {
      key.secret = scalar();
      key.bytes = times_base(key.secret);
    }
  }
  const Form& form() const override { return form_; }
  SampleItem good() override {
    const Key& key = any_key();
    return sign(key.secret, key.bytes, {}, message());
  }
  std::span<const PlantKind> kinds() const override { return kKinds; }
  SampleItem bad(PlantKind kind) override;

 private:
  static constexpr PlantKind kKinds[] = {
      PlantKind::key_bit,         PlantKind::signature_bit,      PlantKind::scalar_bit,
      PlantKind::message_bit,     PlantKind::wrong_key,          PlantKind::wrong_message,
      PlantKind::torsion_key,     PlantKind::torsion_commitment, PlantKind::scalar_plus_order,
      PlantKind::small_order_key, PlantKind::odd_key_encoding,   PlantKind::odd_point_encoding,
      PlantKind::zero_scalar};
  struct Key {
    Bytes32 secret{}, bytes{};
  };

  Bytes32 scalar() {
    std::array<std::uint8_t, 64> wide{};
    for (std::uint8_t& b : wide) b = static_cast<std::uint8_t>(draw_.u32());
    Bytes32 out{};
    crypto_core_ed25519_scalar_reduce(out.data(), wide.data());
    return out;
  }
  static Bytes32 times_base(const Bytes32& scalar) {
    Bytes32 out{};
    if (crypto_scalarmult_ed25519_base_noclamp(out.data(), scalar.data()) != 0) out = {1};  // zero: the neutral element
    return out;
  }
  static Bytes32 sum(const Bytes32& a, const Bytes32& b) {
    Bytes32 out{};
    // Both are points of the curve by construction.
    if (crypto_core_ed25519_add(out.data(), a.data(), b.data()) != 0) out = a;
    return out;
  }
  Bytes32 small_order() {
    Bytes32 out = kOrderEight;
    for (std::uint64_t times = draw_.below(7); times > 0; --times) out = sum(out, kOrderEight);
    return out;
  }
  const Key& any_key() { return keys_[draw_.below(keys_.size())]; }
  Bytes message() {
    const bool bytom = form_.policy_name == "go" || form_.policy_name == "bytom_legacy";
    Bytes out(bytom ? kBytomMessageBytes : 24 + draw_.below(105));
    for (std::uint8_t& b : out) b = static_cast<std::uint8_t>(draw_.u32());
    return out;
  }
  static Bytes32 challenge(ByteView r, ByteView a, ByteView m) {
    crypto_hash_sha512_state state;
    crypto_hash_sha512_init(&state);
    for (const ByteView part : {r, a, m}) crypto_hash_sha512_update(&state, part.data(), part.size());
    std::array<std::uint8_t, 64> wide{};
    crypto_hash_sha512_final(&state, wide.data());
    Bytes32 out{};
    crypto_core_ed25519_scalar_reduce(out.data(), wide.data());
    return out;
  }
  static SampleItem with(const Bytes32& a, const Bytes32& r, const Bytes32& secret, const Bytes32& nonce,
                         Bytes message) {
    Bytes32 s{};
    crypto_core_ed25519_scalar_mul(s.data(), challenge(r, a, message).data(), secret.data());
    crypto_core_ed25519_scalar_add(s.data(), s.data(), nonce.data());
    SampleItem item;
    item.key.assign(a.begin(), a.end());
    item.signature.assign(r.begin(), r.end());
    item.signature.insert(item.signature.end(), s.begin(), s.end());
    item.message = std::move(message);
    return item;
  }
  /// Signs with key bytes `a` and a commitment plus `torsion` (empty: none).
  SampleItem sign(const Bytes32& secret, const Bytes32& a, ByteView torsion, Bytes message) {
    const Bytes32 nonce = scalar();
    Bytes32 r = times_base(nonce);
    if (!torsion.empty()) {
      Bytes32 t{};
      std::copy(torsion.begin(), torsion.end(), t.begin());
      r = sum(r, t);
    }
    return with(a, r, secret, nonce, std::move(message));
  }

  const Form& form_;
  ChaChaWords draw_;
  std::vector<Key> keys_;
};

SampleItem Ed25519Signers::bad(PlantKind kind) {
  const Key& key = any_key();
  switch (kind) {
    case PlantKind::torsion_key: return sign(key.secret, sum(key.bytes, small_order()), {}, message());
    case PlantKind::torsion_commitment: {
      const Bytes32 torsion = small_order();
      return sign(key.secret, key.bytes, torsion, message());
    }
    case PlantKind::small_order_key: {
      // The hash must be a multiple of the order of A: one of eight messages does it.
      SampleItem item = sign({}, kOrderEight, {}, message());
      while ((challenge(ByteView(item.signature).first(32), item.key, item.message)[0] & 7) != 0) {
        item = sign({}, kOrderEight, {}, message());
      }
      return item;
    }
    case PlantKind::odd_key_encoding: return sign({}, kOddNeutral, {}, message());
    case PlantKind::odd_point_encoding: return with(key.bytes, kOddNeutral, key.secret, {}, message());
    default: break;
  }
  SampleItem item = good();
  switch (kind) {
    case PlantKind::key_bit: flip_bit(item.key, 0, item.key.size(), draw_); break;
    case PlantKind::signature_bit: flip_bit(item.signature, 0, 32, draw_); break;
    case PlantKind::scalar_bit: flip_bit(item.signature, 32, 63, draw_); break;
    case PlantKind::message_bit: flip_bit(item.message, 0, item.message.size(), draw_); break;
    case PlantKind::wrong_key:
      for (Bytes other = item.key; other == item.key;) {
        const Key& stranger = any_key();
        if (std::equal(other.begin(), other.end(), stranger.bytes.begin())) continue;
        item.key.assign(stranger.bytes.begin(), stranger.bytes.end());
      }
      break;
    case PlantKind::wrong_message:
      for (std::uint8_t& b : item.message) b = static_cast<std::uint8_t>(draw_.u32());
      break;
    case PlantKind::scalar_plus_order: add_group_order(item.signature); break;
    case PlantKind::zero_scalar: std::fill(item.signature.begin() + 32, item.signature.end(), std::uint8_t{0}); break;
    default: break;
  }
  return item;
}

}  // namespace

void flip_bit(Bytes& bytes, std::size_t from, std::size_t to, ChaChaWords& draw) {
  const std::uint64_t bit = draw.below(8 * (to - from));
  bytes[from + bit / 8] ^= static_cast<std::uint8_t>(1u << (bit % 8));
}

void add_group_order(Bytes& signature) {
  unsigned carry = 0;
  for (std::size_t k = 0; k < kOrder.size(); ++k) {
    carry += unsigned{signature[32 + k]} + kOrder[k];
    signature[32 + k] = static_cast<std::uint8_t>(carry);
    carry >>= 8;
  }
}

Result<std::unique_ptr<Signers>> make_signers(const Form& form, const Hash32& seed) {
  if (sodium_init() < 0) return fail(Status::internal, "libsodium could not start");
  switch (form.scheme) {
    case Scheme::ed25519: return std::unique_ptr<Signers>(std::make_unique<Ed25519Signers>(form, seed));
    case Scheme::ecdsa:
    case Scheme::ecdsa_recover:
    case Scheme::ecdsa_address:
    case Scheme::bip340: return secp256k1_signers(form, seed);
    case Scheme::rsa2048: return rsa_signers(form, seed);
    case Scheme::musig2:
    case Scheme::ecvrf: break;
  }
  return fail(Status::unsupported, "no signatures of the scheme " + std::string(form.scheme_name) + ", policy " +
                                       std::string(form.policy_name) + ", are made here");
}

std::string_view name(PlantKind kind) {
  switch (kind) {
    case PlantKind::key_bit: return "bit of the key";
    case PlantKind::signature_bit: return "bit of R or r";
    case PlantKind::scalar_bit: return "bit of S or s";
    case PlantKind::message_bit: return "bit of the message";
    case PlantKind::wrong_key: return "wrong key";
    case PlantKind::wrong_message: return "wrong message";
    case PlantKind::torsion_key: return "torsion added to A";
    case PlantKind::torsion_commitment: return "torsion added to R";
    case PlantKind::scalar_plus_order: return "S + L, s + N";
    case PlantKind::small_order_key: return "A of small order";
    case PlantKind::odd_key_encoding: return "A not canonical";
    case PlantKind::odd_point_encoding: return "R not canonical";
    case PlantKind::zero_scalar: return "S or s zero";
    case PlantKind::high_s: return "high s";
    case PlantKind::r_plus_order: return "r + N";
    case PlantKind::flipped_v: return "flipped v";
    case PlantKind::odd_v: return "v nobody takes";
    case PlantKind::plus_modulus: return "signature + n";
    case PlantKind::other_padding: return "another padding";
  }
  return "unknown";
}

}  // namespace sparkmill::job
