// SPDX-License-Identifier: Apache-2.0
// Contract of the family `rsa`: the public operation of RSA with 2048 bits and e = 65537 for many signatures at once,
// compared with the one encoding that each rule allows. Nothing of the result is parsed.
//
// Every row gives the same verdict for the same bytes, whatever else is in the batch. Variable time throughout (names
// end in `_vartime`): keys, messages and signatures are public.
//
// Source: RFC 8017 8.2.2 and 9.2; the specification "Signatures and proofs" 4; consensus-evidence 3.1; jobs-and-proofs
// 7 for the evidence.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/stop.h"
#include "kernels/backend/signature_batch.h"
#include "kernels/kernel.h"

namespace sparkmill::rsa {

inline constexpr std::size_t kModulusBytes = 256;
inline constexpr std::size_t kSignatureBytes = 256;
inline constexpr std::size_t kHashBytes = 32;
inline constexpr std::size_t kMostDrawBytes = 245;  ///< leaves the eight FF that RFC 8017 wants
inline constexpr std::size_t kEvidenceBytes = 256;
inline constexpr unsigned kExponent = 65537;

/// The encoded message EM, 256 bytes, that signature^65537 mod n must equal.
enum class Encoding : std::uint8_t {
  draw,          ///< 00 01 FF x (253 - |M|) 00 || M: block type 1 and no DigestInfo, what BTN signs
  pkcs1_sha256,  ///< 00 01 FF x 202 00 || DigestInfo(SHA-256) || hash: RSASSA-PKCS1-v1_5
};
inline constexpr Encoding kEncodings[] = {Encoding::draw, Encoding::pkcs1_sha256};
std::string_view name(Encoding encoding);

class Kernel : public kernels::Kernel {
 public:
  /// Keys: the modulus n, 256 bytes big-endian. Signatures: 256 bytes big-endian. Messages: the 32-byte hash; under
  /// `draw` 1 to 245 bytes, since BTN's roles append to the hash (consensus-evidence 3.1) and their lengths tell them
  /// apart: the caller gives the M of one role.
  /// results.valid[i] = 1 when n is odd and has exactly 2048 bits, signature < n and signature^65537 mod n = EM.
  /// results.evidence, where wanted: signature^(2^15) mod n, 256 bytes big-endian, or zeros when n or the signature is
  /// out of range. Neighbours in a batch never change each other's bytes.
  /// Errors: those of kernels::check (bad_argument, bad_input naming the item), cancelled (the stop token, honoured
  /// within some milliseconds; results then hold nothing of meaning), what a device reports.
  virtual Done verify_vartime(Encoding encoding, const kernels::SignatureBatch& batch,
                              const kernels::SignatureResults& results, const StopToken& stop) = 0;
  /// How many items this row likes to be given at once.
  virtual std::size_t batch() const { return 1; }
};

/// kernels::check with the sizes of this family and the lengths of messages that the encoding takes.
Done check(Encoding encoding, const kernels::SignatureBatch& batch, const kernels::SignatureResults& results);

}  // namespace sparkmill::rsa
