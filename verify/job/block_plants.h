// SPDX-License-Identifier: Apache-2.0
// Planted items of a verify.blocks job: items whose verdict, with its reason, the node knows before the worker does, at
// secret positions, made in the same way as the rest with one thing done to them. What the chain lets pass although it
// looks odd is planted as valid. Source: jobs and proofs 7; "Bytom blocks" 2 to 9.
#pragma once

#include "verify/job/verify_blocks.h"

namespace sparkmill::job {

/// What was done to an item; numbers are part of the layout of BlockPlants.
enum class BlockPlantKind : std::uint8_t {
  // Bytom, a program's arguments
  commitment_bit = 1,        ///< one bit of R
  scalar_bit = 2,            ///< one bit of S below its top
  key_bit = 3,               ///< one bit of the key
  wrong_key = 4,             ///< signed by another key
  wrong_message = 5,         ///< the signature of another message
  scalar_plus_order = 6,     ///< S + L: passes
  scalar_top_bits = 7,       ///< one of the top three bits of S
  long_signature = 8,        ///< 65 bytes
  no_arguments = 9,          ///< none at all
  swapped_arguments = 10,    ///< key and signature
  same_signature = 11,       ///< two of a multisig are one
  other_script = 12,         ///< redeem script of another hash
  multisig_bit = 13,         ///< one bit of a signature of a multisig
  signature_order = 14,      ///< signatures of a multisig not in the order of keys
  asset_signature_bit = 15,  ///< the transaction fails, the status root says that it passed
  // Bytom, roots and header
  claimed_failure = 20,   ///< the status root says that a good transaction failed
  transaction_root = 21,  ///< one bit
  status_root = 22,       ///< one bit
  roots_swapped = 23,
  transactions_swapped = 24,  ///< two of them, after the roots
  version = 25,
  height = 26,
  bits = 27,
  previous = 28,  ///< one bit
  old_time = 29,  ///< at or below the median
  future_time = 30,
  work = 31,  ///< the Tensority hash is above the target
  // Bytom, coinbase
  coinbase_more = 40,
  coinbase_less = 41,
  coinbase_two_outputs = 42,
  coinbase_retired = 43,
  coinbase_asset = 44,
  coinbase_data = 45,    ///< over 128 bytes
  second_coinbase = 46,  ///< in another transaction
  // Bytom, transactions, otherwise in order
  asset_more = 50,     ///< an asset leaves that did not come
  asset_nowhere = 51,  ///< of an asset without input
  asset_overflow = 52,
  btm_more = 53,
  no_fee = 54,
  low_fee = 55,  ///< pays for the programs, not for the bytes
  no_outputs = 56,
  transaction_version = 57,
  time_range = 58,
  not_standard = 59,
  duplicate_input = 60,
  // Bytom, bytes
  cut = 70,
  trailing = 71,
  flag = 72,
  padded_number = 73,  ///< passes
  long_number = 74,
  asset_version = 75,
  any_bit = 76,  ///< whatever it breaks
  // BTTC, checkpoints that nothing but the flaw keeps from two thirds
  bttc_commitment_bit = 100,
  bttc_scalar_bit = 101,
  bttc_flipped_v = 102,
  bttc_high_s = 103,       ///< policy canonical
  bttc_high_s_walk = 104,  ///< policy contract, here and below
  bttc_odd_v = 105,        ///< canonical
  bttc_duplicate = 106,    ///< canonical
  bttc_duplicate_walk = 107,
  bttc_order = 108,  ///< canonical
  bttc_order_walk = 109,
  bttc_stranger = 110,  ///< canonical
  bttc_stranger_walk = 111,
  bttc_no_point = 112,    ///< r is 0 or the group order
  bttc_other_data = 113,  ///< one vote is for another checkpoint
  bttc_root_bit = 114,    ///< after the votes
  bttc_left = 115,        ///< canonical: one signer is no validator any more
  bttc_too_few = 116,
  bttc_missing = 117,  ///< canonical
  bttc_stake = 118,    ///< enough validators, too little stake
  bttc_short = 119,
  bttc_chain = 120,
  bttc_gap = 121,  ///< does not begin behind the last one
  bttc_backwards = 122,
  bttc_span = 123,      ///< canonical: too many blocks
  bttc_padding = 124,   ///< canonical
  bttc_proposer = 125,  ///< canonical: unknown
  // BTTC, exits
  exit_cut = 126,
  exit_header = 127,  ///< no stored checkpoint
  exit_span = 128,
  exit_sibling_bit = 129,
  exit_leaf = 130,  ///< another time of the block
  exit_mask = 131,
  exit_node_bit = 132,
  exit_receipt_bit = 133,
  exit_form = 134,  ///< proved, but no receipt
  exit_log = 135,
  exit_replay = 136,
  // BTN, candidate blocks and equivocations
  btn_header = 150,
  btn_parent_bit = 151,
  btn_height = 152,
  btn_few_draws = 153,
  btn_draw_bits = 154,  ///< a bit of every draw but two
  btn_clerk = 155,      ///< of no member
  btn_draw_reference = 156,
  btn_clerk_bit = 157,
  btn_unsealed = 158,
  btn_sealer = 159,  ///< not registered
  btn_own_seal = 160,
  btn_seal_bit = 161,
  btn_seal_round = 162,  ///< over the last one
  btn_seal_other = 163,  ///< seals another block
  btn_seal_zeros = 164,
  btn_voter = 165,  ///< no member
  btn_duplicate_vote = 166,
  btn_vote_bit = 167,
  btn_vote_other = 168,  ///< for another block
  btn_vote_bare = 169,   ///< without height
  btn_vote_missing = 170,
  btn_same_hash = 171,   ///< equivocation
  btn_proof_bit = 172,   ///< equivocation
  btn_proof_role = 173,  ///< equivocation: one is a vote, one a clerk's
};

struct BlockPlantRow {
  BlockPlantKind kind;
  std::string_view name;
  /// The word of the verdict; empty: any but valid.
  std::string_view reason;
};
/// The kinds of a chain.
std::span<const BlockPlantRow> block_plant_kinds(Chain chain);
/// Null: unknown number.
const BlockPlantRow* find_block_plant(BlockPlantKind kind);

/// An item that owns its bytes.
struct SampleBlock {
  std::optional<blocks::bytom::Context> context;
  Bytes block;
};

struct BlockPlant {
  std::uint32_t index = 0;
  BlockPlantKind kind = BlockPlantKind::commitment_bit;
  std::uint8_t verdict = 0;  ///< as in the answer
  auto operator<=>(const BlockPlant&) const = default;
};

/// What the node keeps for a lease and never shows.
struct BlockPlants {
  Chain chain = Chain::bytom;  ///< that of the kinds
  std::uint32_t items = 0;
  std::vector<BlockPlant> list;  ///< ascending by index
};
/// u32 version = 1 | u32 items | u32 count | count * (u32 index | u8 kind | u8 verdict).
Bytes encode(const BlockPlants& plants);
/// Error: bad_input (layout, order, positions outside, unknown kinds).
Result<BlockPlants> decode_block_plants(ByteView bytes);

/// Findings: "plant_missed" (a planted bad item called valid), "plant_refused" (a good one called invalid),
/// "plant_reason" (a bad one with another reason), "malformed". The details name no item: they reach the worker.
Finding check_plants(const BlockPlants& plants, ByteView answer);
/// The answer without the planted items, in the same layout. Error: bad_input.
Result<Bytes> strip_plants(const BlockPlants& plants, ByteView answer);

/// Enough that all kinds of a chain come once.
inline constexpr std::uint32_t kMinPlantedBlocks = 256;
/// Bad items: as many as verify.batch has.
std::uint32_t block_plants_for(std::uint32_t items);

struct PlantedBlocks {
  std::vector<SampleBlock> items;
  BlockPlants plants;
  std::uint32_t with_work = 0;  ///< items whose proof of work is asked for
  std::uint64_t hashes = 0;     ///< Tensority hashes that were spent on them
};
/// `items` Bytom blocks: bad_items_for(items) bad ones, and all others good: `real` at drawn places, then fresh ones.
/// One in kWorkPer has a seed; those stand by seed, so that matrices change seldom. All randomness comes from `seed`,
/// which must be secret and fresh. Planted items are judged by the reference rows (their Tensority hash by the fastest
/// row, a failed one by another again), all others by the fastest.
/// Errors: bad_argument (fewer than kMinPlantedBlocks items, or `real` leaves no room), internal (a planted item whose
/// verdict is not the wanted one, a good one that is not valid), cancelled, what kernels report.
Result<PlantedBlocks> plant_bytom_blocks(std::span<const BlockItem> real, std::uint32_t items, const Hash32& seed,
                                         const StopToken& stop = {});
inline constexpr std::uint32_t kWorkPer = 8;

/// A job's input of another chain.
struct PlantedBlob {
  Bytes blob;
  BlockPlants plants;
};
/// `items` BTTC checkpoints of four drawn validator sets, both policies, both rules; one in six an exit. Errors as
/// plant_bytom_blocks; unsupported in a build without libsecp256k1.
Result<PlantedBlob> plant_bttc_items(std::uint32_t items, const Hash32& seed, const StopToken& stop = {});
/// `items` BTN blocks that are candidates of drawn heights, and equivocations. RSA keys are made once a process.
Result<PlantedBlob> plant_btn_items(std::uint32_t items, const Hash32& seed, const StopToken& stop = {});

}  // namespace sparkmill::job
