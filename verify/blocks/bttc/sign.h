// SPDX-License-Identifier: Apache-2.0
// Signing checkpoint votes as a BTTC validator, and the rule that keeps a validator from signing twice. The arithmetic
// with the secret is libsecp256k1's: constant time, nonces by RFC 6979, low s.
//
// Source: "Consensus evidence" 2.1; RFC 6979.
#pragma once

#include <memory>
#include <span>

#include "verify/blocks/bttc/checkpoint.h"

namespace sparkmill::bttc {

struct Signature {
  Word r{}, s{};
  std::uint8_t recovery_id = 0;  ///< 0 or 1
  friend bool operator==(const Signature&, const Signature&) = default;
};
/// r | s | recovery id: the vote inside a Delivery precommit.
std::array<std::uint8_t, 65> precommit_signature(const Signature& signature);
/// r, s, 27 + recovery id: an entry of the contract's list.
SignatureWords contract_words(const Signature& signature);
struct SignedVote {
  Address signer{};
  Signature signature;
};
/// The contract's list: by signer, ascending. A signer that stands there twice is taken once.
std::vector<SignatureWords> contract_list(std::vector<SignedVote> votes);

/// The last span signed on a chain. `hash` is that of the vote, Keccak-256(0x01 | data).
struct Mark {
  std::uint64_t start = 0;
  std::uint64_t end = 0;
  Hash32 hash{};
  friend bool operator==(const Mark&, const Mark&) = default;
};
struct MarkFacts {
  std::uint64_t bor_chain_id = 0;
  Mark next;  ///< to be stored before the signature leaves
};
/// May this vote be signed after `last`? The same vote again: yes. Anything that starts at or below the last end: no,
/// so no two votes of one chain share a start or overlap. Requires hash = Keccak-256(vote(data)).
/// Reasons: bad_length, bad_address_padding, bad_range, below_mark.
blocks::Verdict<MarkFacts> check_mark(const std::optional<Mark>& last, ByteView data, const Hash32& hash);

/// A validator's secret, in locked memory; never printed. Not copyable.
class Signer {
 public:
  /// Errors: bad_input for a secret that is 0 or not below the group order; unsupported in a build without
  /// libsecp256k1.
  static Result<Signer> from_secret(const Hash32& secret, hashes::Kernel& hash);
  ~Signer();
  Signer(Signer&&) noexcept;
  Signer& operator=(Signer&&) noexcept;
  Signer(const Signer&) = delete;
  const Address& address() const { return address_; }
  /// Signs a hash as it is: for callers that have passed check_mark. Constant time.
  Signature sign_hash(const Hash32& hash) const;

 private:
  struct Secret;
  Signer();
  std::unique_ptr<Secret> secret_;
  Address address_{};
};
/// Whether this build can sign; else why not.
std::string_view signing_absent();

}  // namespace sparkmill::bttc
