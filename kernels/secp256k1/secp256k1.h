// SPDX-License-Identifier: Apache-2.0
// Contract of the family `secp256k1`: exact verification of many ECDSA and BIP-340 signatures, and recovery of ECDSA
// keys, over y^2 = x^3 + 7. Integers are big-endian, as every protocol on this curve sends them. What callers of one
// chain add (v words, low s, DER, addresses) is translated in verify/signatures; here are only the equations.
//
// Every row gives the same verdict for the same bytes, whatever else is in the batch: each item is decided by its own
// equation. Variable time throughout (names end in `_vartime`): keys, messages and signatures are public.
//
// Source: SEC 1 4.1.4 and 4.1.6; BIP-340; the specification "Signatures and proofs" 2, 3, 8 and 9; jobs-and-proofs 7
// for the evidence.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/stop.h"
#include "kernels/backend/signature_batch.h"
#include "kernels/kernel.h"

namespace sparkmill::secp256k1 {

inline constexpr std::size_t kPublicKeyBytes = 64;      ///< X || Y
inline constexpr std::size_t kCompressedKeyBytes = 33;  ///< 02 or 03 || X
inline constexpr std::size_t kXOnlyKeyBytes = 32;
inline constexpr std::size_t kSignatureBytes = 64;  ///< ECDSA r || s; BIP-340 x(R) || s
/// r || s || recid; recid 0 to 3: bit 0 is the parity of y(R), bit 1 says x(R) = r + N.
inline constexpr std::size_t kRecoverableBytes = 65;
inline constexpr std::size_t kDigestBytes = 32;
inline constexpr std::size_t kEvidenceBytes = 33;  ///< compressed point; 33 zero bytes: infinity, or never computed
inline constexpr unsigned kEvidenceShift = 16;

enum class Check : std::uint8_t {
  ecdsa,             ///< key X || Y, message a 32-byte digest; r, s in [1, N-1]; high s accepted
  ecdsa_compressed,  ///< as `ecdsa`, key compressed
  bip340,            ///< key x only, message of any length (hashed here with the tag "BIP0340/challenge")
};
inline constexpr Check kChecks[] = {Check::ecdsa, Check::ecdsa_compressed, Check::bip340};
std::string_view name(Check check);
constexpr std::size_t key_bytes(Check check) {
  return check == Check::ecdsa ? kPublicKeyBytes : check == Check::bip340 ? kXOnlyKeyBytes : kCompressedKeyBytes;
}

/// Which r and s recovery takes.
enum class RecoverRule : std::uint8_t {
  in_range,  ///< r, s in [1, N-1]: every EVM
  unranged,  ///< r below p and not 0 mod N, s any 256 bits taken mod N, also 0: java-tron's transactions
};

class Kernel : public kernels::Kernel {
 public:
  /// results.valid[i] = 1 when item i passes `which`, else 0: a key off the curve or with a coordinate >= p, r or s
  /// out of range, R at infinity are verdicts, not errors.
  /// results.evidence, where wanted: the compressed form of [u1 >> 16]G + [u2 >> 16]Q (ECDSA; u1 = z/s, u2 = r/s mod N,
  /// as integers below N) or [s >> 16]G - [e >> 16]P (BIP-340; e below N), 33 zero bytes when it is infinity, when the
  /// key does not decode or r or s is out of range. Neighbours in a batch never change each other's bytes.
  /// Shapes: keys 64, 33 or 32 bytes by `which`; signatures 64; messages 32 bytes for ECDSA.
  /// Errors: those of kernels::check (bad_argument, bad_input naming the item), cancelled (the stop token, honoured
  /// within some milliseconds; results then hold nothing of meaning), what a device reports.
  virtual Done verify_vartime(Check which, const kernels::SignatureBatch& batch,
                              const kernels::SignatureResults& results, const StopToken& stop) = 0;
  /// valid[i] = 1 when a key was recovered; public_keys gets count x 64 bytes, X || Y, zeros where none was.
  /// batch.keys is empty; signatures 65 bytes, a last byte over 3 is a verdict 0; messages 32-byte digests.
  /// results.evidence, where wanted: the compressed form of [u1 >> 16]G + [u2 >> 16]R with u1 = -z/r, u2 = s/r mod N.
  /// Errors: as verify_vartime; bad_argument when public_keys has another size.
  virtual Done recover_vartime(RecoverRule rule, const kernels::SignatureBatch& batch,
                               const kernels::SignatureResults& results, std::span<std::uint8_t> public_keys,
                               const StopToken& stop) = 0;
  /// How many items this row likes to be given at once.
  virtual std::size_t batch() const { return 1; }
};

/// kernels::check with the sizes of this family.
Done check(Check which, const kernels::SignatureBatch& batch, const kernels::SignatureResults& results);
Done check_recover(const kernels::SignatureBatch& batch, const kernels::SignatureResults& results,
                   std::span<const std::uint8_t> public_keys);

}  // namespace sparkmill::secp256k1
