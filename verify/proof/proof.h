// SPDX-License-Identifier: Apache-2.0
// Commit -> challenge -> opening -> check, in beacon mode (worker online) and verifier mode (files, BOINC units).
// No Fiat-Shamir. Same input, same bytes. Source: jobs and proofs 2, 5, 6; wire layouts in docs/formats.md.
#pragma once

#include <string>
#include <string_view>

#include "base/keys/keys.h"
#include "verify/job/job.h"

namespace sparkmill::proof {

enum class EnvelopeKind : std::uint16_t { commit = 1, opening = 2, file_proof = 3, unit_result = 4 };

/// The only framing: "SMP1" | u16 kind | u16 version | u32 body_len | node_pub | job_id | lease_id | worker_pub | body
/// | sig.
struct Envelope {
  EnvelopeKind kind = EnvelopeKind::commit;
  keys::PublicKey node_pub{};
  Id16 job_id{};
  Id16 lease_id{};
  keys::PublicKey worker_pub{};
  Bytes body;
};
inline constexpr std::uint16_t kEnvelopeVersion = 1;
inline constexpr std::size_t kEnvelopeOverhead = 4 + 2 + 2 + 4 + 32 + 16 + 16 + 32 + 64;
/// Signs with the role key "envelope"; worker_pub is taken from it.
Bytes encode(Envelope envelope, const keys::SigningKey& envelope_key);
/// Parses and verifies the signature. Errors: bad_input (layout, limits, version), refused (signature).
Result<Envelope> decode(ByteView bytes, std::uint64_t body_limit);

/// Body of a commit: root[32] | u64 leaf count | u32 length + answer.
struct Commit {
  Hash32 root{};
  std::uint64_t leaf_count = 0;
  Bytes answer;
};
Bytes encode(const Commit& commit);
Result<Commit> decode_commit(ByteView body);

/// seed = H("sparkmill/challenge/v1" | beacon[h+2] | beacon[h+3] | job_id | lease_id | worker_pub | root).
Hash32 challenge_seed(const Hash32& beacon2, const Hash32& beacon3, const Id16& job_id, const Id16& lease_id,
                      const keys::PublicKey& worker_pub, const Hash32& root);
/// Verifier mode: H(HMAC(day_secret, file_hash | name) | beacon if any). The caller logs file_hash and name first,
/// publishes H(day_secret) before and day_secret after the day, persists the draw and never repeats it.
Hash32 verifier_seed(const Hash32& day_secret, const Hash32& file_hash, std::string_view name, const Hash32* beacon);
/// First min(k, leaf_count) distinct indices of the ChaCha20 stream of the seed, returned sorted.
std::vector<std::uint64_t> challenge_indices(const Hash32& seed, std::uint64_t leaf_count, std::uint32_t k);

/// Body of an opening: u32 length + kind's opening bytes, u32 count + multiproof hashes. Indices are derived, not sent.
Result<Bytes> make_opening(const job::Work& work, const job::Outcome& outcome, std::span<const std::uint64_t> indices);

/// The verdict of a check; a lie is a result, not an Error.
struct Verdict {
  bool accepted = false;
  /// Stable code: "accepted"; "malformed" (bytes do not parse or fit the job), "leaf_count", "false_pair" (a claim is
  /// not true), "leaf_mismatch" (an opened leaf is not what was computed), "missing_pair" (an opened leaf has a pair
  /// that the answer lacks), "root_mismatch" (leaves and paths do not give the committed root), "wrong_job",
  /// "answer_mismatch" (a file proof's counts contradict its answer); those of Work::audit in verifier mode
  /// ("missing_nonce", "too_few_nonces", "false_nonce").
  std::string reason;
  std::string detail;
};
/// Checks answer claims, opened leaves and the root. Errors only for our own failures (executor).
Result<Verdict> check(const job::Work& work, const Commit& commit, std::span<const std::uint64_t> indices,
                      ByteView opening, job::Executor& executor);

/// All of it again: every leaf recomputed, answer and root compared. As dear as the work itself; afterwards nothing in
/// the answer rests on the worker's word. Reasons: "answer_mismatch", "root_mismatch". Errors only for our own
/// failures.
Result<Verdict> confirm(const job::Work& work, const Commit& commit, job::Executor& executor);

/// Verifier mode: one self-contained proof (envelope body) that carries job, all evidence and the answer:
/// u16 version = 1 | u16 0 | u32 length + job::encode | root[32] | u32 length + evidence | u32 length + answer.
Result<Bytes> make_file_proof(const job::Work& work, const job::Outcome& outcome);
/// The job that a file proof is about: `sparkmill verify` opens it over the files that the user names.
Result<job::Job> file_proof_job(ByteView body);
/// The answer in a file proof, unchecked.
Result<Bytes> file_proof_answer(ByteView body);
/// Draws are the caller's: `seed` must be fresh OS randomness, or the validator's persisted draw.
Result<Verdict> check_file_proof(const job::Work& work, ByteView body, const Hash32& seed, std::uint32_t k,
                                 job::Executor& executor);

}  // namespace sparkmill::proof
