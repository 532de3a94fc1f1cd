// SPDX-License-Identifier: Apache-2.0
// Job kind match.h: M:N matching of trit templates whose geometry the node may see (profile H, not double-blind).
// Params: u16 version = 1, u16 flags (bit 0: geometry disclosed to the node, must be set), u16 fields, u16 0,
//         u32 requests, u32 users, u32 tile = 256, u32 code length, predicate byte-code.
// Blobs: for each field the requests' template file, then the users' template file.
#pragma once

#include "kernels/match/match.h"
#include "verify/job/job.h"

namespace sparkmill::job {

struct MatchParams {
  std::uint32_t requests = 0;
  std::uint32_t users = 0;
  std::uint16_t fields = 0;
  match::Predicate predicate;
};
Bytes encode_match_params(const MatchParams& params);
Result<MatchParams> decode_match_params(ByteView bytes);

/// A sealed-to-be match.h job over these blobs (fields in order: requests, users, requests, users ...).
Job make_match_job(const MatchParams& params, std::vector<Hash32> blobs, std::uint64_t deadline_unix_ms);

/// Answer codec: u32 count, then count * (u32 i, u32 j).
Bytes encode_pairs(std::span<const match::Pair> pairs);
Result<std::vector<match::Pair>> decode_pairs(ByteView answer);

/// Keeps the n best of each request (Predicate::limit), score descending, ties by H(job_id | i | j); sorted by (i, j)
/// again. `words` gives the score words of all leaves for a pair.
std::vector<match::Pair> apply_limit(const match::Predicate& predicate, const Id16& job_id,
                                     std::vector<match::Pair> pairs,
                                     const std::function<void(match::Pair, std::span<std::uint32_t>)>& words);

Result<std::unique_ptr<Work>> open_match_h(const Job& job, BlobSource& blobs, const Binding& binding);

}  // namespace sparkmill::job
