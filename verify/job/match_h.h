// SPDX-License-Identifier: Apache-2.0
// Job kind match.h: M:N matching of trit templates whose geometry the node may see (profile H, not double-blind).
// Params: u16 version = 1, u16 flags (bit 0: geometry disclosed to the node, must be set), u16 fields, u16 0,
//         u32 requests, u32 users, u32 tile = 256, u32 code length, predicate byte-code.
// Blobs: for each field the requests' template file, then the users' template file.
#pragma once

#include "kernels/match/match.h"
#include "verify/job/job.h"

namespace sparkmill::job {

/// A job is at most this many tiles: the worker keeps about 60 bytes a tile and leaf beside the blobs.
inline constexpr std::uint64_t kMaxTiles = 1u << 22;
/// A whole job finds at most this many pairs (32 MiB of answer); more means that its threshold is not meant.
inline constexpr std::uint64_t kMaxAnswerPairs = 1u << 22;

/// The units of a tile of r x c real pairs: ceil(r * c * w / 32), w = sum over predicate leaves of n / 64 of the leaf's
/// field; so one pair at n = 2048 and one leaf is one unit. The units of a slice or job are the sum over its tiles.
struct MatchParams {
  std::uint32_t requests = 0;
  std::uint32_t users = 0;
  std::uint16_t fields = 0;
  match::Predicate predicate;
};
Bytes encode_match_params(const MatchParams& params);
Result<MatchParams> decode_match_params(ByteView bytes);

/// A sealed match.h job over these blobs (fields in order: requests, users, requests, users ...) with a fresh salt,
/// epoch 0 and no credit on offer; whoever changes a field calls seal() again.
Job make_match_job(const MatchParams& params, std::vector<Hash32> blobs, std::uint64_t deadline_unix_ms);

/// Answer codec: u32 count, then count * (u32 i, u32 j). The answer of a job holds every pair of the predicate without
/// LIMIT, tiles in leaf order, row-major within a tile; LIMIT is applied by final_pairs().
Bytes encode_pairs(std::span<const match::Pair> pairs);
/// Error: bad_input (length, more than kMaxAnswerPairs). The order is checked by Work::check_answer.
Result<std::vector<match::Pair>> decode_pairs(ByteView answer);

/// Keeps the n best of each request (Predicate::limit), score descending, ties by H(job_id | i | j); sorted by (i, j)
/// again. `words` gives the score words of all leaves for a pair.
std::vector<match::Pair> apply_limit(const match::Predicate& predicate, const Id16& job_id,
                                     std::vector<match::Pair> pairs,
                                     const std::function<void(match::Pair, std::span<std::uint32_t>)>& words);

/// What the requester gets: the answer's pairs after LIMIT, sorted by (i, j). Requires a match.h work. Error:
/// bad_input.
Result<std::vector<match::Pair>> final_pairs(const Work& work, ByteView answer);

Result<std::unique_ptr<Work>> open_match_h(const Job& job, BlobSource& blobs, const Binding& binding);
/// Pieces are blocks of whole tiles, as square as they come, over cut-out template files; the predicate is the whole's,
/// and LIMIT waits for the combined answer as it does on one machine.
Result<std::vector<Piece>> split_match_h(const Job& whole, BlobSource& blobs, std::uint64_t target_units,
                                         const KeepBlob& keep);
Result<Bytes> combine_match_h(const Job& whole, std::span<const PieceAnswer> parts);

}  // namespace sparkmill::job
