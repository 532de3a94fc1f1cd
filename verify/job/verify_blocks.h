// SPDX-License-Identifier: Apache-2.0
// Job kind `verify.blocks`: whole items of a chain, each with a verdict and its reason, and evidence that it was
// computed. Chains: Bytom 1.x blocks (BTTC checkpoints and BTN blocks have numbers and no work yet).
// Params: u16 version = 1, u16 flags (bit 0: evidence), u16 chain, u16 0, u32 count. One blob, tagged records:
// "SMBK" | u16 version = 1 | u16 chain | u32 count | count * (u8 tag | [context] | u32 length + block). Tag 1: the
// block's body alone; tag 2: with what is known of its context, u8 fields (1 parent id, 2 parent height, 4 bits, 8
// median time, 16 seed: the proof of work is computed) | parent id[32] | u64 parent height | u64 bits | u64 median time
// | seed[32] | u64 now (Unix seconds); the bytes of fields that are not there count for nothing.
// Answer: u32 count, a byte an item: 1 valid, otherwise the number of its reason (block_reasons).
// Evidence of item i: H(worker_pub | context | T), T = H("sparkmill/block-work/v1" | u8 tag | Tensority hash, zeros
// without a seed | point of each signature that its programs asked for, as in verify.batch, by key, message and
// signature). A block that cannot be decoded has no work in it: T of zeros and no points. Units: Tensority hashes; a
// seed other than that of the item before counts for three more, and each 1,600 inputs for one. Source: DESIGN 6; jobs
// and proofs 7; "Bytom blocks" 8 to 10.
#pragma once

#include <optional>

#include "verify/blocks/bytom.h"
#include "verify/job/job.h"

namespace sparkmill::job {

enum class Chain : std::uint16_t { bytom = 1, bttc = 2, btn = 3 };
inline constexpr std::uint32_t kMaxBlockItems = 1u << 16;

/// One record. `block` points into the blob, or into memory of the caller.
struct BlockItem {
  std::optional<blocks::bytom::Context> context;
  ByteView block;
};
Bytes encode_block_items(std::span<const BlockItem> items);
/// Errors: bad_input naming item and field (cut off, tag, sizes, a count of 0 or above kMaxBlockItems), unsupported
/// (chain). Blocks are not decoded: what is wrong with one is a verdict.
Result<std::vector<BlockItem>> decode_block_items(ByteView blob);

/// Words of the answer's bytes; those from 2 on are reasons, the last one stands for all that have no number.
std::string_view block_reason(std::uint8_t verdict);
/// The byte of a reason; that of all others where it has none. "valid": 1.
std::uint8_t block_verdict(std::string_view reason);

/// A sealed job with a fresh salt over the blob of these items.
Job make_blocks_job(std::span<const BlockItem> items, bool evidence, std::uint64_t deadline_unix_ms);

/// The row `verify.blocks` of the table.
Result<std::unique_ptr<Work>> open_verify_blocks(const Job& job, BlobSource& blobs, const Binding& binding);
Result<std::vector<Piece>> split_verify_blocks(const Job& whole, BlobSource& blobs, std::uint64_t target_units,
                                               const KeepBlob& keep);
Result<Bytes> combine_verify_blocks(const Job& whole, std::span<const PieceAnswer> parts);

}  // namespace sparkmill::job
