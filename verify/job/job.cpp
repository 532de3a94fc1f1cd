// SPDX-License-Identifier: Apache-2.0
// Job codec, blobs in memory, the table of kinds and the plain executor.
#include "verify/job/job.h"

#include <algorithm>

#include "base/hash.h"
#include "base/hex.h"
#include "verify/job/match_h.h"
#include "verify/job/tensority_check.h"
#include "verify/job/tensority_search.h"
#include "verify/job/verify_batch.h"
#include "verify/job/verify_blocks.h"

namespace sparkmill::job {
namespace {

inline constexpr std::string_view kIdDomain = "sparkmill/job/v1";

Id16 id_of(const Id16& salt, ByteView canonical_bytes) {
  const Hash32 h = Sha256().update(kIdDomain).update(salt).update(canonical_bytes).finish();
  Id16 id{};
  std::copy_n(h.begin(), id.size(), id.begin());
  return id;
}

Error unknown_kind(const Job& job) {
  return fail(Status::unsupported,
              "job " + to_hex(job.id) + ": kind " + std::to_string(static_cast<unsigned>(job.kind)) + " is unknown",
              "update sparkmill, or take leases of other kinds");
}

// One core-second of the reference machine's best CPU row earns 4.3 GFLOPS-seconds; 200 cobblestones a GFLOPS-day.
// The rate is that of the masked form at n = 2048; the plain form is paid the same per unit, so that nobody gains by
// disguising one as the other. Update it from bench/results when the reference machine changes.
inline constexpr std::uint64_t kMatchUnitsPerCoreSecond = 600'000'000;
inline constexpr std::uint64_t kMicroCobblePerCoreSecondTimesDay = 43ull * 20 * 1'000'000;  // 4.3 * 200 * 1e6
inline constexpr std::uint64_t kSecondsPerDay = 86'400;
inline constexpr std::uint64_t kMatchWeight =
    kMicroCobblePerCoreSecondTimesDay * (1ull << 30) / (kSecondsPerDay * kMatchUnitsPerCoreSecond);

// The AVX-512 row; a core of the reference machine makes 115 hashes a second.
inline constexpr std::uint64_t kHashesPerCoreSecond = 115;
constexpr std::uint64_t kHashWeight =
    kMicroCobblePerCoreSecondTimesDay * 1024 / (kSecondsPerDay * kHashesPerCoreSecond) * (1ull << 20);

// Ed25519 `go`: a slice of 4,096 on the AVX-512 row, evidence and its hashes included; others in proportion.
inline constexpr std::uint64_t kSignaturesPerCoreSecond = 239'000;
constexpr std::uint64_t kVerificationWeight =
    kMicroCobblePerCoreSecondTimesDay * (1ull << 20) / (kSecondsPerDay * kSignaturesPerCoreSecond) * 1024;

constexpr KindRow kKinds[] = {
    {Kind::match_h, "match.h", "pairs", kernels::Family::match, open_match_h, kMatchWeight, true, split_match_h,
     combine_match_h},
    {Kind::tensority, "tensority", "hashes", kernels::Family::tensority, open_tensority, kHashWeight, false,
     split_tensority, combine_tensority},
    {Kind::tensority_check, "tensority.check", "hashes", kernels::Family::tensority, open_tensority_check, kHashWeight,
     true, split_tensority_check, combine_tensority_check},
    {Kind::verify_batch, "verify.batch", "signatures", kernels::Family::ed25519, open_verify_batch, kVerificationWeight,
     true, split_verify_batch, combine_verify_batch},
    {Kind::verify_blocks, "verify.blocks", "blocks", kernels::Family::tensority, open_verify_blocks, kHashWeight, true,
     split_verify_blocks, combine_verify_blocks},
};

}  // namespace

const std::uint64_t kTensorityWeight = kHashWeight, kSignatureWeight = kVerificationWeight;

Bytes canonical(const Job& job) {
  ByteWriter w;
  w.u16(static_cast<std::uint16_t>(job.kind))
      .u64(job.epoch)
      .u64(job.deadline_unix_ms)
      .u64(job.credit_microcobble)
      .len_bytes(job.params)
      .u32(static_cast<std::uint32_t>(job.blobs.size()));
  for (const Hash32& blob : job.blobs) w.bytes(blob);
  return std::move(w).data();
}

void seal(Job& job) { job.id = id_of(job.salt, canonical(job)); }

Bytes encode(const Job& job) {
  ByteWriter w;
  w.bytes(job.id).bytes(job.salt).bytes(canonical(job));
  return std::move(w).data();
}

Result<Job> decode(ByteView bytes) {
  ByteReader r(bytes);
  Job job;
  job.id = r.array<16>();
  job.salt = r.array<16>();
  const ByteView rest = bytes.subspan(std::min<std::size_t>(bytes.size(), 32));
  job.kind = static_cast<Kind>(r.u16());
  job.epoch = r.u64();
  job.deadline_unix_ms = r.u64();
  job.credit_microcobble = r.u64();
  const ByteView params = r.len_bytes(kMaxParams);
  const std::uint32_t blobs = r.u32();
  if (r.failed()) return fail(Status::bad_input, "job: too short, or params over 64 KiB");
  if (blobs > kMaxBlobs) {
    return fail(Status::bad_input, "job: " + std::to_string(blobs) + " blobs, at most " + std::to_string(kMaxBlobs));
  }
  if (r.left() != blobs * sizeof(Hash32)) {
    return fail(Status::bad_input, "job: " + std::to_string(r.left()) + " bytes after the blob count, expected " +
                                       std::to_string(blobs * sizeof(Hash32)));
  }
  job.params.assign(params.begin(), params.end());
  for (std::uint32_t i = 0; i < blobs; ++i) job.blobs.push_back(r.array<32>());
  if (id_of(job.salt, rest) != job.id) {
    return fail(Status::corrupt, "job " + to_hex(job.id) + ": the id does not fit the content");
  }
  return job;
}

Hash32 MemoryBlobs::add(Bytes bytes) {
  auto held = std::make_shared<const Bytes>(std::move(bytes));
  const Hash32 hash = sha256(*held);
  blobs_.push_back({hash, Blob{ByteView(*held), held}});
  return hash;
}

Hash32 MemoryBlobs::add(std::shared_ptr<const MappedFile> file) {
  const Hash32 hash = sha256(file->bytes());
  const ByteView bytes = file->bytes();
  blobs_.push_back({hash, Blob{bytes, std::move(file)}});
  return hash;
}

Result<Blob> MemoryBlobs::get(const Hash32& hash) {
  for (const auto& [key, blob] : blobs_) {
    if (key == hash) return blob;
  }
  return fail(Status::not_found, "blob " + to_hex(hash) + " is not here");
}

Done InlineExecutor::run(const Work& work, std::span<const Slice> slices,
                         const std::function<Done(const Slice&, Bytes)>& done_with, const StopToken& stop) {
  for (const Slice& slice : slices) {
    if (stop.stop_requested()) return fail(Status::cancelled, "stopped before slice " + std::to_string(slice.index));
    SPARKMILL_ASSIGN(Bytes bytes, work.run(slice, *kernel_, stop));
    SPARKMILL_TRY(done_with(slice, std::move(bytes)));
  }
  return done();
}

std::span<const KindRow> kinds() { return kKinds; }

const KindRow* find_kind(Kind kind) {
  for (const KindRow& row : kKinds) {
    if (row.kind == kind) return &row;
  }
  return nullptr;
}

namespace {
std::uint64_t due_for(std::uint64_t units, std::uint64_t weight) {
  __extension__ using Wide = unsigned __int128;
  const Wide due = (Wide{units} * weight) >> 30;
  return due > ~std::uint64_t{0} ? ~std::uint64_t{0} : static_cast<std::uint64_t>(due);
}
}  // namespace

std::uint64_t credit_microcobble(const KindRow& row, std::uint64_t units) {
  return due_for(units, row.credit_microcobble_per_gi_unit);
}
std::uint64_t credit_microcobble(const Work& work) { return due_for(work.units(), work.microcobble_per_gi_unit()); }

std::string_view Work::unit() const { return find_kind(job().kind)->unit; }
std::uint64_t Work::microcobble_per_gi_unit() const { return find_kind(job().kind)->credit_microcobble_per_gi_unit; }

Result<Finding> Work::audit(ByteView, const Hash32&, std::uint32_t, Executor&) const { return Finding{}; }

Result<std::unique_ptr<Work>> open(const Job& job, BlobSource& blobs, const Binding& binding) {
  const KindRow* row = find_kind(job.kind);
  return row != nullptr ? row->open(job, blobs, binding) : unknown_kind(job);
}

Result<std::vector<Piece>> split(const Job& whole, BlobSource& blobs, std::uint64_t target_units,
                                 const KeepBlob& keep) {
  const KindRow* row = find_kind(whole.kind);
  return row != nullptr ? row->split(whole, blobs, target_units, keep) : unknown_kind(whole);
}

Result<Bytes> combine(const Job& whole, std::span<const PieceAnswer> parts) {
  const KindRow* row = find_kind(whole.kind);
  return row != nullptr ? row->combine(whole, parts) : unknown_kind(whole);
}

void seal_piece(const Job& whole, Piece& piece) {
  const Hash32 h = Sha256()
                       .update("sparkmill/piece/v1")
                       .update(whole.id)
                       .update(ByteWriter().u64(piece.origin[0]).u64(piece.origin[1]).data())
                       .finish();
  std::copy_n(h.begin(), piece.job.salt.size(), piece.job.salt.begin());
  piece.job.kind = whole.kind;
  piece.job.epoch = whole.epoch;
  piece.job.deadline_unix_ms = whole.deadline_unix_ms;
  seal(piece.job);
}

}  // namespace sparkmill::job
