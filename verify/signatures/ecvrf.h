// SPDX-License-Identifier: Apache-2.0
// ECVRF-EDWARDS25519-SHA512 (RFC 9381), suites TAI (03) and ELL2 (04), and the encoding of RFC 9380 that ELL2 rests on.
// Verifying takes variable time, all of it is public. Proving keeps the secret scalar and the nonce in constant-time
// code (libsodium); only alpha may show in its time.
// Source: RFC 9381 5, 5.5; RFC 9380 4, 5.2, 6.7.1, 6.8.2; the specification "Signatures and proofs" 5.
#pragma once

#include <array>
#include <optional>

#include "base/bytes.h"
#include "base/result.h"
#include "kernels/ed25519/vrf.h"

namespace sparkmill::signatures {

using ed25519::kVrfKeyBytes;
using ed25519::kVrfProofBytes;
using ed25519::VrfSuite;
using VrfKey = std::array<std::uint8_t, kVrfKeyBytes>;
using VrfProof = std::array<std::uint8_t, kVrfProofBytes>;
using VrfOutput = std::array<std::uint8_t, 64>;
using VrfEvidence = std::array<std::uint8_t, 64>;  ///< enc(U) | enc(V)

/// One proof on portable code; batches go to kernels/ed25519/vrf.h where the processor has lanes for it.
/// beta when the proof is right for key and alpha; nothing otherwise: a key or Gamma in no canonical form, s >= L, a
/// key of small order (validate_key), another c, a length other than 32 or 80 bytes. `evidence`, where given: enc(U) |
/// enc(V), or zeros when decoding ended before them.
std::optional<VrfOutput> vrf_verify_vartime(VrfSuite suite, ByteView key, ByteView proof, ByteView alpha,
                                            VrfEvidence* evidence = nullptr);

/// Parts of a proof, for makers of odd ones: enc(H) of RFC 9381 5.4.1, and the challenge of 5.4.3 over encoded points.
VrfKey vrf_encode_to_curve(VrfSuite suite, ByteView key, ByteView alpha);
std::array<std::uint8_t, 16> vrf_challenge(VrfSuite suite, std::initializer_list<ByteView> points);

/// The public key of a 32-byte secret key (RFC 8032 5.1.5).
VrfKey vrf_public_key(ByteView secret_key);
/// The one proof of this key for alpha. Errors: bad_argument (secret key not 32 bytes), internal.
Result<VrfProof> vrf_prove(VrfSuite suite, ByteView secret_key, ByteView alpha);

/// RFC 9380 5.3.1 with SHA-512. Requires dst of at most 255 bytes and 0 < bytes <= 255 * 64.
Bytes expand_message_xmd_sha512(ByteView message, ByteView dst, std::size_t bytes);
/// Affine x and y, little-endian, of edwards25519_XMD:SHA-512_ELL2_NU_ (`uniform` false) or _RO_ (true).
struct CurvePoint {
  std::array<std::uint8_t, 32> x{}, y{};
};
CurvePoint hash_to_edwards25519(ByteView message, ByteView dst, bool uniform);

}  // namespace sparkmill::signatures
