// SPDX-License-Identifier: Apache-2.0
#include "verify/signatures/generate.h"

#include <sodium.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "base/hash.h"
#include "kernels/secp256k1/reference.h"
#include "verify/signatures/ecdsa.h"
#include "verify/signatures/ecvrf.h"
#include "verify/signatures/generate_rsa.h"
#include "verify/signatures/musig2.h"

namespace sparkmill::signatures {
namespace {

using Group = secp256k1::reference::Group<secp256k1::reference::Secp256k1>;
using Scalar = Group::S;
using Key32 = std::array<std::uint8_t, 32>;

constexpr std::size_t kRsaKeys = 4;  // a key takes OpenSSL 0.1 s

struct Item {
  Bytes key, signature, message;
};

Key32 draw(ChaChaWords& words) {
  Key32 out{};
  for (std::size_t k = 0; k < out.size(); k += 8) {
    const std::uint64_t word = words.u64();
    std::memcpy(out.data() + k, &word, 8);
  }
  return out;
}
Bytes draw_bytes(ChaChaWords& words, std::size_t n) {
  Bytes out(n);
  for (std::uint8_t& byte : out) byte = static_cast<std::uint8_t>(words.u32());
  return out;
}
/// A scalar that is not 0, but with probability 2^-256.
Scalar draw_scalar(ChaChaWords& words) {
  const Key32 bytes = draw(words);
  return Scalar::reduced(secp256k1::from_big_endian(bytes.data()));
}
Bytes bytes_of(ByteView v) { return {v.begin(), v.end()}; }

// Ed25519.

/// y = p + 1, the neutral element in a form that no encoder gives.
constexpr Key32 kOddNeutral = {0xee, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                               0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                               0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f};
/// A point of order 8.
constexpr Key32 kOrderEight = {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b,
                               0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
                               0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a};

Key32 reduced(const std::array<std::uint8_t, 64>& wide) {
  Key32 out{};
  crypto_core_ed25519_scalar_reduce(out.data(), wide.data());
  return out;
}
Key32 draw_ed25519_scalar(ChaChaWords& words) {
  std::array<std::uint8_t, 64> wide{};
  const Key32 low = draw(words), high = draw(words);
  std::copy(low.begin(), low.end(), wide.begin());
  std::copy(high.begin(), high.end(), wide.begin() + 32);
  return reduced(wide);
}
Key32 times_base(const Key32& scalar) {
  Key32 out{};
  (void)crypto_scalarmult_ed25519_base_noclamp(out.data(), scalar.data());  // fails for 0, which is not drawn
  return out;
}
Key32 plus_torsion(const Key32& point) {
  Key32 out{};
  (void)crypto_core_ed25519_add(out.data(), point.data(), kOrderEight.data());  // both are points
  return out;
}

/// S = r + k a for exactly the bytes of A and R that the flaw makes.
Item ed25519_item(ChaChaWords& words, Flaw flaw, Bytes message) {
  const Key32 a = draw_ed25519_scalar(words), r = draw_ed25519_scalar(words);
  Key32 key = times_base(a), commitment = times_base(r);
  if (flaw == Flaw::torsion_in_key) key = plus_torsion(key);
  if (flaw == Flaw::torsion_in_r) commitment = plus_torsion(commitment);
  if (flaw == Flaw::odd_key) key = kOddNeutral;
  if (flaw == Flaw::odd_r) commitment = kOddNeutral;
  std::array<std::uint8_t, 64> hash{};
  crypto_hash_sha512_state state;
  crypto_hash_sha512_init(&state);
  crypto_hash_sha512_update(&state, commitment.data(), commitment.size());
  crypto_hash_sha512_update(&state, key.data(), key.size());
  crypto_hash_sha512_update(&state, message.data(), message.size());
  crypto_hash_sha512_final(&state, hash.data());
  Key32 s{};
  crypto_core_ed25519_scalar_mul(s.data(), reduced(hash).data(), a.data());
  if (flaw == Flaw::odd_key) s = {};                                                      // k A is neutral
  if (flaw != Flaw::odd_r) crypto_core_ed25519_scalar_add(s.data(), s.data(), r.data());  // else r = 0
  Bytes signature = bytes_of(commitment);
  signature.insert(signature.end(), s.begin(), s.end());
  return {bytes_of(key), std::move(signature), std::move(message)};
}

/// Adds L to the 32 bytes at `s`, as a number; below 2^256 for s < L.
void add_ed25519_order(std::uint8_t* s) {
  static constexpr Key32 kOrder = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7,
                                   0xa2, 0xde, 0xf9, 0xde, 0x14, 0,    0,    0,    0,    0,    0,
                                   0,    0,    0,    0,    0,    0,    0,    0,    0,    0x10};
  unsigned carry = 0;
  for (std::size_t k = 0; k < kOrder.size(); ++k) {
    carry += static_cast<unsigned>(s[k]) + kOrder[k];
    s[k] = static_cast<std::uint8_t>(carry);
    carry >>= 8;
  }
}

// secp256k1.

Group::Affine times_generator(const Scalar& n) {
  const auto base = Group::point(Group::base());
  return Group::affine(Group::combine_vartime(n.number(), base, {}, base));
}
void append(const secp256k1::Words4& n, Bytes& out) {
  std::uint8_t bytes[32];
  secp256k1::to_big_endian(n, bytes);
  out.insert(out.end(), bytes, bytes + sizeof bytes);
}
PlainKey compressed(const Group::Affine& p) {
  PlainKey out{};
  out[0] = p.y.odd() ? 3 : 2;
  secp256k1::to_big_endian(p.x.number(), out.data() + 1);
  return out;
}

struct EcdsaSignature {
  Bytes r_s;
  std::uint8_t parity = 0;
};
/// Low s, unless `twin`. x(R) >= N has probability 2^-128 and is not looked for.
EcdsaSignature ecdsa_sign(ChaChaWords& words, const Scalar& d, ByteView digest, bool twin) {
  const Scalar k = draw_scalar(words);
  const Group::Affine point = times_generator(k);
  const Scalar r = Scalar::reduced(point.x.number());
  Scalar s = k.inverse() * (Scalar::reduced(secp256k1::from_big_endian(digest.data())) + r * d);
  EcdsaSignature out;
  append(r.number(), out.r_s);
  append(s.number(), out.r_s);
  bool odd = point.y.odd();
  if (is_low_s(ByteView(out.r_s).subspan(32)) == twin) {
    s = Scalar::zero() - s;
    odd = !odd;
    out.r_s.resize(32);
    append(s.number(), out.r_s);
  }
  out.parity = odd ? 1 : 0;
  return out;
}

Item ecdsa_item(ChaChaWords& words, const Form& form, Flaw flaw, Bytes digest) {
  const Scalar d = draw_scalar(words);
  const Group::Affine q = times_generator(d);
  const EcdsaSignature signature = ecdsa_sign(words, d, digest, flaw == Flaw::order_added);
  Bytes xy;
  append(q.x.number(), xy);
  append(q.y.number(), xy);
  Item out{xy, signature.r_s, std::move(digest)};
  if (form.scheme == Scheme::ecdsa) {
    if (form.key_bytes == 65) out.key.insert(out.key.begin(), 4);
    if (form.key_bytes == 33) out.key = bytes_of(compressed(q));
    if (form.signature_bytes == 0) out.signature = encode_der(signature.r_s);
    return out;
  }
  out.signature.resize(form.signature_bytes);
  out.signature.back() = static_cast<std::uint8_t>(27 + signature.parity);
  out.key.clear();
  if (form.scheme == Scheme::ecdsa_address) {
    if (form.key_bytes == 21) out.key.push_back(0x41);
    const auto address = address_of(xy);
    out.key.insert(out.key.end(), address.begin(), address.end());
  }
  return out;
}

/// BIP-340 under the secret d, whose public point may have odd y.
Bytes bip340_sign(ChaChaWords& words, Scalar d, ByteView message) {
  const Group::Affine p = times_generator(d);
  if (p.y.odd()) d = Scalar::zero() - d;
  Scalar k = draw_scalar(words);
  const Group::Affine r = times_generator(k);
  if (r.y.odd()) k = Scalar::zero() - k;
  Bytes out, key;
  append(r.x.number(), out);
  append(p.x.number(), key);
  const Scalar e = Scalar::reduced(secp256k1::reference::bip340_challenge(out, key, message));
  append((k + e * d).number(), out);
  return out;
}

Item bip340_item(ChaChaWords& words, Bytes message) {
  const Scalar d = draw_scalar(words);
  Bytes key;
  append(times_generator(d).x.number(), key);
  Bytes signature = bip340_sign(words, d, message);
  return {std::move(key), std::move(signature), std::move(message)};
}

/// One committee of three for a whole set, as votes come; the secrets add up like the keys.
struct Committee {
  std::vector<PlainKey> keys;
  Scalar secret = Scalar::zero();
};
Committee make_committee(ChaChaWords& words) {
  Committee out;
  std::vector<Scalar> secrets;
  for (int k = 0; k < 3; ++k) {
    secrets.push_back(draw_scalar(words));
    out.keys.push_back(compressed(times_generator(secrets.back())));
  }
  for (std::size_t k = 0; k < secrets.size(); ++k) {
    // Compressed keys keep the sign of y, so the secrets need no turn.
    const Scalar32 factor = key_coefficient(out.keys, out.keys[k]);
    out.secret = out.secret + Scalar::reduced(secp256k1::from_big_endian(factor.data())) * secrets[k];
  }
  return out;
}

/// Makes honest items, and those whose flaw is signed for.
class Maker {
 public:
  static Result<Maker> make(const Form& form, ChaChaWords& words, std::size_t count) {
    Maker out(form);
    if (form.scheme == Scheme::musig2) out.committee_ = make_committee(words);
    if (form.scheme != Scheme::rsa2048) return out;
    for (std::size_t k = 0; k < std::min(kRsaKeys, count); ++k) {
      SPARKMILL_ASSIGN(RsaSigner signer, RsaSigner::make());
      out.rsa_.push_back(std::move(signer));
    }
    return out;
  }

