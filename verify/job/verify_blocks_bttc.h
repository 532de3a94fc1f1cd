// SPDX-License-Identifier: Apache-2.0
// BTTC in the job kind `verify.blocks` (chain 2): checkpoints, and exits against stored checkpoints. States that items
// share stand once in the blob: the set of validators, the spans of stored checkpoints.
// Behind the head: u32 states | states * state | count * item. State: u8 tag; 1, a validator set: u64 chain id | u64
// epoch | u64 staker count | total stake[16] | u32 n | n * (signer[20] | amount[16] | delegated[16] | u8 standing |
// u64 deactivation epoch); 2, spans: u32 n | n * (u64 header number | root[32] | u64 start | u64 end), ascending | u32
// m | m * processed exit id[32], ascending. Item: u8 tag; 1, a checkpoint: u32 state | u8 policy (0 contract, 1
// canonical) | u8 rule (0 count, 1 stake) | u8 fields (1: last end) | u64 last end | len data | u32 n | n * (r[32] |
// s[32] | v[32]); 2, an exit: u32 state | len payload. Amounts are little-endian, at most 2^110.
// Points of T: [u1 >> 16]G + [u2 >> 16]R, compressed, of each entry that reaches recovery, in the order of the list.
// An exit has none; its own is SHA-256 of every Keccak-256 that its checks computed, in order, zeros before the first.
// Source: "Consensus evidence" 2; docs/formats.md.
#pragma once

#include <variant>

#include "verify/blocks/bttc/checkpoint.h"
#include "verify/blocks/bttc/exit.h"
#include "verify/job/verify_blocks.h"

namespace sparkmill::job {

/// The contract's state without the end of the last checkpoint, which each item brings.
struct BttcValidators {
  std::uint64_t chain_id = 199;
  std::uint64_t epoch = 0;
  std::uint64_t staker_count = 0;
  bttc::Amount total_stake = 0;
  std::vector<bttc::Validator> validators;
};
using BttcState = std::variant<BttcValidators, bttc::ExitState>;

struct BttcCheckpoint {
  std::uint32_t state = 0;  ///< index of a validator set
  bttc::Policy policy = bttc::Policy::contract;
  bttc::Rule rule = bttc::Rule::count;
  std::optional<std::uint64_t> last_end;
  ByteView data;  ///< points into the blob, or into memory of the caller
  std::vector<bttc::SignatureWords> signatures;
};
/// Judged against the spans and processed ids as they are, whatever other exits are in the job.
struct BttcExit {
  std::uint32_t state = 0;  ///< index of spans
  ByteView payload;         ///< as above
};
using BttcItem = std::variant<BttcCheckpoint, BttcExit>;

struct BttcItems {
  std::vector<BttcState> states;
  std::vector<BttcItem> items;
};
/// Requires that items name states that are there.
Bytes encode_block_items(const BttcItems& items);
/// Errors: bad_input naming state or item and field: cut off, tag, numbers, a state that is not there or of the other
/// sort, over a limit (512 signatures, 4,096 validators, 1 MiB of data or payload, 2^20 spans and ids, 65,536 states);
/// unsupported (another chain).
Result<BttcItems> decode_bttc_items(ByteView blob);

}  // namespace sparkmill::job
