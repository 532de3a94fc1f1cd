// SPDX-License-Identifier: Apache-2.0
// The row `tensority` of the job table: ranges of nonces in, nonces below the share target out.
#include "verify/job/tensority_search.h"

#include <algorithm>
#include <mutex>
#include <set>

#include "base/hash.h"
#include "kernels/tensority/epoch_cache.h"
#include "verify/job/items.h"

namespace sparkmill::job {
namespace {

constexpr std::uint16_t kVersion = 1;
constexpr std::size_t kParamsBytes = 2 + 2 + 4 + 136 + 32 + 32 + 32 + 8 + 8;
constexpr std::size_t kNonceAt = 128;
constexpr std::uint64_t kNonceEnd = std::uint64_t{1} << 63;
constexpr std::uint64_t kMaxSlices = 1u << 16;
constexpr std::size_t kMaxHits = std::size_t{1} << 20;

class TensorityWork final : public Work {
 public:
  TensorityWork(Job job, TensorityParams params, std::shared_ptr<const tensority::Epoch> epoch)
      : job_(std::move(job)), params_(params), epoch_(std::move(epoch)) {}

  const Job& job() const override { return job_; }
  kernels::Family family() const override { return kernels::Family::tensority; }
  /// Nothing of a search depends on the lease: the nonces are checked against the header alone.
  std::unique_ptr<Work> rebind(const Binding&) const override {
    return std::make_unique<TensorityWork>(job_, params_, epoch_);
  }
  std::uint64_t units() const override { return params_.count; }
  std::uint64_t leaf_count() const override { return 0; }
  std::vector<Slice> slice(std::uint64_t target_units) const override;
  Result<Bytes> run(const Slice& slice, kernels::Kernel& kernel, const StopToken& stop) const override;
  Result<Outcome> assemble(std::span<const Bytes> slice_results) const override;
  Done recheck(const Outcome& outcome) const override;
  Result<Bytes> open(const Outcome&, std::span<const std::uint64_t> leaves) const override;
  Result<OpeningCheck> check_opening(ByteView opening, std::span<const std::uint64_t> leaves, ByteView answer,
                                     Executor& executor) const override;
  Done check_answer(ByteView answer) const override { return check_hits(answer, {}); }
  Result<Outcome> rebuild(ByteView evidence, ByteView answer) const override;
  Result<Finding> audit(ByteView answer, const Hash32& seed, std::uint32_t k, Executor& executor) const override;

 private:
  Done check_hits(ByteView answer, std::span<const std::string> not_by) const;