  Result<Item> item(ChaChaWords& words, Flaw flaw, Bytes message) const {
    switch (form_.scheme) {
      case Scheme::ed25519: return ed25519_item(words, flaw, std::move(message));
      case Scheme::ecdsa:
      case Scheme::ecdsa_recover:
      case Scheme::ecdsa_address: return ecdsa_item(words, form_, flaw, std::move(message));
      case Scheme::bip340: return bip340_item(words, std::move(message));
      case Scheme::musig2: {
        Bytes signature = bip340_sign(words, committee_.secret, message);
        return Item{{}, std::move(signature), musig2_message(committee_.keys, message)};
      }
      case Scheme::rsa2048: {
        const RsaSigner& signer = rsa_[words.below(rsa_.size())];
        SPARKMILL_ASSIGN(Bytes signature, signer.sign(message, form_.policy == 2));
        return Item{signer.modulus(), std::move(signature), std::move(message)};
      }
      case Scheme::ecvrf: {
        const Key32 secret = draw(words);
        const VrfSuite suite = form_.policy == 1 ? VrfSuite::tai : VrfSuite::ell2;
        SPARKMILL_ASSIGN(const VrfProof proof, vrf_prove(suite, secret, message));
        return Item{bytes_of(vrf_public_key(secret)), bytes_of(proof), std::move(message)};
      }
    }
    return fail(Status::internal, "a scheme without a generator");
  }

