// SPDX-License-Identifier: Apache-2.0
// Job kind `tensority.check`: the proof of work of known blocks, hashed once more: a verdict a block, and evidence that
// its hash was really computed. Params: u16 version = 1, u16 0, u32 count. One blob: count entries of 80 bytes:
// u64 height, u64 bits, header hash[32], seed[32]; entries of one seed stand together to be cheap.
// Answer: u32 count, count * u8 verdict (1: the hash is not above the target of bits).
// Evidence of entry i: H("sparkmill/block-digest/v1" | key | u32 i | hash), key = H("sparkmill/digest/v1" | context |
// worker_pub). Leaf = H(0x00 | u32 i | u8 verdict | evidence). Units: hashes; a seed other than that of the entry
// before counts for three more. Source: DESIGN 6; jobs and proofs 7, 8; "Tensority" 3, 4.
#pragma once

#include "verify/job/job.h"

namespace sparkmill::job {

struct BlockEntry {
  std::uint64_t height = 0;  ///< for people; nothing is checked with it
  std::uint64_t bits = 0;
  Hash32 header_hash{};
  Hash32 seed{};
};
inline constexpr std::size_t kBlockEntryBytes = 80;
inline constexpr std::size_t kMaxBlockEntries = 1u << 20;
Bytes encode_block_entries(std::span<const BlockEntry> entries);
/// Error: bad_input (length, none, more than kMaxBlockEntries).
Result<std::vector<BlockEntry>> decode_block_entries(ByteView bytes);

/// A sealed job over the blob of these entries, with a fresh salt.
Job make_check_job(std::span<const BlockEntry> entries, std::uint64_t deadline_unix_ms);

Result<std::unique_ptr<Work>> open_tensority_check(const Job& job, BlobSource& blobs, const Binding& binding);
Result<std::vector<Piece>> split_tensority_check(const Job& whole, BlobSource& blobs, std::uint64_t target_units,
                                                 const KeepBlob& keep);
Result<Bytes> combine_tensority_check(const Job& whole, std::span<const PieceAnswer> parts);

}  // namespace sparkmill::job
