// SPDX-License-Identifier: Apache-2.0
// Job kind `tensority`: all nonces of a range whose Tensority hash is not above a share target. The nonces are their
// own proof: there is no commit and no challenge, a checker hashes each once. Units are hashes. Params: u16 version =
// 1, u16 0, u32 0, preimage[136] (nonce bytes zero), seed[32], share target[32] (little-endian),
//         block target[32], u64 first nonce, u64 count. No blobs.
// Source: DESIGN 6; "Tensority" 2 to 4; jobs and proofs 4.
#pragma once

#include "kernels/tensority/tensority.h"
#include "verify/job/job.h"

namespace sparkmill::job {

struct TensorityParams {
  tensority::Preimage preimage{};
  Hash32 seed{};
  Hash32 share_target{};  ///< what counts as found; never below the block target
  Hash32 block_target{};
  std::uint64_t first_nonce = 0;
  std::uint64_t count = 0;
};
Bytes encode_tensority_params(const TensorityParams& params);
/// Error: bad_input naming the field: version, nonce bytes, targets (zero, or shares harder than the block), a range
/// that is empty or leaves [0, 2^63).
Result<TensorityParams> decode_tensority_params(ByteView bytes);

/// A sealed job with a fresh salt; whoever changes a field calls seal() again.
Job make_tensority_job(const TensorityParams& params, std::uint64_t deadline_unix_ms);

/// The slice of `count` nonces from `first` on; for sources that hand out more than a list of slices could hold.
/// Requires count >= 1.
Slice nonce_slice(std::uint32_t index, std::uint64_t first, std::uint32_t count);

/// What a slice or a whole job found. Layout: u64 first, u64 count, u64 best nonce, best result[32], u32 hits, then
/// hits * (u64 nonce, result[32]) in order of nonce.
struct NonceReport {
  std::uint64_t first = 0;
  std::uint64_t count = 0;  ///< nonces done
  tensority::Found best;
  std::vector<tensority::Found> hits;
};
Bytes encode_nonce_report(const NonceReport& report);
Result<NonceReport> decode_nonce_report(ByteView bytes);

/// Reports of ranges that follow each other without gap or overlap, in any order, as one over [first, first + count).
/// Error: bad_input.
Result<NonceReport> merge_reports(std::uint64_t first, std::uint64_t count, std::vector<NonceReport> parts);

/// The row `tensority` of the table. The job's answer is a NonceReport over its whole range.
Result<std::unique_ptr<Work>> open_tensority(const Job& job, BlobSource& blobs, const Binding& binding);
/// Pieces are ranges of nonces.
Result<std::vector<Piece>> split_tensority(const Job& whole, BlobSource& blobs, std::uint64_t target_units,
                                           const KeepBlob& keep);
Result<Bytes> combine_tensority(const Job& whole, std::span<const PieceAnswer> parts);

/// What the audit demands of the number of hits: an honest search of `count` nonces finds fewer than the returned
/// number with a probability of at most 1e-9 (Poisson, mean = count * share target / 2^256). More than the honest
/// number cannot be claimed, as every hit is recomputed.
std::uint64_t least_hits(std::uint64_t count, const Hash32& share_target);
/// The share target that lets about `expected` of `count` nonces pass, never below the block target.
Hash32 share_target_for(std::uint64_t count, std::uint64_t expected, const Hash32& block_target);

/// tensority(header_hash, seed of epoch) on the fastest CPU row that is not in `not_by` (row ids); the oracle when no
/// other is left. Errors: what the row reports.
Result<Hash32> recompute(const tensority::Epoch& epoch, const Hash32& header_hash, std::span<const std::string> not_by);

}  // namespace sparkmill::job
