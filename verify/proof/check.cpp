// SPDX-License-Identifier: Apache-2.0
// Commits, openings and file proofs: codecs, and the checks that decide over them.
#include <algorithm>

#include "base/hex.h"
#include "verify/merkle/merkle.h"
#include "verify/proof/proof.h"

namespace sparkmill::proof {
namespace {

inline constexpr std::uint16_t kFileProofVersion = 1;
inline constexpr std::size_t kMaxJobBytes = 128 * 1024;
/// A multiproof has at most 64 hashes a leaf, an opening is far smaller than this; both bound what a parser allocates.
inline constexpr std::size_t kMaxHashes = 1u << 20;
/// Of a slice when everything is recomputed: some seconds at the most.
inline constexpr std::uint64_t kConfirmUnits = 1u << 20;
inline constexpr std::size_t kMaxSection = 1u << 30;

Verdict refuse(std::string reason, std::string detail) { return {false, std::move(reason), std::move(detail)}; }

struct Opening {
  ByteView kind_bytes;
  std::vector<Hash32> hashes;
};

Result<Opening> decode_opening(ByteView body) {
  ByteReader r(body);
  Opening o;
  o.kind_bytes = r.len_bytes(kMaxSection);
  const std::uint32_t hashes = r.u32();
  if (r.failed()) return fail(Status::bad_input, "opening: too short");
  if (hashes > kMaxHashes || r.left() != hashes * sizeof(Hash32)) {
    return fail(Status::bad_input, "opening: " + std::to_string(r.left()) + " bytes for " + std::to_string(hashes) +
                                       " hashes of 32 bytes");
  }
  o.hashes.reserve(hashes);
  for (std::uint32_t i = 0; i < hashes; ++i) o.hashes.push_back(r.array<32>());
  return o;
}

struct FileProof {
  ByteView job;
  Hash32 root{};
  ByteView evidence;
  ByteView answer;
};

Result<FileProof> decode_file_proof(ByteView body) {
  ByteReader r(body);
  const std::uint16_t version = r.u16();
  const std::uint16_t reserved = r.u16();
  if (!r.failed() && (version != kFileProofVersion || reserved != 0)) {
    return fail(Status::bad_input, "file proof: version " + std::to_string(version) + ", expected 1");
  }
  FileProof p;
  p.job = r.len_bytes(kMaxJobBytes);
  p.root = r.array<32>();
  p.evidence = r.len_bytes(kMaxSection);
  p.answer = r.len_bytes(kMaxSection);
  if (r.failed()) return fail(Status::bad_input, "file proof: a part is cut off or over its limit");
  if (!r.done()) return fail(Status::bad_input, "file proof: " + std::to_string(r.left()) + " bytes too many");
  return p;
}

/// The claims of the answer, each recomputed. nullopt-like: an accepted verdict means all are true.
Verdict check_claims(const job::Work& work, ByteView answer) {
  const Done claims = work.check_answer(answer);
  if (claims) return {true, "accepted", {}};
  return refuse(claims.status() == Status::mismatch ? "false_pair" : "malformed", claims.error().message);
}

}  // namespace

Bytes encode(const Commit& commit) {
  ByteWriter w;
  w.bytes(commit.root).u64(commit.leaf_count).len_bytes(commit.answer);
  return std::move(w).data();
}

Result<Commit> decode_commit(ByteView body) {
  ByteReader r(body);
  Commit c;
  c.root = r.array<32>();
  c.leaf_count = r.u64();
  const ByteView answer = r.len_bytes(kMaxSection);
  if (r.failed()) return fail(Status::bad_input, "commit: too short");
  if (!r.done()) return fail(Status::bad_input, "commit: " + std::to_string(r.left()) + " bytes too many");
  c.answer.assign(answer.begin(), answer.end());
  return c;
}

Result<Bytes> make_opening(const job::Work& work, const job::Outcome& outcome, std::span<const std::uint64_t> indices) {
  for (std::size_t i = 0; i < indices.size(); ++i) {
    if (indices[i] >= outcome.leaves.size() || (i > 0 && indices[i] <= indices[i - 1])) {
      return fail(Status::bad_argument, "opening: indices must ascend and be below the number of leaves");
    }
  }
  SPARKMILL_ASSIGN(const Bytes kind_bytes, work.open(outcome, indices));
  const std::vector<Hash32> hashes = merkle::multiproof(outcome.leaves, indices);
  ByteWriter w;
  w.len_bytes(kind_bytes).u32(static_cast<std::uint32_t>(hashes.size()));
  for (const Hash32& h : hashes) w.bytes(h);
  return std::move(w).data();
}

Result<Verdict> check(const job::Work& work, const Commit& commit, std::span<const std::uint64_t> indices,
                      ByteView opening, job::Executor& executor) {
  if (commit.leaf_count != work.leaf_count()) {
    return refuse("leaf_count", "the commit has " + std::to_string(commit.leaf_count) + " leaves, the job " +
                                    std::to_string(work.leaf_count()));
  }
  const auto parsed = decode_opening(opening);
  if (!parsed) return refuse("malformed", parsed.error().message);
  // Everything cheap comes before the recomputation.
  const Verdict claims = check_claims(work, commit.answer);
  if (!claims.accepted) return claims;
  SPARKMILL_ASSIGN(const job::OpeningCheck opened,
                   work.check_opening(parsed->kind_bytes, indices, commit.answer, executor));
  if (!opened.finding.ok()) return refuse(opened.finding.reason, opened.finding.detail);
  const auto root = merkle::root_from_multiproof(opened.leaves, indices, commit.leaf_count, parsed->hashes);
  if (!root) return refuse("malformed", root.error().message);
  if (*root != commit.root) {
    return refuse("root_mismatch",
                  "the opened leaves give root " + to_hex(*root) + ", committed was " + to_hex(commit.root));
  }
  return Verdict{true, "accepted", std::to_string(indices.size()) + " leaves recomputed"};
}

Result<Verdict> confirm(const job::Work& work, const Commit& commit, job::Executor& executor) {
  std::vector<Bytes> results;
  const auto keep = [&](const job::Slice&, Bytes result) {
    results.push_back(std::move(result));
    return done();
  };
  SPARKMILL_TRY(executor.run(work, work.slice(kConfirmUnits), keep, {}));
  SPARKMILL_ASSIGN(const job::Outcome outcome, work.assemble(results));
  if (outcome.answer != commit.answer) return refuse("answer_mismatch", "recomputed, the answer is another one");
  if (merkle::root(outcome.leaves) != commit.root) {
    return refuse("root_mismatch", "recomputed, the answer is the same, but the committed evidence is another one");
  }
  return Verdict{true, "accepted", "confirmed: all of it was recomputed"};
}

Result<Bytes> make_file_proof(const job::Work& work, const job::Outcome& outcome) {
  if (outcome.leaves.size() != work.leaf_count()) {
    return fail(Status::bad_argument, "file proof: the outcome belongs to another job");
  }
  ByteWriter w;
  w.u16(kFileProofVersion).u16(0).len_bytes(job::encode(work.job())).bytes(merkle::root(outcome.leaves));
  w.len_bytes(outcome.evidence).len_bytes(outcome.answer);
  return std::move(w).data();
}

Result<job::Job> file_proof_job(ByteView body) {
  SPARKMILL_ASSIGN(const FileProof parsed, decode_file_proof(body));
  return job::decode(parsed.job);
}

Result<Bytes> file_proof_answer(ByteView body) {
  SPARKMILL_ASSIGN(const FileProof parsed, decode_file_proof(body));
  return Bytes(parsed.answer.begin(), parsed.answer.end());
}

Result<Verdict> check_file_proof(const job::Work& work, ByteView body, const Hash32& seed, std::uint32_t k,
                                 job::Executor& executor) {
  const auto parsed = decode_file_proof(body);
  if (!parsed) return refuse("malformed", parsed.error().message);
  const auto job = job::decode(parsed->job);
  if (!job) return refuse("malformed", job.error().message);
  if (job->id != work.job().id) {
    return refuse("wrong_job", "the proof is about job " + to_hex(job->id) + ", not " + to_hex(work.job().id));
  }
  const Verdict claims = check_claims(work, parsed->answer);
  if (!claims.accepted) return claims;
  const auto outcome = work.rebuild(parsed->evidence, parsed->answer);
  if (!outcome) {
    return refuse(outcome.status() == Status::mismatch ? "answer_mismatch" : "malformed", outcome.error().message);
  }
  if (merkle::root(outcome->leaves) != parsed->root) {
    return refuse("root_mismatch", "digests, counts and pairs do not give the root in the file");
  }
  const std::vector<std::uint64_t> indices = challenge_indices(seed, work.leaf_count(), k);
  SPARKMILL_ASSIGN(const Bytes opening, work.open(*outcome, indices));
  SPARKMILL_ASSIGN(const job::OpeningCheck opened, work.check_opening(opening, indices, parsed->answer, executor));
  if (!opened.finding.ok()) return refuse(opened.finding.reason, opened.finding.detail);
  SPARKMILL_ASSIGN(const job::Finding audited, work.audit(parsed->answer, seed, k, executor));
  if (!audited.ok()) return refuse(audited.reason, audited.detail);
  return Verdict{true, "accepted",
                 std::to_string(indices.size()) + " of " + std::to_string(work.leaf_count()) + " leaves recomputed"};
}

}  // namespace sparkmill::proof
