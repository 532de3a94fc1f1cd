// SPDX-License-Identifier: Apache-2.0
// Job -> Slice -> Outcome: the value types, the table of job kinds and the Executor that runs slices.
// Worker, node, BOINC application, validator, bench and tests call this table; nothing else knows a kind.
// Source: jobs and proofs 2, 4; DESIGN 4.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/file.h"
#include "base/result.h"
#include "base/stop.h"
#include "kernels/kernel.h"

namespace sparkmill::job {

enum class Kind : std::uint16_t {
  match_h = 1,
  tensority = 2,
  tensority_check = 3,
  verify_batch = 4,
  verify_blocks = 5
};

/// A job as it travels. `id` = first 16 bytes of H("sparkmill/job/v1" | salt[16] | canonical job).
struct Job {
  Id16 id{};
  Id16 salt{};
  Kind kind = Kind::match_h;
  std::uint64_t epoch = 0;
  std::uint64_t deadline_unix_ms = 0;    ///< UTC of the node's clock
  std::uint64_t credit_microcobble = 0;  ///< on offer, in 1e-6 cobblestones
  Bytes params;                          ///< layout fixed by the kind
  std::vector<Hash32> blobs;             ///< SHA-256 of each input, order fixed by the kind
};

inline constexpr std::size_t kMaxParams = 64 * 1024;
inline constexpr std::size_t kMaxBlobs = 64;

/// Canonical bytes: u16 kind, u64 epoch, u64 deadline, u64 credit, u32 length + params, u32 count + hashes.
Bytes canonical(const Job& job);
/// Sets job.id from salt and canonical bytes.
void seal(Job& job);
/// Wire form: id | salt | canonical. decode() refuses an id that does not fit the content (corrupt), and limits: params
/// 64 KiB, 64 blobs.
Bytes encode(const Job& job);
Result<Job> decode(ByteView bytes);

/// Where inputs come from. `get` returns bytes whose SHA-256 is `hash` (verified by whoever filled the source), kept
/// alive by the handle.
struct Blob {
  ByteView bytes;
  std::shared_ptr<const void> owner;
};
class BlobSource {
 public:
  virtual ~BlobSource() = default;
  virtual Result<Blob> get(const Hash32& hash) = 0;
};
/// Blobs in memory or mapped files, keyed by their hash (computed on insert): tests, offline commands.
class MemoryBlobs final : public BlobSource {
 public:
  Hash32 add(Bytes bytes);
  Hash32 add(std::shared_ptr<const MappedFile> file);
  Result<Blob> get(const Hash32& hash) override;

 private:
  std::vector<std::pair<Hash32, Blob>> blobs_;
};

/// Ties a computation to its lease, so nobody can hand in another worker's digests.
/// `context` = lease_id (16 bytes), or the BOINC result name.
struct Binding {
  Bytes context;
  std::array<std::uint8_t, 32> worker_pub{};
  static Binding to_lease(const Id16& lease_id, const std::array<std::uint8_t, 32>& worker_pub) {
    return {Bytes(lease_id.begin(), lease_id.end()), worker_pub};
  }
};

/// A part of a job that one kernel runs in one go. The meaning of `range` belongs to the kind (match.h: ti0, ti1, tj0,
/// tj1).
struct Slice {
  std::uint32_t index = 0;
  std::array<std::uint32_t, 4> range{};
  std::uint64_t units = 0;
};

/// What a whole job computed: the Merkle leaves in order, and the answer in the kind's layout.
struct Outcome {
  Bytes evidence;  ///< per leaf what the proof needs to rebuild it (match.h: digests, counts), kind's layout
  std::vector<Hash32> leaves;  ///< leaf hashes, RFC 6962 order
  Bytes answer;                ///< match.h: u32 count, count * (u32 i, u32 j), row-major by tile then pair
};

/// What a checker found: empty `reason` means all is well; otherwise a stable code and a sentence.
/// A lie is a Finding, not an Error.
struct Finding {
  std::string reason;  ///< "leaf_mismatch", "missing_pair", "malformed", ...
  std::string detail;
  bool ok() const { return reason.empty(); }
};

/// Result of recomputing opened leaves.
struct OpeningCheck {
  Finding finding;
  std::vector<Hash32> leaves;  ///< recomputed leaf hashes in the order asked for; empty unless finding.ok()
};

class Executor;

/// A validated job with its inputs at hand. Immutable, shared by threads; run() is re-entrant with different kernels.
class Work {
 public:
  virtual ~Work() = default;
  virtual const Job& job() const = 0;
  virtual kernels::Family family() const = 0;
  /// The same inputs bound to another lease: shares what was parsed, derives new digest keys. Nothing is read again.
  virtual std::unique_ptr<Work> rebind(const Binding& binding) const = 0;
  virtual std::uint64_t units() const = 0;  ///< total, in the kind's unit (match.h: pairs x leaves, weighted by n/2048)
  /// What the units are called and worth. That of the kind's row, unless the kind has units of several sorts.
  virtual std::string_view unit() const;
  virtual std::uint64_t microcobble_per_gi_unit() const;
  virtual std::uint64_t leaf_count() const = 0;
  /// The leaves bind no work: only equal answers of two operators prove anything.
  virtual bool needs_quorum() const { return false; }
  /// Slices of about `target_units` that cover the job once, in a fixed order that depends only on the job and target.
  virtual std::vector<Slice> slice(std::uint64_t target_units) const = 0;
  /// Runs one slice; the bytes are deterministic, self-contained (they name their range) and safe to store.
  virtual Result<Bytes> run(const Slice& slice, kernels::Kernel& kernel, const StopToken& stop) const = 0;
  /// Builds the outcome from the stored slice results of any slicing that covers the job exactly once (any order).
  virtual Result<Outcome> assemble(std::span<const Bytes> slice_results) const = 0;
  /// Re-checks every positive result with another row (the scalar score) before it is submitted. Error: mismatch.
  virtual Done recheck(const Outcome& outcome) const = 0;

