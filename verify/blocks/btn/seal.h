// SPDX-License-Identifier: Apache-2.0
// BTN's proof of existence: keys, draws with spinning rounds, thresholds, committees, the three states of a block, and
// equivocation. All signatures of a batch of items are checked in one run of the kernels; the verdicts are then pure
// functions of the results, the parameters and the keys that the caller has registered.
//
// Signatures are RSA-2048, e = 65537, over 00 01 FF.. 00 | M; the length and the last byte of M tell the roles apart.
//
// Source: "Consensus evidence" 3.1 to 3.4, "Signatures and proofs" 4.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/stop.h"
#include "kernels/hash/hash.h"
#include "kernels/rsa/rsa.h"
#include "verify/blocks/verdict.h"

namespace sparkmill::btn {

using KeyId = Hash32;  ///< SHA-256(n as 256 bytes | u32 65537)
using Modulus = std::array<std::uint8_t, rsa::kModulusBytes>;

inline constexpr std::size_t kMaxDraws = 1024;
inline constexpr std::size_t kMaxVotes = 4096;  ///< members of a committee
inline constexpr std::size_t kMaxHeaderBytes = 1u << 20;
inline constexpr std::size_t kHeaderBytes = 154;

KeyId key_id(ByteView n);

/// Keys registered in one role. Immutable; any number of blocks share one.
class KeySet {
 public:
  struct Entry {
    Modulus n{};
    KeyId id{};
  };
  KeySet() = default;
  /// Errors: bad_input naming the key that has not exactly 2048 bits or is even. A key given twice counts once.
  static Result<KeySet> make(std::span<const Modulus> keys);
  const Entry* by_modulus(ByteView n) const;
  const Entry* by_id(const KeyId& id) const;
  std::size_t size() const { return by_n_.size(); }

 private:
  std::vector<Entry> by_n_;
  std::vector<std::pair<KeyId, std::size_t>> by_id_;
};

// What each role signs; integers big-endian.
Bytes draw_message(const Hash32& previous, std::uint32_t round);
Bytes seal_message(const Hash32& block, std::uint32_t round);
enum class VoteForm : std::uint8_t {
  bare = 0,   ///< the hash alone, as the paper has it: for foreign chains
  height = 1  ///< hash | height | "V"
};
Bytes vote_message(const Hash32& block, std::uint64_t height, VoteForm form);
Bytes clerk_message(const Hash32& block, std::uint64_t height);

/// Leading zero bits, most significant first; 256 for all zero.
unsigned leading_zeros(const Hash32& digest);
/// Largest z with wanted * 2^z <= nodes, 0 if there is none. wanted = 0 gives 0.
unsigned zeros_for(std::uint64_t nodes, std::uint64_t wanted);

struct Kernels {
  rsa::Kernel& rsa;
  hashes::Kernel& hash;
};

/// What the kernels say of one signature.
struct Checked {
  bool valid = false;
  Hash32 digest{};  ///< SHA-256 of the signature, zeros unless valid
  unsigned zeros = 0;
};
/// Signatures of many items, for one run.
class SignatureTable {
 public:
  enum class Keep : std::uint8_t {
    all,
    nothing  ///< only which entries would be asked; run() is not for it
  };
  explicit SignatureTable(Keep keep = Keep::all) : keep_(keep) {}
  /// Returns the index of the result. A key or signature that is not 256 bytes is invalid without the kernel.
  std::size_t add(ByteView n, ByteView message, ByteView signature);
  std::size_t size() const { return rows_.size(); }
  /// Whether the kernel checks this one.
  bool asked(std::size_t index) const { return rows_[index] != kNone; }
  /// `numbers`, where wanted: rsa::kEvidenceBytes an entry, what verify_vartime has as evidence; zeros for entries that
  /// are not asked. Errors: those of the kernels.
  Result<std::vector<Checked>> run(const Kernels& kernels, const StopToken& stop, Bytes* numbers = nullptr) const;

