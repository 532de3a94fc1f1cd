// SPDX-License-Identifier: Apache-2.0
// A worker's claim that it computed a BOINC result, job kind `boinc.claim`. It binds the result to the worker's key and
// proves nothing by itself: for our own application the receipt of the assimilator decides, for foreign projects their
// exported credit. Source: BOINC page 5, jobs and proofs 8. Bytes: docs/formats.md.
#pragma once

#include <string>
#include <vector>

#include "base/keys/keys.h"
#include "base/result.h"

namespace sparkmill::protocol {

struct BoincClaim {
  bool own_application = false;  ///< the result file carries a proof of ours
  keys::PublicKey node_pub{};    ///< the node that is asked for credit
  keys::PublicKey worker_pub{};
  std::string project_url;  ///< canonical master URL, http(s)://.../
  std::string result_name;
  std::string app_name;  ///< may be empty
  std::uint64_t user_id = 0, host_id = 0;
  Id16 cpid{};  ///< external_cpid; zeros: not known
  std::int32_t exit_status = 0;
  std::uint64_t elapsed_ms = 0, cpu_ms = 0;
  std::uint64_t completed_ms = 0;  ///< UTC
  Hash32 output_hash{};            ///< SHA-256 of the result file; zeros: the worker did not see it
  keys::Signature signature{};     ///< role key "envelope", domain "sparkmill/boinc-claim/v1"
};
inline constexpr std::size_t kMaxBoincText = 255;   ///< bytes of each of its texts
inline constexpr std::size_t kMaxBoincClaims = 64;  ///< in a message
inline constexpr std::size_t kMaxBoincClaimBytes =
    2 + 2 + 32 + 32 + 3 * (4 + kMaxBoincText) + 8 + 8 + 16 + 4 + 24 + 32 + 64;

/// What names a result whoever claims it: first 16 bytes of H("sparkmill/boinc-result/v1" | len project_url |
/// len result_name). A node credits an id once.
Id16 boinc_result_id(std::string_view project_url, std::string_view result_name);

/// u16 version = 1 | u16 flags (bit 0: own application) | node_pub | worker_pub | len project_url | len result_name |
/// len app_name | u64 user_id | u64 host_id | cpid[16] | i32 exit_status | u64 elapsed_ms | u64 cpu_ms |
/// u64 completed_ms | output_hash[32].
Bytes signed_bytes(const BoincClaim& claim);
/// Fills in worker_pub and signature. Result: signed_bytes | signature.
Bytes encode(BoincClaim& claim, const keys::SigningKey& envelope_key);
/// Errors: bad_input (layout, limits, texts that are empty or have control characters), refused (signature).
Result<BoincClaim> decode_boinc_claim(ByteView bytes);

/// POST /v1/boinc/claims: {"claims": [hex, ...]}; the answer names each in order.
struct BoincClaimAnswer {
  Id16 id{};           ///< boinc_result_id
  std::string state;   ///< "recorded" (waits for the project's word), "credited", "duplicate", "refused"
  std::string reason;  ///< stable code when refused
  std::uint64_t credit_microcobble = 0;
};
std::string boinc_claims_to_json(const std::vector<Bytes>& claims);
Result<std::vector<Bytes>> boinc_claims_from_json(std::string_view text);
std::string to_json(const std::vector<BoincClaimAnswer>& answers);
Result<std::vector<BoincClaimAnswer>> boinc_claim_answers_from_json(std::string_view text);

}  // namespace sparkmill::protocol