  /// Opening: what the verifier needs for these leaf indices (sorted, distinct) beside the Merkle paths.
  virtual Result<Bytes> open(const Outcome& outcome, std::span<const std::uint64_t> leaves) const = 0;
  /// Verifier side. Recomputes the opened leaves with `executor` and compares them with `opening` (from open()) and
  /// with what `answer` claims in these leaves. Findings: "malformed", "leaf_mismatch", "missing_pair", "false_pair".
  /// Error: only what the executor reports.
  virtual Result<OpeningCheck> check_opening(ByteView opening, std::span<const std::uint64_t> leaves, ByteView answer,
                                             Executor& executor) const = 0;
  /// Recomputes every claim of the answer. Error: mismatch naming the first false claim; bad_input.
  virtual Done check_answer(ByteView answer) const = 0;
  /// The outcome that evidence and answer describe (verifier mode); nothing is recomputed here. Error: bad_input when
  /// one does not fit the job, mismatch when they contradict each other.
  virtual Result<Outcome> rebuild(ByteView evidence, ByteView answer) const = 0;
  /// Verifier mode, for what no leaf binds: recomputes a secret part of about k / 1,024 of the job, drawn from `seed`,
  /// and compares it with a well-formed answer whose claims are true. Kinds whose leaves say everything do nothing.
  /// Error: only what the executor reports.
  virtual Result<Finding> audit(ByteView answer, const Hash32& seed, std::uint32_t k, Executor& executor) const;
};

/// Runs slices on whatever it has: the scheduler in the worker, a plain loop elsewhere.
class Executor {
 public:
  virtual ~Executor() = default;
  /// Calls `done(slice, bytes)` once for each slice, in any order, never two at a time. Returns the first error; stops
  /// early on error or stop token (Status::cancelled).
  virtual Done run(const Work& work, std::span<const Slice> slices,
                   const std::function<Done(const Slice&, Bytes)>& done, const StopToken& stop) = 0;
};

/// A plain loop over one kernel.
class InlineExecutor final : public Executor {
 public:
  explicit InlineExecutor(std::unique_ptr<kernels::Kernel> kernel) : kernel_(std::move(kernel)) {}
  Done run(const Work& work, std::span<const Slice> slices, const std::function<Done(const Slice&, Bytes)>& done,
           const StopToken& stop) override;

 private:
  std::unique_ptr<kernels::Kernel> kernel_;
};

/// A part of a job that is a job itself: what one BOINC unit computes. `origin` says where it lies in the whole
/// (match.h: first request, first user; tensority: first nonce, 0; tensority.check: first block, 0).
struct Piece {
  Job job;
  std::array<std::uint64_t, 2> origin{};
};
struct PieceAnswer {
  const Piece* piece = nullptr;
  ByteView answer;
};
inline constexpr std::size_t kMaxPieces = 1u << 16;
/// Takes a new input that pieces name by its hash; called once for each.
using KeepBlob = std::function<Done(Bytes)>;

/// One row a job kind.
struct KindRow {
  Kind kind;
  std::string_view name;  ///< "match.h"
  std::string_view unit;  ///< "pairs"
  kernels::Family family;
  /// Validates params and blobs. Error: bad_input naming the field; not_found for a missing blob.
  Result<std::unique_ptr<Work>> (*open)(const Job& job, BlobSource& blobs, const Binding& binding);
  /// Weight table (jobs and proofs 9): micro-cobblestones per 2^30 units.
  std::uint64_t credit_microcobble_per_gi_unit;
  bool challenged;  ///< proved by commit, challenge and opening; false: the answer is its own proof
  /// Cuts a job into pieces of at most about `target_units`, which cover it once. Same job and target, same pieces, so
  /// that their ids are the same, too. Errors: as open; too_large (over kMaxPieces); what `keep` reports.
  Result<std::vector<Piece>> (*split)(const Job& whole, BlobSource& blobs, std::uint64_t target_units,
                                      const KeepBlob& keep);
  /// The answer of the whole job from those of its pieces in any order: the bytes that one machine would have given.
  /// Requires answers that passed their check. Errors: bad_input (a gap, an overlap, an answer of another job).
  Result<Bytes> (*combine)(const Job& whole, std::span<const PieceAnswer> parts);
};
/// floor(units * weight / 2^30), in 1e-6 cobblestones.
std::uint64_t credit_microcobble(const KindRow& row, std::uint64_t units);
/// The same for a whole job, by its own weight.
std::uint64_t credit_microcobble(const Work& work);
/// Weights of a Tensority hash and of a verification of Ed25519 `go`.
extern const std::uint64_t kTensorityWeight, kSignatureWeight;
std::span<const KindRow> kinds();
const KindRow* find_kind(Kind kind);
/// find_kind + open; an unknown kind is Status::unsupported.
Result<std::unique_ptr<Work>> open(const Job& job, BlobSource& blobs, const Binding& binding);
/// find_kind + split, combine; as open.
Result<std::vector<Piece>> split(const Job& whole, BlobSource& blobs, std::uint64_t target_units, const KeepBlob& keep);
Result<Bytes> combine(const Job& whole, std::span<const PieceAnswer> parts);
/// Gives a piece its salt, which follows from the whole and its place, and its id. Kind, params and blobs are set.
void seal_piece(const Job& whole, Piece& piece);

}  // namespace sparkmill::job