 private:
  static constexpr std::size_t kNone = ~std::size_t{0};
  Keep keep_;
  std::vector<std::size_t> rows_;  ///< row of the batch, or kNone
  Bytes keys_, messages_, signatures_;
  std::vector<std::uint64_t> offsets_{0};
};

struct Draw {
  ByteView n;
  std::uint32_t round = 0;
  ByteView signature;
};
struct DrawRules {
  unsigned m1 = 0;  ///< least zeros
  std::uint32_t max_round = 0;
};
struct DrawFacts {
  bool signed_well = false;  ///< the signature is valid, so digest and zeros mean something
  Hash32 digest{};
  unsigned zeros = 0;
  friend bool operator==(const DrawFacts&, const DrawFacts&) = default;
};
/// `checked` is the result for draw_message(previous, draw.round). Reasons in order: bad_round, bad_signature,
/// too_few_zeros.
blocks::Verdict<DrawFacts> check_draw(const DrawRules& rules, std::uint32_t round, const Checked& checked);

struct DrawRank {
  std::uint32_t round = 0;
  unsigned zeros = 0;
  Hash32 digest{};
};
/// Fewer rounds, then more zeros, then the smaller digest.
bool before(const DrawRank& a, const DrawRank& b);

struct CommitteeMember {
  KeyId id{};
  DrawRank draw;  ///< the counted one: the key's lowest round
};
struct Committee {
  std::vector<CommitteeMember> members;  ///< by id; empty: not ready
  std::uint32_t closing_round = 0;
  bool ready() const { return !members.empty(); }
  const CommitteeMember* find(const KeyId& id) const;
};
/// From valid draws: all keys up to the round of the `wanted`-th smallest one. Fewer keys than wanted (or wanted = 0):
/// not ready.
Committee committee_of(std::vector<CommitteeMember> draws, std::size_t wanted);

struct DrawList {
  DrawRules rules;
  Hash32 previous{};
  std::size_t wanted = 0;
  std::span<const Draw> draws;
};
/// Committees from whole lists of draws, of whatever keys. A list over kMaxDraws is not ready. Errors: the kernels'.
Result<std::vector<Committee>> committees(std::span<const DrawList> lists, const Kernels& kernels,
                                          const StopToken& stop);

struct Vote {
  ByteView n;
  ByteView signature;
};
struct Block {
  ByteView header;
  std::vector<Draw> draws;
  ByteView clerk_signature;
  std::optional<Draw> seal;
  std::vector<Vote> votes;
};
enum class VoteRule : std::uint8_t {
  unanimous,  ///< every member; one silent member stops the height
  two_thirds  ///< floor(2 members / 3) + 1
};
/// Parameters of a chain and the place of the block. The caller keeps the sets.
struct BlockRules {
  DrawRules draw;
  unsigned m2 = 0;  ///< least zeros of the seal
  std::size_t wanted = 0;
  VoteRule rule = VoteRule::unanimous;
  VoteForm vote_form = VoteForm::height;
  const KeySet* primary = nullptr;
  const KeySet* secondary = nullptr;
  Hash32 parent_hash{};
  std::uint64_t parent_height = 0;
};

struct Header {
  std::uint64_t height = 0;
  Hash32 previous{};
  Hash32 tx_root{};
  std::uint64_t unix_ms = 0;
  std::uint32_t draw_round = 0;
  KeyId clerk{};
  Hash32 draw_digest{};
};
/// "BTNB" | u16 1 | height | ... ; error: bad_input (length, magic, version).
Result<Header> decode_header(ByteView bytes);
Bytes encode_header(const Header& header);

struct BlockFacts {
  unsigned state = 0;  ///< 0: no block; 1: drawn and signed; 2: sealed; 3: jointly sealed
  Hash32 block_hash{};
  std::size_t members = 0;
  std::size_t votes = 0;  ///< good ones
  unsigned seal_zeros = 0;
  friend bool operator==(const BlockFacts&, const BlockFacts&) = default;
};
struct BlockItem {
  const BlockRules* rules = nullptr;
  const Block* block = nullptr;
};
/// facts.state is the state reached, the reason why it went no further. `ok` without state 3: nothing wrong, and no
/// seal came along. Reasons in order: limit, bad_header, wrong_parent, committee_not_ready, clerk_not_in_committee,
/// bad_draw_reference, bad_clerk_signature; unknown_sealer, own_seal, bad_seal, seal_zeros; for each vote
/// voter_not_in_committee, duplicate_vote, bad_vote; votes_missing. Errors: those of the kernels.
/// `numbers`, where wanted, becomes a list for each item: what verify_vartime has as evidence, of each signature that
/// it was asked for, in the order draws, clerk, seal, votes.
Result<std::vector<blocks::Verdict<BlockFacts>>> check_blocks(std::span<const BlockItem> items, const Kernels& kernels,
                                                              const StopToken& stop,
                                                              std::vector<Bytes>* numbers = nullptr);
/// How many signatures check_blocks asks the kernel for, whatever they are worth.
std::size_t signatures_asked(const BlockRules& rules, const Block& block);

struct BlockRank {
  std::uint32_t seal_round = 0;
  unsigned seal_zeros = 0;
  std::uint32_t draw_round = 0;
  unsigned draw_zeros = 0;
  Hash32 draw_digest{};
  Hash32 block_hash{};
};
/// Which of two sealed blocks a member votes for.
bool before(const BlockRank& a, const BlockRank& b);

enum class EquivocationType : std::uint8_t { vote = 'V', clerk = 'B' };
struct Equivocation {
  EquivocationType type = EquivocationType::vote;
  ByteView n;
  std::uint64_t height = 0;
  Hash32 hash_a{}, hash_b{};
  ByteView signature_a, signature_b;
};
/// Two valid signatures of one key in one role at one height over different hashes. Reasons: same_hash, bad_signature.
/// Whether the key is registered is the caller's question. `numbers` as for check_blocks. Errors: those of the kernels.
Result<std::vector<blocks::Verdict<>>> check_equivocations(std::span<const Equivocation> items, const Kernels& kernels,
                                                           const StopToken& stop,
                                                           std::vector<Bytes>* numbers = nullptr);

}  // namespace sparkmill::btn
