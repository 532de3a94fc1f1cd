// SPDX-License-Identifier: Apache-2.0
// What callers of ECDSA on secp256k1 add to its equation: DER, v, low s, forms of keys, addresses.
// Source: the specification "Signatures and proofs" 2; ITU-T X.690 8 and 10; EIP-2, EIP-155; SEC 1 2.3.
#pragma once

#include <array>
#include <optional>

#include "base/bytes.h"
#include "verify/signatures/scheme.h"

namespace sparkmill::signatures {

/// Numbers of Scheme::ecdsa: an encoding of the key, one of the signature, and whether s > N/2 is refused (Bitcoin).
/// "raw" keys are X || Y, "uncompressed" 04 || X || Y, "compressed" 02 or 03 || X.
enum class EcdsaPolicy : std::uint16_t {
  raw = 1,  ///< signature r || s
  uncompressed,
  compressed,
  raw_der,  ///< signature strict DER
  uncompressed_der,
  compressed_der,
  raw_low_s,
  uncompressed_low_s,
  compressed_low_s,
  raw_der_low_s,
  uncompressed_der_low_s,
  compressed_der_low_s,
};

/// Numbers of Scheme::ecdsa_recover and ecdsa_address: who asks. Signatures are r || s || v with v a 32-byte word
/// (precompiles and transactions) or a byte (the others).
enum class Caller : std::uint16_t {
  evm_precompile = 1,    ///< v a word, 27 or 28; r, s in [1, N-1]; high s accepted
  ethereum_transaction,  ///< v a word: 0, 1 (typed), 27, 28, or 35 + 2 chain + parity (EIP-155); low s only (EIP-2)
  ethereum_homestead,    ///< as ethereum_transaction, v 27 or 28 only
  openzeppelin,          ///< v a byte, 27 or 28; low s only
  tron_precompile,       ///< as evm_precompile
  tron_multisign,        ///< v a byte, below 27 gets + 27, then 27 or 28; high s accepted
  tron_transaction,      ///< v a signed byte, below 27 gets + 27, then 27 to 34; r, s not ranged, s = 0 passes
};

/// r || s of a strict DER signature: SEQUENCE of two INTEGERs, lengths in their shortest form, no padding, nothing
/// negative, nothing after it, both at most 32 bytes. Nothing: malformed.
std::optional<std::array<std::uint8_t, 64>> parse_der(ByteView der);
/// The one DER form of r || s.
Bytes encode_der(ByteView r_s);

/// s <= N / 2; 32 bytes big-endian.
bool is_low_s(ByteView s);

/// The recovery id 0 to 3 that `v` stands for with this caller; nothing: refused. `v`: 32 bytes or 1.
std::optional<std::uint8_t> recovery_id(Caller caller, ByteView v);
bool demands_low_s(Caller caller);
bool ranges_r_and_s(Caller caller);
bool is_tron(Caller caller);

/// Last 20 bytes of Keccak-256(X || Y); 64 bytes in.
std::array<std::uint8_t, 20> address_of(ByteView public_key);

}  // namespace sparkmill::signatures
