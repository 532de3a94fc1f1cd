// SPDX-License-Identifier: Apache-2.0
// The CUDA row of `match`: two lanes of buffers and streams, so that one launch computes while the hits of the one
// before are compacted and read.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <list>

#include "kernels/backend/cuda.h"
#include "kernels/match/cuda_launch.h"
#include "kernels/match/plan.h"
#include "kernels/match/rows.h"
#include "kernels/match/uploads.h"

namespace sparkmill::match {
namespace {

namespace cu = kernels::cuda;
static_assert(sizeof(device::DevicePair) == sizeof(Pair));

struct Upload {
  std::uint64_t content_id = 0;
  const std::uint8_t* host = nullptr;  ///< tells uploads without an id apart, within one run
  std::uint32_t n = 0;
  RowSpan span;
  cu::DeviceBuffer rows;
  std::uint64_t last_use = 0;
};

/// One launch in flight.
struct Lane {
  cu::Stream stream;
  cu::DeviceBuffer masks, wsum_masks, scores, hits, counts, digests, index, offset, pairs;
  cu::PinnedBuffer host_counts, host_digests, host_pairs;
  std::uint64_t first = 0, tiles = 0;  ///< tiles == 0: idle
};

/// What one run() carries from launch to launch.
struct Run {
  const Task& task;
  TileResults& out;
  Plan plan;
  RowSpan requests, users;
  std::size_t leaves = 0;
  std::uint64_t batch = 0;  ///< tiles that a lane's buffers hold
  std::uint64_t pairs = 0;
};

class CudaKernel final : public Kernel {
 public:
  static Result<std::unique_ptr<kernels::Kernel>> make(const kernels::Device& device);
  Done run(const Task& task, TileResults& out, const StopToken& stop) override;
  std::string row_id() const override { return "match/cuda"; }

 private:
  CudaKernel() = default;
  Done run_tiles(Run& run, const StopToken& stop);
  Done start(Run& run);
  Done launch(Run& run, Lane& lane, std::uint64_t first, std::uint64_t tiles);
  Done launch_leaf(Run& run, Lane& lane, std::uint32_t leaf);
  Done launch_predicate(Run& run, Lane& lane);
  Done collect(Run& run, Lane& lane);
  Done collect_pairs(Run& run, Lane& lane, std::uint64_t count);
  Result<const Upload*> upload(const Planes& planes, RowSpan span);

