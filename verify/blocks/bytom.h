// SPDX-License-Identifier: Apache-2.0
// Blocks of Bytom 1.x, the proof-of-work chain: decode, ids and roots, verdict of one block or of many at once. Nothing
// here reads a clock, a file or a network, or throws on input. Source: the specification "Bytom blocks" (sections are
// named as "Bytom blocks 4").
//
// What a verdict covers: the body (programs, signatures, balances, gas, coinbase, roots) always; the header chain when
// a Context comes with the block; never the UTXO set, see bytom_state.h.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/stop.h"
#include "kernels/ed25519/ed25519.h"
#include "kernels/hash/hash.h"
#include "kernels/tensority/tensority.h"
#include "verify/blocks/verdict.h"
#include "verify/chain/header.h"

namespace sparkmill::blocks::bytom {

/// A limit of ours: gas alone keeps honest blocks below 10 MB (Bytom blocks 9).
inline constexpr std::size_t kMaxBlockBytes = std::size_t{16} << 20;
inline constexpr std::uint64_t kMaxBlockGas = 10'000'000;
/// BTM, the asset that pays for gas.
inline constexpr Hash32 kBtm = [] {
  Hash32 all{};
  all.fill(0xff);
  return all;
}();

// ---- what a block is made of; all views point into the bytes that were decoded (Bytom blocks 2, 3)

enum class InputType : std::uint8_t { issuance = 0, spend = 1, coinbase = 2 };
/// "issuance", "spend", "coinbase".
std::string_view name(InputType type);

/// A list of byte strings as it stands on the wire, already known to be well formed.
struct Arguments {
  ByteView wire;  ///< behind the count
  std::uint32_t count = 0;
  /// The first ones, `most` at most.
  std::vector<ByteView> items(std::uint32_t most = UINT32_MAX) const;
};

struct Input {
  InputType type = InputType::spend;
  Hash32 asset{};                ///< coinbase: of output 0
  std::uint64_t amount = 0;      ///< coinbase: of output 0
  Hash32 source{};               ///< spend: mux id of the transaction that made the output
  std::uint64_t position = 0;    ///< spend: which output of it
  std::uint64_t vm_version = 1;  ///< issuance: any; spend: 1
  ByteView program;              ///< spend, issuance
  ByteView data;                 ///< issuance: nonce; coinbase: its data
  ByteView definition;           ///< issuance
  Arguments arguments;           ///< spend, issuance
  /// Unknown bytes at the ends of the extensible strings: part of no id, kept for encode().
  ByteView commitment_suffix, spend_suffix, witness_suffix;
};

struct Output {
  Hash32 asset{};
  std::uint64_t amount = 0;
  ByteView program;
  ByteView suffix;
  /// Has an id, but never enters the UTXO set.
  bool retired() const { return !program.empty() && program[0] == 0x6a; }
};

struct Transaction {
  std::uint64_t version = 1;
  std::uint64_t time_range = 0;
  std::vector<Input> inputs;
  std::vector<Output> outputs;
  std::uint64_t size = 0;  ///< bytes as read: the storage gas
};

struct Block {
  chain::BlockHeader header;
  std::vector<Transaction> transactions;
  bool canonical = true;  ///< encode() gives the bytes that were read
};

/// `bytes` must outlive the block. Refused: what the reference refuses to decode (bad_input naming field and offset),
/// what it crashes on (unsupported: asset versions other than 1; more than one coinbase input in a transaction), and
/// blocks over kMaxBlockBytes (too_large). Memory: some 10 bytes for each byte that was really there.
Result<Block> decode(ByteView bytes);
/// One transaction and nothing behind it; errors as decode().
Result<Transaction> decode_transaction(ByteView bytes);
/// The shortest form, always as a full block (03). Requires header integers below 2^63.
Bytes encode(const Block& block);
Bytes encode(const Transaction& transaction);

/// SHA3(program | SHA3(definition)) (Bytom blocks 4).
Hash32 asset_id(std::uint64_t vm_version, ByteView program, ByteView definition);

// ---- ids and roots (Bytom blocks 4, 5, 6)

struct TransactionIds {
  Hash32 id{};
  Hash32 mux{};
  std::vector<Hash32> entries;    ///< the entry id of each input
  std::vector<Hash32> table;      ///< the same, but zeros where another input of the same id took the entry
  std::vector<Hash32> spent;      ///< output id that an input spends; zeros unless it is a spend
  std::vector<Hash32> outputs;    ///< retirements included
  std::vector<Hash32> sighashes;  ///< SHA3(table | id)
};
struct BlockIds {
  Hash32 id{};
  Hash32 tx_root{};
  std::vector<TransactionIds> transactions;
};
/// Of many blocks at once: a batch a depth (spent outputs, inputs, mux, outputs, transactions, sighashes, roots).
/// Errors: what the kernel reports (cancelled, a device's).
Result<std::vector<BlockIds>> ids(std::span<const Block* const> blocks, hashes::Kernel& hash, const StopToken& stop);

// ---- signatures: what the programs ask for, answered in batches (Bytom blocks 6, 7)

enum class Op : std::uint8_t { checksig, checkmultisig };
/// "CHECKSIG", "CHECKMULTISIG".
std::string_view name(Op op);

/// One question of a program. A signature of another length than 64 is never valid and is not asked.
struct Triple {
  std::array<std::uint8_t, 32> key{};
  Hash32 message{};
  std::array<std::uint8_t, 64> signature{};
  auto operator<=>(const Triple&) const = default;
};

// ---- verdicts (Bytom blocks 8, 9)

struct TransactionFacts {
  std::uint64_t size = 0;
  bool gas_valid = false;    ///< false makes the block invalid
  bool status_fail = false;  ///< listed as failed; with gas_valid the block stands
  std::string_view reason;   ///< first failing rule; empty: none
  std::uint64_t gas_used = 0;
  std::uint64_t fee = 0;
};

/// Which parts were checked (Bytom blocks 10): a verdict without work says nothing about the chain, one without state
/// nothing about real coins. Block 0 has no header rules: they count as checked.
struct Scope {
  bool body = false;
  bool links = false;  ///< version, height, parent
  bool bits = false;   ///< the target that the chain asks for
  bool time = false;
  bool work = false;  ///< Tensority
  bool state = false;
  bool chain() const { return links && bits && time && work; }
};

struct Facts {
  std::uint64_t height = 0;
  Hash32 id{};
  Hash32 tx_root{}, status_root{};  ///< as computed
  std::vector<TransactionFacts> transactions;
  std::uint64_t fees = 0;
  std::uint64_t gas_used = 0;
  std::uint64_t signatures = 0;  ///< that programs asked for
  std::optional<bool> pow_ok;    ///< none: no seed was given
  Scope scope;
};
/// reason: a word of the specification; "decode", "unsupported", "limit" for what decode() refuses, "undecided" when a
/// program left what the VM here knows.
using BlockVerdict = Verdict<Facts>;

/// The verdict of bytes that decode() refused.
BlockVerdict undecodable(const Error& error);

/// What the headers before a block say, as far as it is known: what is missing is not checked.
struct Context {
  std::optional<Hash32> parent_id;
  std::optional<std::uint64_t> parent_height;
  std::optional<std::uint64_t> bits;         ///< that this block must have
  std::optional<std::uint64_t> median_time;  ///< of the eleven before
  std::optional<Hash32> seed;
  std::uint64_t now = chain::kMaxVarint63;  ///< Unix seconds
};

/// Where matrices come from; shared by lanes. The default is tensority::epochs(), which keeps two.
class EpochSource {
 public:
  virtual ~EpochSource() = default;
  virtual Result<std::shared_ptr<const tensority::Epoch>> get(const Hash32& seed, const StopToken& stop) = 0;
};

/// Kernels of one lane. What a fast row calls invalid is recomputed before it condemns a block: signatures by
/// `second_signatures` (the reference row; null: no second opinion), proof of work by another row of the processor.
struct Engines {
  hashes::Kernel* hash = nullptr;
  ed25519::Kernel* signatures = nullptr;
  ed25519::Kernel* second_signatures = nullptr;
  tensority::Kernel* pow = nullptr;  ///< needed where a context has a seed
  EpochSource* epochs = nullptr;     ///< null: the default
};

struct Item {
  const Block* block = nullptr;
  std::optional<Context> context;  ///< none: the body only
};

struct Judged {
  BlockVerdict verdict;
  BlockIds ids;
};
/// The verdicts of many blocks, each the same whatever else is in the batch. All hashes of a depth and all signatures
/// of a round run as one kernel call; epochs of several seeds are built side by side. Errors: bad_argument (a kernel is
/// missing), cancelled, what a kernel reports, mismatch (two rows disagree about a signature or a hash).
Result<std::vector<Judged>> judge(std::span<const Item> items, const Engines& engines, const StopToken& stop = {});

/// A program of an input run alone with a run limit of 200,000: what the vector files list.
struct Trial {
  struct Try {
    Op op;
    Bytes key, message, signature;
    bool ok = false;
  };
  bool ok = false;
  std::string_view reason;
  std::vector<Try> tries;  ///< in the order the VM makes them
};
/// Runs input `input` of transaction `tx`; signatures are answered by `engine`. Requires a spend or an issuance.
Result<Trial> try_input(const Block& block, const BlockIds& ids, std::size_t tx, std::size_t input,
                        ed25519::Kernel& engine);

/// floor of the subsidy of a height (Bytom blocks 9).
std::uint64_t subsidy(std::uint64_t height);

}  // namespace sparkmill::blocks::bytom
