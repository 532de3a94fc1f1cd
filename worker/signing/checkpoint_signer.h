// SPDX-License-Identifier: Apache-2.0
// A BTTC validator that signs checkpoint votes, and a store that outlives it: what was signed last on each chain is on
// the disk before a signature leaves, so neither a crash nor a second start makes it sign twice.
// Source: "Consensus evidence" 2.1.
#pragma once

#include <filesystem>

#include "base/sqlite.h"
#include "verify/blocks/bttc/sign.h"

namespace sparkmill::signing {

/// A validator's secret from a file of 64 hex digits. Errors: not_found; refused when group or others may read it;
/// bad_input; unsupported (sign.h).
Result<bttc::Signer> load_validator_key(const std::filesystem::path& path, hashes::Kernel& hash);

struct SignedCheckpoint {
  Hash32 hash{};                             ///< Keccak-256(0x01 | data)
  std::optional<bttc::Signature> signature;  ///< empty when refused
  std::string_view reason;                   ///< why refused: bad_length, bad_address_padding, bad_range, below_mark
  std::string detail;
};

class CheckpointSigner {
 public:
  /// The marks of a key live in `store`, made when missing and held against a second process (locked). A folder on a
  /// disk that forgets makes the rule forget, too. `hash` is the caller's.
  static Result<std::unique_ptr<CheckpointSigner>> open(const std::filesystem::path& store, bttc::Signer signer,
                                                        hashes::Kernel& hash);
  /// Signs the vote for `data` unless that would contradict an earlier one; the same vote again gives the same bytes.
  /// Errors: what the store reports; then nothing is signed.
  Result<SignedCheckpoint> sign(ByteView data);
  const bttc::Address& address() const { return signer_.address(); }

 private:
  CheckpointSigner(std::unique_ptr<sqlite::Database> store, bttc::Signer signer, hashes::Kernel& hash)
      : store_(std::move(store)), signer_(std::move(signer)), hash_(hash) {}
  std::unique_ptr<sqlite::Database> store_;
  bttc::Signer signer_;
  hashes::Kernel& hash_;
};

}  // namespace sparkmill::signing
