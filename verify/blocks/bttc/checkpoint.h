// SPDX-License-Identifier: Apache-2.0
// BTTC checkpoints: what validators sign, who signed, and whether it is more than two thirds of them.
//
// Three steps, so that many checkpoints share one run of the kernels: `recover_signers` turns the signatures of all
// items into addresses, `check_checkpoint` folds one item's addresses into its verdict, a pure function of the state
// that the caller holds. A chain is checked by recovering all, then folding in order with `advance` between.
//
// Source: "Consensus evidence" 2.1 to 2.4, "Signatures and proofs" 2.
#pragma once

#include <string_view>
#include <vector>

#include "base/stop.h"
#include "kernels/hash/hash.h"
#include "kernels/secp256k1/secp256k1.h"
#include "verify/blocks/bttc/word.h"
#include "verify/blocks/verdict.h"

namespace sparkmill::bttc {

__extension__ using Amount = unsigned __int128;  ///< stakes in the token's smallest unit
/// A stake above is refused where it is read; then no sum of kMaxValidators stakes overflows.
inline constexpr Amount kMaxAmount = Amount{1} << 110;
inline constexpr std::size_t kMaxSignatures = 512;
inline constexpr std::size_t kMaxValidators = 4096;
inline constexpr std::size_t kMaxDataBytes = 1u << 20;
inline constexpr std::uint64_t kMaxSpan = 32768;  ///< blocks of a checkpoint, policy canonical

/// Decimal digits of stakes and sequences.
std::string text(Amount value);
/// Decimal digits only, no leading zeros; nullopt at 2^128 or more.
std::optional<Amount> amount(std::string_view digits);

struct CheckpointFields {
  Address proposer{};
  std::uint64_t start = 0;
  std::uint64_t end = 0;
  Hash32 root_hash{};
  Hash32 account_hash{};
  std::uint64_t bor_chain_id = 0;
  std::optional<std::uint64_t> epoch;  ///< there: the 224 bytes that Delivery signs; not: the 192 of the contract
};
Bytes checkpoint_data(const CheckpointFields& fields);

enum class RootChain : std::uint8_t { tron = 1, eth = 2, bsc = 3 };
std::optional<RootChain> root_chain(std::string_view name);
std::string_view name(RootChain chain);

/// CheckpointSync to TRON's stake manager, 160 bytes.
struct CheckpointSync {
  Address proposer{};
  std::uint64_t start = 0;
  std::uint64_t end = 0;
  std::uint64_t header_number = 0;
  RootChain root_chain = RootChain::tron;
};
Bytes checkpoint_sync_data(const CheckpointSync& sync);

/// 0x01 | data: a yes vote. Its Keccak-256 is what is signed, without any prefix of Ethereum's.
Bytes vote(ByteView data);

/// One entry of the list that the contract gets.
struct SignatureWords {
  Word r{}, s{}, v{};
};

/// What the contract's recovery makes of an entry.
struct Recovered {
  enum class Kind : std::uint8_t {
    address,
    zero,   ///< high s or a wrong v: address 0, no error
    revert  ///< the transaction ends here
  };
  Kind kind = Kind::revert;
  Address address{};  ///< zeros unless `address`
  friend bool operator==(const Recovered&, const Recovered&) = default;
};

/// The kernels that a batch runs on; the caller keeps them.
struct Kernels {
  hashes::Kernel& hash;
  secp256k1::Kernel& secp256k1;
};

struct SignedData {
  ByteView data;  ///< without the vote's first byte
  std::span<const SignatureWords> signatures;
};
/// True when the contract calls ecrecover for this entry: s is low and v says 27 or 28.
bool reaches_recovery(const SignatureWords& entry);
/// Signers of all entries of all items, in their order. Items over a limit (data, signatures) get `revert` without
/// work; check_checkpoint refuses them. `points`, where wanted: secp256k1::kEvidenceBytes an entry, what
/// recover_vartime has as evidence; zeros for entries that do not reach recovery. Errors: those of the kernels.
Result<std::vector<Recovered>> recover_signers(std::span<const SignedData> items, const Kernels& kernels,
                                               const StopToken& stop, Bytes* points = nullptr);
/// One message hash and entry each; `hashes` and `entries` have the same size.
Result<std::vector<Recovered>> recover_signers(std::span<const Hash32> hashes, std::span<const SignatureWords> entries,
                                               const Kernels& kernels, const StopToken& stop, Bytes* points = nullptr);
/// The last 20 bytes of Keccak-256 of 64-byte keys X || Y.
Result<std::vector<Address>> addresses(std::span<const std::uint8_t> public_keys, hashes::Kernel& hash,
                                       const StopToken& stop);

enum class Standing : std::uint8_t { inactive = 0, active = 1, locked = 2 };
struct Validator {
  Address signer{};
  Amount amount = 0;
  Amount delegated = 0;
  Standing standing = Standing::inactive;
  std::uint64_t deactivation_epoch = 0;  ///< 0: none
};

/// Validators of a contract, found by signer. Immutable; any number of checkpoints share one.
class ValidatorSet {
 public:
  ValidatorSet() = default;
  explicit ValidatorSet(std::vector<Validator> validators);
  /// The validator of this signer if it counts in `epoch`: stake, standing, not deactivated; else nullptr.
  const Validator* active(const Address& signer, std::uint64_t epoch) const;
  std::size_t size() const { return validators_.size(); }

 private:
  std::vector<Validator> validators_;  ///< by signer
};

/// The contract's state before a checkpoint. The caller keeps the set.
struct ChainState {
  std::uint64_t chain_id = 199;
  std::optional<std::uint64_t> last_end;  ///< nullopt before the first checkpoint
  std::uint64_t epoch = 0;
  std::uint64_t staker_count = 0;
  Amount total_stake = 0;
  const ValidatorSet* validators = nullptr;
};

enum class Policy : std::uint8_t {
  contract,  ///< exactly what the root contract takes
  canonical  ///< what we produce and pass on; whatever it takes, the contract takes too
};
enum class Rule : std::uint8_t {
  count,  ///< one validator, one vote: what BTTC runs
  stake   ///< Polygon's original
};
inline constexpr Policy kPolicies[] = {Policy::contract, Policy::canonical};
inline constexpr Rule kRules[] = {Rule::count, Rule::stake};
std::string_view name(Policy policy);
std::string_view name(Rule rule);

struct CheckpointFacts {
  std::uint64_t signed_by = 0;  ///< validators counted
  Amount power = 0;             ///< their stakes
  std::uint64_t end = 0;        ///< last block of an accepted span
  friend bool operator==(const CheckpointFacts&, const CheckpointFacts&) = default;
};

/// Reasons in order, contract: limit, bad_length, wrong_chain, discontinuous, bad_range, too_few_signatures,
/// bad_signature, below_threshold. Canonical: limit, bad_length, bad_address_padding, wrong_chain, discontinuous,
/// bad_range, unknown_proposer, then for each entry bad_v, high_s, bad_signature, unknown_signer, duplicate_signer,
/// wrong_order, at last below_threshold.
/// Requires as many signers as signatures, from recover_signers of this item; state.validators set.
blocks::Verdict<CheckpointFacts> check_checkpoint(Policy policy, Rule rule, const ChainState& state,
                                                  const SignedData& item, std::span<const Recovered> signers);
/// The state after an accepted checkpoint: continuity only, sets and epochs are the caller's.
void advance(ChainState& state, const CheckpointFacts& facts);

}  // namespace sparkmill::bttc