  int ordinal_ = 0;
  std::uint64_t upload_limit_ = 0, memory_ = 0, clock_ = 0;
  std::list<Upload> uploads_;
  cu::Stream copies_;
  cu::DeviceBuffer row_key_, column_key_, program_;
  std::vector<cu::DeviceBuffer> terms_;
  Lane lanes_[2];
};

Result<std::unique_ptr<kernels::Kernel>> CudaKernel::make(const kernels::Device& device) {
  std::unique_ptr<CudaKernel> k(new CudaKernel);
  SPARKMILL_ASSIGN(k->ordinal_, cu::find_ordinal(device));
  SPARKMILL_TRY(cu::check(cudaSetDevice(k->ordinal_), "cudaSetDevice"));
  SPARKMILL_TRY(cu::check(device::prepare_kernels(), "cudaFuncSetAttribute"));
  std::size_t free_bytes = 0, all_bytes = 0;
  SPARKMILL_TRY(cu::check(cudaMemGetInfo(&free_bytes, &all_bytes), "cudaMemGetInfo"));
  k->memory_ = free_bytes;
  k->upload_limit_ = free_bytes / 2;
  SPARKMILL_TRY(k->copies_.open());
  for (Lane& lane : k->lanes_) SPARKMILL_TRY(lane.stream.open());
  return Result<std::unique_ptr<kernels::Kernel>>(std::move(k));
}

/// Rows of a known population go up whole when they fit, so that the next slice finds them; else only what is needed.
Result<const Upload*> CudaKernel::upload(const Planes& planes, RowSpan span) {
  const std::uint64_t whole = std::uint64_t{planes.count} * (planes.n / 4);
  if (planes.content_id != 0 && whole <= upload_limit_ / 2) span = {0, planes.count};
  for (Upload& u : uploads_) {
    const bool same = u.content_id == planes.content_id && (u.content_id != 0 || u.host == planes.rows);
    if (same && u.n == planes.n && u.span.first == span.first && u.span.count == span.count) {
      u.last_use = clock_;
      return static_cast<const Upload*>(&u);
    }
  }
  const std::size_t bytes = std::size_t{span.count} * (planes.n / 4);
  make_room(uploads_, bytes, upload_limit_, clock_);
  Upload u{planes.content_id, planes.rows, planes.n, span, {}, clock_};
  SPARKMILL_TRY(u.rows.reserve(bytes));
  SPARKMILL_TRY(copies_.upload(u.rows.as<std::uint8_t>(), planes.row(span.first), bytes));
  SPARKMILL_TRY(copies_.wait());
  uploads_.push_back(std::move(u));
  return static_cast<const Upload*>(&uploads_.back());
}

/// Keys, program and lane buffers for a run.
Done CudaKernel::start(Run& run) {
  const bool scores = run.task.predicate->needs_scores();
  const std::size_t masks = run.leaves + run.plan.wsums.size();
  const std::uint64_t tile_bytes =
      (masks + 2) * kTileWords * 8 + (scores ? run.leaves * kTile * kTile * 4 : 0) + 8 * run.leaves + 4;
  run.batch =
      std::clamp<std::uint64_t>(memory_ / 16 / tile_bytes, 1, std::min<std::uint64_t>(run.task.tiles.tiles(), 16384));
  for (Lane& lane : lanes_) {
    SPARKMILL_TRY(lane.masks.reserve(run.batch * run.leaves * kTileWords * 8));
    SPARKMILL_TRY(lane.wsum_masks.reserve(run.batch * run.plan.wsums.size() * kTileWords * 8));
    if (scores) SPARKMILL_TRY(lane.scores.reserve(run.batch * run.leaves * kTile * kTile * 4));
    SPARKMILL_TRY(lane.hits.reserve(run.batch * kTileWords * 8));
    SPARKMILL_TRY(lane.index.reserve(run.batch * kTileWords * 4));
    SPARKMILL_TRY(lane.offset.reserve(run.batch * kTileWords * 4));
    SPARKMILL_TRY(lane.counts.reserve(run.batch * 4));
    SPARKMILL_TRY(lane.digests.reserve(run.batch * run.leaves * 8));
    SPARKMILL_TRY(lane.host_counts.reserve(run.batch * 4));
    SPARKMILL_TRY(lane.host_digests.reserve(run.batch * run.leaves * 8));
  }
  SPARKMILL_TRY(program_.reserve(run.plan.program.size() * 4));
  SPARKMILL_TRY(copies_.upload(program_.as<void>(), run.plan.program.data(), run.plan.program.size() * 4));
  terms_.resize(std::max(terms_.size(), run.plan.wsums.size()));
  for (std::size_t w = 0; w < run.plan.wsums.size(); ++w) {
    const std::vector<std::int32_t>& t = run.plan.wsums[w].terms;
    SPARKMILL_TRY(terms_[w].reserve(t.size() * 4));
    SPARKMILL_TRY(copies_.upload(terms_[w].as<void>(), t.data(), t.size() * 4));
  }
  if (const DigestWords* words = run.task.words) {
    SPARKMILL_TRY(row_key_.reserve(run.requests.count * 4u));
    SPARKMILL_TRY(column_key_.reserve(run.users.count * 8u));
    SPARKMILL_TRY(copies_.upload(row_key_.as<void>(), words->row.data() + run.requests.first, run.requests.count * 4u));
    SPARKMILL_TRY(copies_.upload(column_key_.as<void>(), words->column.data() + run.users.first, run.users.count * 8u));
  }
  return copies_.wait();
}

Done CudaKernel::launch_leaf(Run& run, Lane& lane, std::uint32_t leaf) {
  const Leaf& l = run.task.predicate->leaves()[leaf];
  const FieldPair& f = run.task.fields[l.field];
  const bool masked = run.task.force_masked || !f.requests.all_valid || !f.users.all_valid;
  SPARKMILL_ASSIGN(const Upload* a, upload(f.requests, run.requests));
  SPARKMILL_ASSIGN(const Upload* b, upload(f.users, run.users));
  device::LeafArgs args{};
  args.requests = a->rows.as<sm_u32>();
  args.users = b->rows.as<sm_u32>();
  args.row_key = run.task.words != nullptr ? row_key_.as<sm_u32>() : nullptr;
  args.column_key = column_key_.as<sm_u64>();
  args.digests = lane.digests.as<sm_u64>();
  args.masks = lane.masks.as<sm_u32>() + run.batch * leaf * kTileWords * 2;
  args.scores =
      run.task.predicate->needs_scores() ? lane.scores.as<sm_u32>() + run.batch * leaf * kTile * kTile : nullptr;
  args.tile_first = lane.first;
  args.request_count = f.requests.count;
  args.user_count = f.users.count;
  args.request_first = a->span.first;
  args.user_first = b->span.first;
  args.request_key = run.requests.first;
  args.user_key = run.users.first;
  args.ti_begin = run.task.tiles.ti_begin;
  args.tj_begin = run.task.tiles.tj_begin;
  args.columns = run.task.tiles.columns();
  args.words = f.requests.n / 32;
  args.leaf = leaf;
  args.leaves = static_cast<sm_u32>(run.leaves);
  args.w1 = l.w1;
  args.w2 = l.w2;
  args.threshold = l.threshold;
  return cu::check(device::launch_leaf(args, masked, static_cast<std::uint32_t>(lane.tiles), lane.stream.handle()),
                   "launch of leaf_tiles");
}

/// WSUMs, then the predicate over all masks.
Done CudaKernel::launch_predicate(Run& run, Lane& lane) {
  const auto tiles = static_cast<std::uint32_t>(lane.tiles);
  for (std::size_t w = 0; w < run.plan.wsums.size(); ++w) {
    const Plan::Wsum& sum = run.plan.wsums[w];
    const device::WsumArgs args{lane.scores.as<sm_u32>(),
                                run.batch * kTile * kTile,
                                terms_[w].as<sm_i32>(),
                                static_cast<sm_u32>(sum.terms.size() / 4),
                                sum.imm,
                                lane.wsum_masks.as<sm_u64>() + run.batch * w * kTileWords};
    SPARKMILL_TRY(cu::check(device::launch_wsum(args, tiles, lane.stream.handle()), "launch of wsum_tiles"));
  }
  device::CombineArgs args{};
  args.program = program_.as<sm_i32>();
  args.leaf_masks = lane.masks.as<sm_u64>();
  args.wsum_masks = lane.wsum_masks.as<sm_u64>();
  args.hits = lane.hits.as<sm_u64>();
  args.counts = lane.counts.as<sm_u32>();
  args.stride = run.batch * kTileWords;
  args.tile_first = lane.first;
  args.ops = run.plan.ops();
  args.request_count = run.task.fields[0].requests.count;
  args.user_count = run.task.fields[0].users.count;
  args.ti_begin = run.task.tiles.ti_begin;
  args.tj_begin = run.task.tiles.tj_begin;
  args.columns = run.task.tiles.columns();
  return cu::check(device::launch_combine(args, tiles, lane.stream.handle()), "launch of combine_tiles");
}

Done CudaKernel::launch(Run& run, Lane& lane, std::uint64_t first, std::uint64_t tiles) {
  const cudaStream_t stream = lane.stream.handle();
  lane.first = first;
  lane.tiles = tiles;
  SPARKMILL_TRY(lane.stream.mark_begin());
  SPARKMILL_TRY(cu::check(cudaMemsetAsync(lane.counts.as<void>(), 0, tiles * 4, stream), "cudaMemsetAsync"));
  SPARKMILL_TRY(
      cu::check(cudaMemsetAsync(lane.digests.as<void>(), 0, tiles * run.leaves * 8, stream), "cudaMemsetAsync"));
  for (std::uint32_t leaf = 0; leaf < run.leaves; ++leaf) SPARKMILL_TRY(launch_leaf(run, lane, leaf));
  SPARKMILL_TRY(launch_predicate(run, lane));
  SPARKMILL_TRY(lane.stream.mark_end());
  SPARKMILL_TRY(cu::check(
      cudaMemcpyAsync(lane.host_counts.as<void>(), lane.counts.as<void>(), tiles * 4, cudaMemcpyDeviceToHost, stream),
      "cudaMemcpyAsync of counts"));
  if (run.task.words == nullptr) return done();
  return cu::check(cudaMemcpyAsync(lane.host_digests.as<void>(), lane.digests.as<void>(), tiles * run.leaves * 8,
                                   cudaMemcpyDeviceToHost, stream),
                   "cudaMemcpyAsync of digests");
}

Done CudaKernel::collect_pairs(Run& run, Lane& lane, std::uint64_t count) {
  const cudaStream_t stream = lane.stream.handle();
  SPARKMILL_TRY(lane.pairs.reserve(count * sizeof(Pair)));
  SPARKMILL_TRY(lane.host_pairs.reserve(count * sizeof(Pair)));
  const TileRange& range = run.task.tiles;
  const device::TileOrder order{lane.first, range.ti_begin, range.tj_begin, range.columns()};
  SPARKMILL_TRY(
      cu::check(device::compact(lane.hits.as<std::uint64_t>(), static_cast<std::uint32_t>(lane.tiles * kTileWords),
                                order, lane.index.as<std::uint32_t>(), lane.offset.as<std::uint32_t>(),
                                lane.pairs.as<device::DevicePair>(), stream),
                "compaction of hits"));
  SPARKMILL_TRY(cu::check(cudaMemcpyAsync(lane.host_pairs.as<void>(), lane.pairs.as<void>(), count * sizeof(Pair),
                                          cudaMemcpyDeviceToHost, stream),
                          "cudaMemcpyAsync of pairs"));
  SPARKMILL_TRY(lane.stream.wait());
  const auto* pairs = lane.host_pairs.as<device::DevicePair>();
  for (std::uint64_t k = 0; k < count; ++k) run.out.pairs.push_back({pairs[k].i, pairs[k].j});
  return done();
}

/// Waits for a lane and takes its results; lanes are collected in the order of their tiles.
Done CudaKernel::collect(Run& run, Lane& lane) {
  SPARKMILL_TRY(lane.stream.wait());
  const auto* counts = lane.host_counts.as<std::uint32_t>();
  std::copy_n(counts, lane.tiles, run.out.counts.begin() + static_cast<std::ptrdiff_t>(lane.first));
  if (run.task.words != nullptr)
    std::copy_n(lane.host_digests.as<std::uint64_t>(), lane.tiles * run.leaves,
                run.out.digests.begin() + static_cast<std::ptrdiff_t>(lane.first * run.leaves));
  std::uint64_t count = 0;
  for (std::uint64_t t = 0; t < lane.tiles; ++t) count += counts[t];
  run.pairs += count;
  SPARKMILL_TRY(check_pair_count(run.pairs));
  if (count != 0) SPARKMILL_TRY(collect_pairs(run, lane, count));
  lane.tiles = 0;
  return done();
}

Done CudaKernel::run_tiles(Run& run, const StopToken& stop) {
  SPARKMILL_TRY(start(run));
  LaunchSize size(run.batch);
  const std::uint64_t total = run.task.tiles.tiles();
  unsigned turn = 0;
  auto take = [&](Lane& lane) -> Done {
    if (lane.tiles == 0) return done();
    const std::uint64_t tiles = lane.tiles;
    SPARKMILL_TRY(collect(run, lane));
    size.took(tiles, lane.stream.seconds());
    return done();
  };
  for (std::uint64_t first = 0; first < total; turn ^= 1) {
    SPARKMILL_TRY(take(lanes_[turn]));
    if (stop.stop_requested()) return fail(Status::cancelled, "match: stopped between launches");
    const std::uint64_t tiles = std::min(size.tiles(), total - first);
    SPARKMILL_TRY(launch(run, lanes_[turn], first, tiles));
    first += tiles;
  }
  SPARKMILL_TRY(take(lanes_[turn]));  // the older of the two comes first
  return take(lanes_[turn ^ 1]);
}

Done CudaKernel::run(const Task& task, TileResults& out, const StopToken& stop) {
  SPARKMILL_TRY(check_task(task));
  prepare(task, out);
  if (task.tiles.tiles() == 0) return done();
  SPARKMILL_TRY(cu::check(cudaSetDevice(ordinal_), "cudaSetDevice"));  // instances may move between threads
  ++clock_;
  uploads_.remove_if([](const Upload& u) { return u.content_id == 0; });
  Run run{task, out, make_plan(*task.predicate), request_rows(task), user_rows(task)};
  run.leaves = task.predicate->leaves().size();
  Done result = run_tiles(run, stop);
  for (Lane& lane : lanes_) {
    // After an error or a stop nothing may still write into buffers that the next run uses.
    if (Done waited = lane.stream.wait(); !waited && result) result = waited.error();
    lane.tiles = 0;
  }
  return result;
}

kernels::Probe probe(const kernels::Device& device) {
  if (device.backend != kernels::Backend::cuda) return {false, "this is not a CUDA device"};
  const Result<int> ordinal = cu::find_ordinal(device);
  if (!ordinal) return {false, ordinal.error().message};
  int major = 0, minor = 0, shared = 0;
  if (cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, *ordinal) != cudaSuccess ||
      cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, *ordinal) != cudaSuccess ||
      cudaDeviceGetAttribute(&shared, cudaDevAttrMaxSharedMemoryPerBlockOptin, *ordinal) != cudaSuccess)
    return {false, "the CUDA driver does not answer for this device"};
  if (major * 10 + minor < 75)
    return {false, fmt::format("compute capability {}.{} is too old, 7.5 is needed", major, minor)};
  if (static_cast<std::size_t>(shared) < device::kMaxSharedBytes)
    return {false,
            fmt::format("it has {} bytes of shared memory a block, {} are needed", shared, device::kMaxSharedBytes)};
  return {true, fmt::format("compute capability {}.{}", major, minor)};
}

}  // namespace

kernels::Row cuda_row() { return {kernels::Family::match, kernels::Backend::cuda, "", 80, 1, probe, CudaKernel::make}; }

}  // namespace sparkmill::match