 private:
  explicit Maker(const Form& form) : form_(form) {}
  const Form& form_;
  Committee committee_;
  std::vector<RsaSigner> rsa_;
};

/// In the bytes from `from` on.
void flip_bit(ChaChaWords& words, Bytes& bytes, std::size_t from = 0) {
  if (bytes.size() <= from) return;
  const std::uint64_t bit = 8 * from + words.below(8 * (bytes.size() - from));
  bytes[bit / 8] = static_cast<std::uint8_t>(bytes[bit / 8] ^ 1u << (bit % 8));
}

/// What needs no signing.
void bend(ChaChaWords& words, const Form& form, Flaw flaw, const Item& other, Item& item) {
  switch (flaw) {
    case Flaw::key_bit: return flip_bit(words, item.key);
    case Flaw::signature_bit: return flip_bit(words, item.signature);
    case Flaw::message_bit:
      // The number of signers in front of a MuSig2 message is form, not content.
      return flip_bit(words, item.message, form.scheme == Scheme::musig2 ? 2 : 0);
    case Flaw::other_key:
      if (other.key == item.key) return flip_bit(words, item.key);  // there are few RSA keys
      item.key = other.key;
      return;
    case Flaw::other_message: item.message = other.message; return;
    case Flaw::order_added:
      if (form.scheme == Scheme::ed25519) add_ed25519_order(item.signature.data() + 32);
      if (form.scheme == Scheme::ecvrf) add_ed25519_order(item.signature.data() + 48);
      return;
    default: return;
  }
}

}  // namespace

