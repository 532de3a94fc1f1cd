// SPDX-License-Identifier: Apache-2.0
// Job kind `verify.blocks`: whole items of a chain, each with a verdict and its reason, and evidence that it was
// computed. Chains: Bytom 1.x blocks (here), BTTC checkpoints and exits (verify_blocks_bttc.h), BTN blocks and
// equivocations (verify_blocks_btn.h).
// Params: u16 version = 1, u16 flags (bit 0: evidence), u16 chain, u16 0, u32 count. One blob: "SMBK" | u16 version = 1
// | u16 chain | u32 count | what the chain has. Bytom: count * (u8 tag | [context] | u32 length + block). Tag 1: the
// block's body alone; tag 2: with what is known of its context, u8 fields (1 parent id, 2 parent height, 4 bits, 8
// median time, 16 seed: the proof of work is computed) | parent id[32] | u64 parent height | u64 bits | u64 median time
// | seed[32] | u64 now (Unix seconds); the bytes of fields that are not there count for nothing.
// Answer: u32 count, a byte an item: 1 valid, otherwise the number of its reason, by chain (block_reason).
// Evidence of item i: H(worker_pub | context | T), T = H("sparkmill/block-work/v1" | u8 tag | own[32] | points); Bytom:
// own is the Tensority hash, zeros without a seed, points those of each signature that its programs asked for, as in
// verify.batch, by message, key and signature. An item without any computation has T of zeros and no points.
// Units: Bytom: Tensority hashes; a seed other than that of the last item with one counts for three more; a block for
// 1/1200 and each of its inputs for 1/600, summed and rounded up. BTTC and BTN: units of verify.batch. Source: DESIGN
// 6; jobs and proofs 7; "Bytom blocks" 8 to 10.
#pragma once

#include <optional>

#include "verify/blocks/bytom.h"
#include "verify/job/job.h"

namespace sparkmill::job {

enum class Chain : std::uint16_t { bytom = 1, bttc = 2, btn = 3 };
inline constexpr std::uint32_t kMaxBlockItems = 1u << 16;
inline constexpr std::size_t kMaxBlockBlobBytes = std::size_t{1} << 30;

/// One record of Bytom. `block` points into the blob, or into memory of the caller.
struct BlockItem {
  std::optional<blocks::bytom::Context> context;
  ByteView block;
};
Bytes encode_block_items(std::span<const BlockItem> items);
/// Errors: bad_input naming item and field (cut off, tag, sizes, a count of 0 or above kMaxBlockItems), unsupported
/// (another chain). Blocks are not decoded: what is wrong with one is a verdict.
Result<std::vector<BlockItem>> decode_block_items(ByteView blob);

/// What stands in front of a blob of any chain.
struct BlockBlobHead {
  Chain chain = Chain::bytom;
  std::uint32_t count = 0;
};
/// Errors: bad_input (no SMBK, version, a count of 0 or above kMaxBlockItems), unsupported (chain).
Result<BlockBlobHead> decode_block_head(ByteView blob);
std::string_view name(Chain chain);

/// Words of the answer's bytes; those from 2 on are reasons, "other" stands for all that have no number.
std::string_view block_reason(Chain chain, std::uint8_t verdict);
inline std::string_view block_reason(std::uint8_t verdict) { return block_reason(Chain::bytom, verdict); }
/// The byte of a reason; that of all others where it has none. "valid": 1. Requires a chain that is known here.
std::uint8_t block_verdict(Chain chain, std::string_view reason);
std::uint8_t highest_block_verdict(Chain chain);

/// A sealed job with a fresh salt over the blob of these items.
Job make_blocks_job(std::span<const BlockItem> items, bool evidence, std::uint64_t deadline_unix_ms);
/// The same over a blob of any chain; the head must be that of the blob, which is not looked at.
Job make_blocks_job(const BlockBlobHead& head, const Hash32& blob, bool evidence, std::uint64_t deadline_unix_ms);

/// The row `verify.blocks` of the table.
Result<std::unique_ptr<Work>> open_verify_blocks(const Job& job, BlobSource& blobs, const Binding& binding);
Result<std::vector<Piece>> split_verify_blocks(const Job& whole, BlobSource& blobs, std::uint64_t target_units,
                                               const KeepBlob& keep);
Result<Bytes> combine_verify_blocks(const Job& whole, std::span<const PieceAnswer> parts);

}  // namespace sparkmill::job
