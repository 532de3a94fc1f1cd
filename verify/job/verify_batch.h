// SPDX-License-Identifier: Apache-2.0
// Job kind `verify.batch`: many signatures of one scheme and policy; a verdict each, and evidence that each was
// computed. Params: u16 version = 1, u16 flags (bit 0: evidence), u16 scheme, u16 policy, u32 count. One blob: a
// signature stream (verify/signatures/stream.h) of the same form with that count.
// Answer: u32 count, ceil(count / 8) bytes: bit i mod 8, lowest first, of byte i / 8 is 1 when item i is valid.
// Evidence of item i: H(worker_pub | context | enc T), T the scheme's intermediate point or number of jobs-and-proofs
// 7. Without the flag T is empty: such evidence proves nothing, so that these jobs are for quorums of two only.
// Units: one is a verification of Ed25519 `go` with a message of up to 47 bytes; others by what they cost on a core,
// see item_weight. A verdict "valid" is a computation that was paid for, no word on security: that takes a quorum, or a
// check of one's own. Source: jobs and proofs 7; "Signatures and proofs" 1 to 5, 8.
#pragma once

#include "verify/job/job.h"
#include "verify/signatures/stream.h"

namespace sparkmill::job {

inline constexpr std::uint32_t kMaxBatchItems = 1u << 20;
inline constexpr std::size_t kMaxBatchBytes = std::size_t{1} << 30;

struct BatchParams {
  const signatures::Form* form = nullptr;
  std::uint32_t count = 0;
  bool evidence = true;
};
Bytes encode_batch_params(const BatchParams& params);
/// Errors: bad_input naming the field (version, flags, count 0 or above kMaxBatchItems, evidence of a form that has
/// none); unsupported (scheme and policy).
Result<BatchParams> decode_batch_params(ByteView bytes);

/// Cost of an item in 64ths of a unit: the scheme's measured cost, what a long message adds, and for MuSig2 what the
/// list of signers adds, unless it is that of the item before. `before`: the message of that one; empty: none.
std::uint64_t item_weight(const signatures::Form& form, ByteView message, ByteView before);

/// A sealed job with a fresh salt. `stream` is the hash of the blob that signatures::encode_stream made.
Job make_batch_job(const BatchParams& params, const Hash32& stream, std::uint64_t deadline_unix_ms);

/// The row `verify.batch` of the table.
Result<std::unique_ptr<Work>> open_verify_batch(const Job& job, BlobSource& blobs, const Binding& binding);
Result<std::vector<Piece>> split_verify_batch(const Job& whole, BlobSource& blobs, std::uint64_t target_units,
                                              const KeepBlob& keep);
Result<Bytes> combine_verify_batch(const Job& whole, std::span<const PieceAnswer> parts);

/// The verdicts of an answer, one byte an item. Error: bad_input.
Result<Bytes> decode_batch_answer(ByteView answer, std::uint32_t count);

}  // namespace sparkmill::job