  Job job_;
  TensorityParams params_;
  std::shared_ptr<const tensority::Epoch> epoch_;
  mutable std::mutex mutex_;
  mutable std::set<std::string> used_rows_;  ///< what recheck() must not use
};

std::vector<Slice> TensorityWork::slice(std::uint64_t target_units) const {
  // A long range is cut into more nonces a slice rather than into a list that no memory holds.
  std::uint64_t size = std::max({std::uint64_t{1}, target_units, (params_.count + kMaxSlices - 1) / kMaxSlices});
  size = std::min<std::uint64_t>(size, 0xffffffff);
  std::vector<Slice> out;
  for (std::uint64_t at = 0; at < params_.count; at += size) {
    const auto count = static_cast<std::uint32_t>(std::min(size, params_.count - at));
    out.push_back(nonce_slice(static_cast<std::uint32_t>(out.size()), params_.first_nonce + at, count));
  }
  return out;
}

Result<Bytes> TensorityWork::run(const Slice& slice, kernels::Kernel& kernel, const StopToken& stop) const {
  auto* search = dynamic_cast<tensority::Kernel*>(&kernel);
  if (search == nullptr) return fail(Status::unsupported, "a kernel of another family was given a nonce range");
  tensority::SearchTask task;
  task.epoch = epoch_.get();
  task.preimage = params_.preimage;
  task.first_nonce = slice.range[0] | std::uint64_t{slice.range[1]} << 32;
  task.count = slice.range[2];
  task.target = params_.share_target;
  const std::uint64_t end = params_.first_nonce + params_.count;
  if (task.first_nonce < params_.first_nonce || task.first_nonce >= end || end - task.first_nonce < task.count) {
    return fail(Status::bad_argument, "the slice leaves the job's nonce range");
  }
  {
    std::lock_guard lock(mutex_);
    used_rows_.insert(kernel.row_id());
  }
  NonceReport report;
  report.first = task.first_nonce;
  // Easy targets fill the kernel's list of hits; then the rest of the range is searched again from there.
  while (report.count < slice.range[2]) {
    task.first_nonce = report.first + report.count;
    task.count = slice.range[2] - report.count;
    SPARKMILL_ASSIGN(tensority::SearchResult found, search->search(task, stop));
    if (stop.stop_requested()) return fail(Status::cancelled, "stopped within a nonce range");
    if (found.count == 0) return fail(Status::internal, kernel.row_id() + " searched nothing and gave no reason");
    if (report.count == 0 || !tensority::meets(report.best.result, found.best.result)) report.best = found.best;
    report.hits.insert(report.hits.end(), found.hits.begin(), found.hits.end());
    report.count += found.count;
  }
  return encode_nonce_report(report);
}

Result<Outcome> TensorityWork::assemble(std::span<const Bytes> slice_results) const {
  std::vector<NonceReport> parts;
  for (const Bytes& bytes : slice_results) {
    SPARKMILL_ASSIGN(NonceReport part, decode_nonce_report(bytes));
    parts.push_back(std::move(part));
  }
  SPARKMILL_ASSIGN(const NonceReport whole, merge_reports(params_.first_nonce, params_.count, std::move(parts)));
  Outcome out;
  out.answer = encode_nonce_report(whole);
  return out;
}

Done TensorityWork::recheck(const Outcome& outcome) const {
  std::vector<std::string> used;
  {
    std::lock_guard lock(mutex_);
    used.assign(used_rows_.begin(), used_rows_.end());
  }
  return check_hits(outcome.answer, used);
}

Done TensorityWork::check_hits(ByteView answer, std::span<const std::string> not_by) const {
  SPARKMILL_ASSIGN(const NonceReport report, decode_nonce_report(answer));
  if (report.first != params_.first_nonce || report.count != params_.count) {
    return fail(Status::bad_input, "the answer is for another nonce range");
  }
  for (const tensority::Found& hit : report.hits) {
    SPARKMILL_ASSIGN(const Hash32 result,
                     recompute(*epoch_, tensority::header_hash(params_.preimage, hit.nonce), not_by));
    if (result != hit.result || !tensority::meets(result, params_.share_target)) {
      return fail(Status::mismatch, "nonce " + std::to_string(hit.nonce) + " does not hash to what the answer says");
    }
  }
  return done();
}

Result<Bytes> TensorityWork::open(const Outcome&, std::span<const std::uint64_t> leaves) const {
  if (!leaves.empty()) return fail(Status::bad_argument, "a search has no leaves to open");
  return Bytes();
}

Result<OpeningCheck> TensorityWork::check_opening(ByteView opening, std::span<const std::uint64_t> leaves,
                                                  ByteView answer, Executor&) const {
  OpeningCheck check;
  if (!opening.empty() || !leaves.empty()) {
    check.finding = {"malformed", "a search has nothing to open"};
    return check;
  }
  const Done checked = check_answer(answer);
  if (checked.status() == Status::mismatch) {
    check.finding = {"false_nonce", checked.error().message};
  } else if (checked.status() == Status::bad_input) {
    check.finding = {"malformed", checked.error().message};
  } else if (!checked) {
    return checked.error();
  }
  return check;
}

Result<Outcome> TensorityWork::rebuild(ByteView evidence, ByteView answer) const {
  if (!evidence.empty()) return fail(Status::bad_input, "a search has no evidence beside its nonces");
  SPARKMILL_ASSIGN(const NonceReport report, decode_nonce_report(answer));
  if (report.first != params_.first_nonce || report.count != params_.count) {
    return fail(Status::bad_input, "the answer is for another nonce range");
  }
  Outcome out;
  out.answer.assign(answer.begin(), answer.end());
  return out;
}

Result<Finding> TensorityWork::audit(ByteView answer, const Hash32& seed, std::uint32_t k, Executor& executor) const {
  SPARKMILL_ASSIGN(const NonceReport report, decode_nonce_report(answer));
  SPARKMILL_ASSIGN(const Hash32 best,
                   recompute(*epoch_, tensority::header_hash(params_.preimage, report.best.nonce), {}));
  if (best != report.best.result) return Finding{"false_nonce", "the best nonce does not hash to what the answer says"};
  const std::uint64_t least = least_hits(params_.count, params_.share_target);
  if (report.hits.size() < least) {
    return Finding{"too_few_nonces", std::to_string(report.hits.size()) + " nonces found, an honest search finds " +
                                         std::to_string(least) + " or more"};
  }
  // Several windows, so that one skipped stretch cannot hold or miss them all.
  constexpr std::uint64_t kWindows = 8;
  constexpr std::uint64_t kShareOf = 1024;
  const std::uint64_t sampled = std::clamp<std::uint64_t>(params_.count / kShareOf * k, 1, params_.count);
  const std::uint64_t windows = std::min(kWindows, sampled);
  const auto size = static_cast<std::uint32_t>(std::min<std::uint64_t>(sampled / windows, 0xffffffff));
  ChaChaWords draw(seed);
  std::vector<Slice> slices;
  for (std::uint32_t w = 0; w < windows; ++w) {
    slices.push_back(nonce_slice(w, params_.first_nonce + draw.below(params_.count - size + 1), size));
  }
  Finding finding;
  const auto compare = [&](const Slice&, Bytes bytes) -> Done {
    SPARKMILL_ASSIGN(const NonceReport window, decode_nonce_report(bytes));
    for (const tensority::Found& hit : window.hits) {
      const auto at = std::lower_bound(report.hits.begin(), report.hits.end(), hit.nonce,
                                       [](const tensority::Found& f, std::uint64_t nonce) { return f.nonce < nonce; });
      if (at == report.hits.end() || at->nonce != hit.nonce) {
        finding = {"missing_nonce",
                   "nonce " + std::to_string(hit.nonce) + " meets the target and is not in the answer"};
      }
    }
    if (!tensority::meets(report.best.result, window.best.result)) {
      finding = {"missing_nonce", "nonce " + std::to_string(window.best.nonce) + " is better than the best claimed"};
    }
    return done();
  };
  SPARKMILL_TRY(executor.run(*this, slices, compare, {}));
  return finding;
}

}  // namespace

Slice nonce_slice(std::uint32_t index, std::uint64_t first, std::uint32_t count) {
  return {index, {static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(first >> 32), count, 0}, count};
}

Bytes encode_tensority_params(const TensorityParams& p) {
  ByteWriter w;
  w.u64(kVersion);  // u16 version and zeros
  w.bytes(p.preimage).bytes(p.seed).bytes(p.share_target).bytes(p.block_target).u64(p.first_nonce).u64(p.count);
  return std::move(w).data();
}

Result<TensorityParams> decode_tensority_params(ByteView bytes) {
  const auto bad = [](const std::string& what) { return fail(Status::bad_input, "tensority params: " + what); };
  if (bytes.size() != kParamsBytes) {
    return bad(std::to_string(bytes.size()) + " bytes, expected " + std::to_string(kParamsBytes));
  }
  ByteReader r(bytes);
  const std::uint16_t version = r.u16();
  const std::uint32_t zero = r.u16() | r.u32();
  TensorityParams p;
  p.preimage = r.array<136>();
  p.seed = r.array<32>();
  p.share_target = r.array<32>();
  p.block_target = r.array<32>();
  p.first_nonce = r.u64();
  p.count = r.u64();
  if (version != kVersion) return bad("version " + std::to_string(version) + ", this program knows 1");
  if (zero != 0) return bad("reserved bytes are not zero");
  if (std::any_of(p.preimage.begin() + kNonceAt, p.preimage.end(), [](std::uint8_t b) { return b != 0; })) {
    return bad("the nonce bytes of the preimage are not zero");
  }
  if (p.share_target == Hash32{}) return bad("a share target of zero is never met");
  if (!tensority::meets(p.block_target, p.share_target)) return bad("shares are harder than blocks");
  if (p.count == 0) return bad("the nonce range is empty");
  if (p.first_nonce >= kNonceEnd || p.count > kNonceEnd - p.first_nonce) return bad("nonces must be below 2^63");
  return p;
}

Job make_tensority_job(const TensorityParams& params, std::uint64_t deadline_unix_ms) {
  Job job;
  job.salt = random_array<16>();
  job.kind = Kind::tensority;
  job.deadline_unix_ms = deadline_unix_ms;
  job.params = encode_tensority_params(params);
  seal(job);
  return job;
}

Bytes encode_nonce_report(const NonceReport& report) {
  ByteWriter w;
  w.u64(report.first).u64(report.count).u64(report.best.nonce).bytes(report.best.result);
  w.u32(static_cast<std::uint32_t>(report.hits.size()));
  for (const tensority::Found& hit : report.hits) w.u64(hit.nonce).bytes(hit.result);
  return std::move(w).data();
}

Result<NonceReport> decode_nonce_report(ByteView bytes) {
  const auto bad = [](const char* what) { return fail(Status::bad_input, std::string("nonce report: ") + what); };
  ByteReader r(bytes);
  NonceReport report;
  report.first = r.u64();
  report.count = r.u64();
  report.best.nonce = r.u64();
  report.best.result = r.array<32>();
  const std::uint32_t hits = r.u32();
  if (r.failed() || hits > kMaxHits || bytes.size() != 60 + std::size_t{hits} * 40) return bad("wrong length");
  if (report.count == 0 || report.first >= kNonceEnd || report.count > kNonceEnd - report.first) {
    return bad("the range is empty or leaves [0, 2^63)");
  }
  const auto within = [&](std::uint64_t nonce) { return nonce >= report.first && nonce - report.first < report.count; };
  if (!within(report.best.nonce)) return bad("the best nonce is outside the range");
  report.hits.reserve(hits);
  for (std::uint32_t i = 0; i < hits; ++i) {
    tensority::Found hit;
    hit.nonce = r.u64();
    hit.result = r.array<32>();
    if (!within(hit.nonce)) return bad("a nonce is outside the range");
    if (i != 0 && hit.nonce <= report.hits.back().nonce) return bad("nonces are not in rising order");
    report.hits.push_back(hit);
  }
  return report;
}

Result<std::unique_ptr<Work>> open_tensority(const Job& job, BlobSource&, const Binding&) {
  if (!job.blobs.empty()) return fail(Status::bad_input, "tensority: a search has no blobs");
  SPARKMILL_ASSIGN(const TensorityParams params, decode_tensority_params(job.params));
  SPARKMILL_ASSIGN(auto epoch, tensority::epochs().get(params.seed));
  return std::unique_ptr<Work>(std::make_unique<TensorityWork>(job, params, std::move(epoch)));
}

Result<Hash32> recompute(const tensority::Epoch& epoch, const Hash32& header_hash,
                         std::span<const std::string> not_by) {
  SPARKMILL_ASSIGN(auto made, other_cpu_kernel(kernels::Family::tensority, not_by));
  auto* kernel = dynamic_cast<tensority::Kernel*>(made.get());
  if (kernel == nullptr) return fail(Status::internal, "a row of the family tensority makes no Tensority kernel");
  Hash32 result{};
  SPARKMILL_TRY(kernel->hash(epoch, {&header_hash, 1}, {&result, 1}, StopToken()));
  return result;
}

}  // namespace sparkmill::job
