// SPDX-License-Identifier: Apache-2.0
// MuSig2 (BIP-327) as a verifier meets it: aggregation of keys and nonces, tweaks, partial signatures, aggregation of
// partial signatures. The aggregate signature is plain BIP-340 under x(Q). Variable time: everything is public.
// Source: BIP-327 "Specification"; the specification "Signatures and proofs" 3.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/stop.h"
#include "kernels/secp256k1/secp256k1.h"

namespace sparkmill::signatures {

using PlainKey = std::array<std::uint8_t, 33>;     ///< compressed
using PublicNonce = std::array<std::uint8_t, 66>;  ///< two compressed points; an aggregate may have 33 zero bytes
using Scalar32 = std::array<std::uint8_t, 32>;     ///< big-endian

struct Tweak {
  Scalar32 value{};
  bool x_only = false;
};

/// Q with its tweaks: enough to verify and to combine.
struct AggregateKey {
  PlainKey point{};      ///< compressed Q
  bool negated = false;  ///< gacc is -1
  Scalar32 tweak{};      ///< tacc
  Hash32 x_only() const;
};

inline constexpr std::size_t kMaxSigners = 65535;

/// By rising bytes, as KeySort.
void sort_keys(std::span<PlainKey> keys);
/// KeyAgg and ApplyTweak. Errors: bad_input naming the signer ("signer 1: ..."), the tweak, or an infinite result.
Result<AggregateKey> aggregate_keys(std::span<const PlainKey> keys, std::span<const Tweak> tweaks = {});
/// x(Q) of many lists without tweaks; nothing where aggregate_keys refuses the list. All products of keys and factors
/// are one call of the kernel (a few where there are many): the key that it recovers from r = x(P), s = a r and the
/// digest 0 is a P. Errors: those of the kernel.
Result<std::vector<std::optional<Hash32>>> aggregate_x_only(std::span<const std::vector<PlainKey>> lists,
                                                            secp256k1::Kernel& kernel, const StopToken& stop);
/// KeyAggCoeff: the factor of `key` in the list. Requires a list that is not empty.
Scalar32 key_coefficient(std::span<const PlainKey> keys, const PlainKey& key);
/// NonceAgg. Error: bad_input naming the signer.
Result<PublicNonce> aggregate_nonces(std::span<const PublicNonce> nonces);

/// What a signing session fixes.
struct Session {
  PublicNonce aggregate_nonce{};
  std::span<const PlainKey> keys;
  std::span<const Tweak> tweaks;
  ByteView message;
};
/// PartialSigVerifyInternal: false is a wrong signature (also s >= N). Errors: bad_input: a key, nonce or tweak that
/// cannot be, or a signer who is none of the keys.
Result<bool> verify_partial(const Session& session, ByteView partial, const PublicNonce& nonce, const PlainKey& key);
/// PartialSigAgg: the 64-byte BIP-340 signature. Errors: bad_input naming the signer whose s is out of range.
Result<std::array<std::uint8_t, 64>> aggregate_partials(const Session& session, std::span<const Scalar32> partials);

/// The message of Scheme::musig2: u16 signers | signers * 33 bytes | message.
Bytes musig2_message(std::span<const PlainKey> keys, ByteView message);

}  // namespace sparkmill::signatures
