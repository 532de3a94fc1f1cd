// SPDX-License-Identifier: Apache-2.0
// Over the field and group of the Ed25519 oracle; secrets only touch libsodium.
#include "verify/signatures/ecvrf.h"

#include <sodium.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "kernels/ed25519/reference.h"
#include "kernels/ed25519/sha512.h"
#include "verify/signatures/elligator.h"

namespace sparkmill::signatures {
namespace {

using ed25519::sha512;
using ed25519::reference::Curve25519;
using Group = ed25519::reference::Group<Curve25519>;
using Encoded = Group::Encoded;
using Point = Group::Point;

constexpr std::string_view kEll2Suite = "edwards25519_XMD:SHA-512_ELL2_NU_";
constexpr std::uint8_t kEncodeDomain = 1, kChallengeDomain = 2, kHashDomain = 3, kBack = 0;

ByteView one(const std::uint8_t& byte) { return {&byte, 1}; }

/// string_to_point (RFC 8032 5.1.3): canonical encodings only.
std::optional<Point> canonical_point(ByteView bytes) {
  Encoded encoded{};
  std::memcpy(encoded.data(), bytes.data(), encoded.size());
  bool canonical = false;
  const auto point = Group::decode(encoded, canonical);
  return canonical ? point : std::nullopt;
}

/// RFC 9381 5.4.1.1.
Point encode_tai(ByteView key, ByteView alpha) {
  const auto suite = static_cast<std::uint8_t>(VrfSuite::tai);
  for (unsigned counter = 0; counter < 256; ++counter) {
    const auto ctr = static_cast<std::uint8_t>(counter);
    const auto hash = sha512({one(suite), one(kEncodeDomain), key, alpha, one(ctr), one(kBack)});
    const auto point = canonical_point(ByteView(hash).first(32));
    if (!point) continue;
    const Point h = Group::times_eight(*point);
    if (!Group::is_identity(h)) return h;
  }
  return Group::identity();  // probability 2^-256; its proofs verify for nobody else either
}

/// RFC 9381 5.4.1.2.
Point encode_ell2(ByteView key, ByteView alpha) {
  Bytes message(key.begin(), key.end());
  message.insert(message.end(), alpha.begin(), alpha.end());
  std::string dst = "ECVRF_" + std::string(kEll2Suite);
  dst.push_back(static_cast<char>(VrfSuite::ell2));
  return elligator::encode_to_curve(message, view(dst));
}

Point encode_to_curve(VrfSuite suite, ByteView key, ByteView alpha) {
  return suite == VrfSuite::tai ? encode_tai(key, alpha) : encode_ell2(key, alpha);
}

/// RFC 9381 5.4.3, of the bytes of Y, H, Gamma, U, V.
std::array<std::uint8_t, 16> challenge(VrfSuite suite, std::initializer_list<ByteView> points) {
  const auto s = static_cast<std::uint8_t>(suite);
  Bytes all;
  for (const ByteView point : points) all.insert(all.end(), point.begin(), point.end());
  const auto hash = sha512({one(s), one(kChallengeDomain), all, one(kBack)});
  std::array<std::uint8_t, 16> c{};
  std::memcpy(c.data(), hash.data(), c.size());
  return c;
}

/// 0 P, 1 P, ... 15 P.
using Multiples = std::array<Point, 16>;
Multiples multiples(const Point& p) {
  Multiples out{Group::identity(), p};
  for (std::size_t k = 2; k < out.size(); ++k) out[k] = Group::add(out[k - 1], p);
  return out;
}

/// enc(a P - b Q) over one chain of doublings, four bits of both at a time (Straus).
Encoded difference(const Group::Scalar& a, const Multiples& p, const Group::Scalar& b, const Point& q) {
  const Multiples minus_q = multiples(Group::negate(q));
  const auto digit = [](const Group::Scalar& n, std::size_t at) { return n[at / 2] >> (at % 2 * 4) & 15u; };
  Point sum = Group::identity();
  for (std::size_t at = 64; at-- > 0;) {
    for (int k = 0; k < 4; ++k) sum = Group::add(sum, sum);
    if (const unsigned d = digit(a, at); d != 0) sum = Group::add(sum, p[d]);
    if (const unsigned d = digit(b, at); d != 0) sum = Group::add(sum, minus_q[d]);
  }
  return Group::encode(sum);
}

/// The secret scalar and the second half of the hashed key, wiped at the end.
struct Secret {
  std::uint8_t hashed[64];
  std::uint8_t x[32];  ///< mod L: all points that it meets have order L
  explicit Secret(ByteView key) {
    crypto_hash_sha512(hashed, key.data(), key.size());
    hashed[0] &= 248;
    hashed[31] = static_cast<std::uint8_t>((hashed[31] & 127) | 64);
    std::uint8_t wide[64] = {};
    std::memcpy(wide, hashed, 32);
    crypto_core_ed25519_scalar_reduce(x, wide);
    sodium_memzero(wide, sizeof wide);
  }
  ~Secret() { sodium_memzero(this, sizeof *this); }
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
};

}  // namespace

std::optional<VrfOutput> vrf_verify_vartime(VrfSuite suite, ByteView key, ByteView proof, ByteView alpha,
                                            VrfEvidence* evidence) {
  if (evidence != nullptr) evidence->fill(0);
  if (key.size() != kVrfKeyBytes || proof.size() != kVrfProofBytes) return std::nullopt;
  const auto y = canonical_point(key);
  const auto gamma = canonical_point(proof.first(32));
  Group::Scalar c{}, s{};
  std::memcpy(c.data(), proof.data() + 32, 16);
  std::memcpy(s.data(), proof.data() + 48, 32);
  if (!y || !gamma || !ed25519::reference::less(s, Curve25519::order())) return std::nullopt;
  if (Group::is_identity(Group::times_eight(*y))) return std::nullopt;
  const Point h = encode_to_curve(suite, key, alpha);
  static const Multiples base = multiples(Group::base());
  const Encoded u = difference(s, base, c, *y);
  const Encoded v = difference(s, multiples(h), c, *gamma);
  if (evidence != nullptr) {
    std::copy(u.begin(), u.end(), evidence->begin());
    std::copy(v.begin(), v.end(), evidence->begin() + 32);
  }
  const auto expected = challenge(suite, {key, Group::encode(h), proof.first(32), u, v});
  if (!std::equal(expected.begin(), expected.end(), c.begin())) return std::nullopt;
  const auto suite_byte = static_cast<std::uint8_t>(suite);
  return sha512({one(suite_byte), one(kHashDomain), Group::encode(Group::times_eight(*gamma)), one(kBack)});
}

VrfKey vrf_encode_to_curve(VrfSuite suite, ByteView key, ByteView alpha) {
  return Group::encode(encode_to_curve(suite, key, alpha));
}

std::array<std::uint8_t, 16> vrf_challenge(VrfSuite suite, std::initializer_list<ByteView> points) {
  return challenge(suite, points);
}

VrfKey vrf_public_key(ByteView secret_key) {
  VrfKey key{};
  std::uint8_t secret[crypto_sign_SECRETKEYBYTES];
  crypto_sign_seed_keypair(key.data(), secret, secret_key.data());
  sodium_memzero(secret, sizeof secret);
  return key;
}

Result<VrfProof> vrf_prove(VrfSuite suite, ByteView secret_key, ByteView alpha) {
  if (secret_key.size() != 32) {
    return fail(Status::bad_argument, "VRF secret key: " + std::to_string(secret_key.size()) + " bytes, expected 32");
  }
  if (sodium_init() < 0) return fail(Status::internal, "libsodium does not start");
  const Secret secret(secret_key);
  const VrfKey key = vrf_public_key(secret_key);
  const Encoded h = Group::encode(encode_to_curve(suite, key, alpha));
  // Nonce of RFC 8032 (RFC 9381 5.4.2.2): SHA-512 of the second half of the hashed key and H.
  std::uint8_t nonce_hash[64], nonce[32], gamma[32], u[32], v[32];
  crypto_hash_sha512_state state;
  crypto_hash_sha512_init(&state);
  crypto_hash_sha512_update(&state, secret.hashed + 32, 32);
  crypto_hash_sha512_update(&state, h.data(), h.size());
  crypto_hash_sha512_final(&state, nonce_hash);
  crypto_core_ed25519_scalar_reduce(nonce, nonce_hash);
  const bool multiplied = crypto_scalarmult_ed25519_noclamp(gamma, secret.x, h.data()) == 0 &&
                          crypto_scalarmult_ed25519_base_noclamp(u, nonce) == 0 &&
                          crypto_scalarmult_ed25519_noclamp(v, nonce, h.data()) == 0;
  VrfProof proof{};
  if (multiplied) {
    const auto c = challenge(suite, {key, h, gamma, u, v});
    std::uint8_t wide[32] = {}, product[32];
    std::memcpy(wide, c.data(), c.size());
    crypto_core_ed25519_scalar_mul(product, wide, secret.x);
    std::memcpy(proof.data(), gamma, 32);
    std::memcpy(proof.data() + 32, c.data(), c.size());
    crypto_core_ed25519_scalar_add(proof.data() + 48, nonce, product);
    sodium_memzero(product, sizeof product);
  }
  sodium_memzero(&state, sizeof state);
  sodium_memzero(nonce_hash, sizeof nonce_hash);
  sodium_memzero(nonce, sizeof nonce);
  if (!multiplied) return fail(Status::internal, "VRF: a scalar or H is 0");
  return proof;
}

}  // namespace sparkmill::signatures