std::string_view name(Flaw flaw) {
  switch (flaw) {
    case Flaw::none: return "none";
    case Flaw::key_bit: return "key_bit";
    case Flaw::signature_bit: return "signature_bit";
    case Flaw::message_bit: return "message_bit";
    case Flaw::other_key: return "other_key";
    case Flaw::other_message: return "other_message";
    case Flaw::order_added: return "order_added";
    case Flaw::torsion_in_r: return "torsion_in_r";
    case Flaw::torsion_in_key: return "torsion_in_key";
    case Flaw::odd_key: return "odd_key";
    case Flaw::odd_r: return "odd_r";
  }
  return "?";
}

std::vector<Flaw> flaws_of(const Form& form) {
  std::vector<Flaw> out;
  for (const Flaw flaw : {Flaw::signature_bit, Flaw::message_bit, Flaw::other_message}) out.push_back(flaw);
  if (form.key_bytes != 0) {
    for (const Flaw flaw : {Flaw::key_bit, Flaw::other_key}) out.push_back(flaw);
  }
  const bool order = form.scheme != Scheme::bip340 && form.scheme != Scheme::musig2 && form.scheme != Scheme::rsa2048;
  if (order) out.push_back(Flaw::order_added);
  if (form.scheme == Scheme::ed25519) {
    for (const Flaw flaw : {Flaw::torsion_in_r, Flaw::torsion_in_key, Flaw::odd_key, Flaw::odd_r}) out.push_back(flaw);
  }
  return out;
}

Result<Generated> generate(const Form& form, std::size_t count, const GenerateSettings& settings) {
  if (sodium_init() < 0) return fail(Status::internal, "libsodium does not start");
  ChaChaWords words(settings.seed);
  SPARKMILL_ASSIGN(const Maker maker, Maker::make(form, words, count));
  const std::vector<Flaw> flaws = flaws_of(form);
  const std::size_t message_bytes = form.message_bytes != 0 ? form.message_bytes : settings.message_bytes;
  Generated out{ItemList(form), {}};
  std::optional<Item> other;  // an honest item before this one
  for (std::size_t i = 0; i < count; ++i) {
    const bool bad = settings.bad_one_in != 0 && words.below(settings.bad_one_in) == 0;
    const Flaw flaw = bad ? flaws[words.below(flaws.size())] : Flaw::none;
    SPARKMILL_ASSIGN(Item item, maker.item(words, flaw, draw_bytes(words, message_bytes)));
    if (!other) {
      SPARKMILL_ASSIGN(other, maker.item(words, Flaw::none, draw_bytes(words, message_bytes)));
    }
    const Item honest = item;
    bend(words, form, flaw, *other, item);
    if (flaw == Flaw::none) other = honest;
    SPARKMILL_TRY(out.items.add(item.key, item.signature, item.message));
    out.flaws.push_back(flaw);
  }
  return out;
}

}  // namespace sparkmill::signatures
