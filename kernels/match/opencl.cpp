// SPDX-License-Identifier: Apache-2.0
// The OpenCL row of `match`: uploads, launches of opencl.cl cut to about 25 ms, hits read back tile by tile.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <list>

#include "kernels/backend/opencl.h"
#include "kernels/match/plan.h"
#include "kernels/match/rows.h"
#include "kernels/match/uploads.h"

// Texts embedded by kernels/backend/CMakeLists.txt.
extern "C" {
extern const unsigned char sparkmill_text_dialect[], sparkmill_text_dialect_end[];
extern const unsigned char sparkmill_text_match_device[], sparkmill_text_match_device_end[];
extern const unsigned char sparkmill_text_match_opencl[], sparkmill_text_match_opencl_end[];
}

namespace sparkmill::match {
namespace {

namespace ocl = kernels::opencl;
constexpr std::size_t kItems = 256;

/// SmShape of opencl.cl, byte for byte.
struct Shape {
  cl_uint requests, users, request_first, user_first, request_key, user_key, ti_begin, tj_begin, columns, words, leaf,
      leaves;
  cl_int w1, w2, threshold;
  cl_uint digest, scores, unused;
  alignas(8) cl_ulong tile_first;
};
static_assert(sizeof(Shape) == 80);

std::string source() {
  std::string text;
  text.append(sparkmill_text_dialect, sparkmill_text_dialect_end);
  text.append(sparkmill_text_match_device, sparkmill_text_match_device_end);
  text.append(sparkmill_text_match_opencl, sparkmill_text_match_opencl_end);
  return text;
}

constexpr std::size_t columns_an_item(bool masked) { return masked ? 4 : 8; }

/// Local memory that leaf_tiles takes with rows of `chunk` words staged at once.
constexpr std::size_t local_bytes(bool masked, std::size_t chunk) {
  const std::size_t band = 8 * columns_an_item(masked);
  return (kTile + band) * (chunk + 1) * 8 * (masked ? 2 : 1) + band * 4 + kTile * band / 8;
}

/// Words staged at once: the most that fits, 0 when nothing does.
std::size_t chunk_for(bool masked, std::size_t local) {
  for (std::size_t chunk : {4, 2, 1})
    if (local_bytes(masked, chunk) <= local) return chunk;
  return 0;
}

/// Uploaded rows of one side, kept under their content id.
struct Upload {
  std::uint64_t content_id = 0;
  const std::uint8_t* host = nullptr;  ///< tells uploads without an id apart, within one run
  std::uint32_t n = 0;
  RowSpan span;
  ocl::Buffer rows;
  std::uint64_t last_use = 0;
};

class OpenclKernel final : public Kernel {
 public:
  static Result<std::unique_ptr<kernels::Kernel>> make(const kernels::Device& device) {
    std::unique_ptr<OpenclKernel> k(new OpenclKernel);
    SPARKMILL_ASSIGN(k->context_, ocl::Context::open(device));
    SPARKMILL_TRY(k->build());
    return Result<std::unique_ptr<kernels::Kernel>>(std::move(k));
  }

  Done run(const Task& task, TileResults& out, const StopToken& stop) override;
  std::string row_id() const override { return "match/opencl"; }

 private:
  /// What one run() carries from launch to launch.
  struct Run {
    const Task& task;
    TileResults& out;
    Plan plan;
    RowSpan requests, users;
    Shape shape{};
    std::uint64_t batch = 0;  ///< tiles that the buffers hold
    std::uint64_t pairs = 0;
  };

  OpenclKernel() = default;
  Done build();
  Done start(Run& run);
  Done launch_tiles(Run& run, std::uint64_t first, std::uint64_t tiles);
  Done launch_leaf(Run& run, std::uint32_t leaf, std::uint64_t tiles);
  Done collect(Run& run, std::uint64_t first, std::uint64_t tiles);
  Result<const Upload*> upload(const Planes& planes, RowSpan span);

  std::shared_ptr<ocl::Context> context_;
  ocl::Function plain_, masked_, wsum_, combine_;
  std::list<Upload> uploads_;
  std::uint64_t clock_ = 0;
  std::uint64_t upload_limit_ = 0;
  ocl::Buffer row_key_, column_key_, digests_, scores_, masks_, program_, hits_, counts_;
  ocl::Buffer wsum_masks_;
  std::vector<ocl::Buffer> terms_;
  std::vector<std::uint64_t> digest_words_, mask_words_;
  std::vector<std::uint32_t> count_words_;
};

Done OpenclKernel::build() {
  const ocl::Limits& l = context_->limits();
  upload_limit_ = std::min<std::uint64_t>(l.memory_bytes / 4, l.on_cpu ? 256u << 20 : l.memory_bytes);
  const std::string text = source();
  auto open = [&](bool masked, const char* name) {
    return context_->function(text,
                              fmt::format("-cl-std=CL1.2 -DSM_MASKED={} -DSM_COLS={} -DSM_CHUNK={}", masked ? 1 : 0,
                                          columns_an_item(masked), chunk_for(masked, l.local_bytes)),
                              name);
  };
  SPARKMILL_ASSIGN(masked_, open(true, "leaf_tiles"));
  SPARKMILL_ASSIGN(wsum_, open(true, "wsum_tiles"));
  SPARKMILL_ASSIGN(combine_, open(true, "combine_tiles"));
  SPARKMILL_ASSIGN(plain_, open(false, "leaf_tiles"));
  for (const ocl::Function* f : {&masked_, &wsum_, &combine_, &plain_}) {
    if (f->max_items() < kItems)
      return fail(Status::unsupported,
                  fmt::format("this OpenCL device runs the match kernels with {} items a group, {} are needed",
                              f->max_items(), kItems));
  }
  return done();
}

/// Rows of a known population go up whole when they fit, so that the next slice finds them; else only what is needed.
Result<const Upload*> OpenclKernel::upload(const Planes& planes, RowSpan span) {
  const std::uint64_t whole = std::uint64_t{planes.count} * (planes.n / 4);
  if (planes.content_id != 0 && whole <= std::min(upload_limit_ / 2, context_->limits().buffer_bytes))
    span = {0, planes.count};
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
  SPARKMILL_ASSIGN(u.rows, context_->buffer(bytes));
  SPARKMILL_TRY(context_->write(u.rows, 0, planes.row(span.first), bytes));
  uploads_.push_back(std::move(u));
  return static_cast<const Upload*>(&uploads_.back());
}

/// Buffers and keys for a run.
Done OpenclKernel::start(Run& run) {
  const Task& task = run.task;
  const std::size_t leaves = task.predicate->leaves().size();
  const bool scores = task.predicate->needs_scores();
  const std::uint64_t tile_bytes =
      (leaves + run.plan.wsums.size() + 1) * kTileWords * 8 + (scores ? leaves * kTile * kTile * 4 : 0) + 64 * leaves;
  const ocl::Limits& l = context_->limits();
  const std::uint64_t budget = std::min<std::uint64_t>({l.memory_bytes / 16, l.buffer_bytes, 128u << 20});
  run.batch = std::clamp<std::uint64_t>(budget / tile_bytes, 1, std::min<std::uint64_t>(task.tiles.tiles(), 4096));

  SPARKMILL_TRY(context_->reserve(masks_, run.batch * leaves * kTileWords * 8));
  SPARKMILL_TRY(context_->reserve(hits_, run.batch * kTileWords * 8));
  SPARKMILL_TRY(context_->reserve(counts_, run.batch * 4));
  SPARKMILL_TRY(context_->reserve(digests_, run.batch * leaves * 8));
  SPARKMILL_TRY(context_->reserve(wsum_masks_, run.batch * run.plan.wsums.size() * kTileWords * 8));
  if (scores) SPARKMILL_TRY(context_->reserve(scores_, run.batch * leaves * kTile * kTile * 4));
  SPARKMILL_TRY(context_->reserve(program_, run.plan.program.size() * 4));
  SPARKMILL_TRY(context_->write(program_, 0, run.plan.program.data(), run.plan.program.size() * 4));
  terms_.resize(std::max(terms_.size(), run.plan.wsums.size()));
  for (std::size_t w = 0; w < run.plan.wsums.size(); ++w) {
    const std::vector<std::int32_t>& t = run.plan.wsums[w].terms;
    SPARKMILL_TRY(context_->reserve(terms_[w], t.size() * 4));
    SPARKMILL_TRY(context_->write(terms_[w], 0, t.data(), t.size() * 4));
  }
  SPARKMILL_TRY(context_->reserve(row_key_, std::size_t{run.requests.count} * 4));
  SPARKMILL_TRY(context_->reserve(column_key_, std::size_t{run.users.count} * 8));
  if (task.words != nullptr) {
    SPARKMILL_TRY(context_->write(row_key_, 0, task.words->row.data() + run.requests.first, run.requests.count * 4u));
    SPARKMILL_TRY(context_->write(column_key_, 0, task.words->column.data() + run.users.first, run.users.count * 8u));
  }
  Shape& s = run.shape;
  s.requests = task.fields[0].requests.count;
  s.users = task.fields[0].users.count;
  s.request_key = run.requests.first;
  s.user_key = run.users.first;
  s.ti_begin = task.tiles.ti_begin;
  s.tj_begin = task.tiles.tj_begin;
  s.columns = task.tiles.columns();
  s.leaves = static_cast<cl_uint>(leaves);
  s.digest = task.words != nullptr ? 1 : 0;
  s.scores = scores ? 1 : 0;
  return done();
}

Done OpenclKernel::launch_leaf(Run& run, std::uint32_t leaf, std::uint64_t tiles) {
  const Leaf& l = run.task.predicate->leaves()[leaf];
  const FieldPair& f = run.task.fields[l.field];
  const bool masked = run.task.force_masked || !f.requests.all_valid || !f.users.all_valid;
  SPARKMILL_ASSIGN(const Upload* a, upload(f.requests, run.requests));
  SPARKMILL_ASSIGN(const Upload* b, upload(f.users, run.users));
  run.shape.request_first = a->span.first;
  run.shape.user_first = b->span.first;
  run.shape.words = f.requests.n / 64;
  run.shape.leaf = leaf;
  run.shape.w1 = l.w1;
  run.shape.w2 = l.w2;
  run.shape.threshold = l.threshold;
  // A leaf's masks and scores follow those of the leaf before it: the kernel is told its first slot.
  ocl::Function& kernel = masked ? masked_ : plain_;
  SPARKMILL_TRY(kernel.args(a->rows, b->rows, row_key_, column_key_, digests_, masks_, scores_,
                            static_cast<cl_ulong>(run.batch * leaf), run.shape));
  return kernel.launch(tiles, kItems);
}

Done OpenclKernel::launch_tiles(Run& run, std::uint64_t first, std::uint64_t tiles) {
  run.shape.tile_first = first;
  for (std::uint32_t leaf = 0; leaf < run.shape.leaves; ++leaf) SPARKMILL_TRY(launch_leaf(run, leaf, tiles));
  for (std::size_t w = 0; w < run.plan.wsums.size(); ++w) {
    const Plan::Wsum& sum = run.plan.wsums[w];
    SPARKMILL_TRY(wsum_.args(scores_, static_cast<cl_ulong>(run.batch * kTile * kTile), terms_[w],
                             static_cast<cl_uint>(sum.terms.size() / 4), static_cast<cl_int>(sum.imm), wsum_masks_,
                             static_cast<cl_ulong>(run.batch * w)));
    SPARKMILL_TRY(wsum_.launch(tiles, kItems));
  }
  SPARKMILL_TRY(combine_.args(program_, static_cast<cl_uint>(run.plan.ops()), masks_,
                              static_cast<cl_ulong>(run.batch * kTileWords), wsum_masks_, hits_, counts_, run.shape));
  return combine_.launch(tiles, kItems);
}

/// Reads digests and counts, then the masks of the tiles that have hits, neighbours at once.
Done OpenclKernel::collect(Run& run, std::uint64_t first, std::uint64_t tiles) {
  std::uint32_t* counts = run.out.counts.data() + first;
  SPARKMILL_TRY(context_->read(counts_, 0, counts, tiles * 4));
  if (run.task.words != nullptr) {
    const std::size_t leaves = run.shape.leaves;
    SPARKMILL_TRY(context_->read(digests_, 0, run.out.digests.data() + first * leaves, tiles * leaves * 8));
  }
  for (std::uint64_t t = 0; t < tiles; ++t) run.pairs += counts[t];
  SPARKMILL_TRY(check_pair_count(run.pairs));
  for (std::uint64_t t = 0; t < tiles;) {
    if (counts[t] == 0) {
      ++t;
      continue;
    }
    std::uint64_t end = t + 1;
    while (end < tiles && counts[end] != 0 && end - t < 256) ++end;
    mask_words_.resize((end - t) * kTileWords);
    SPARKMILL_TRY(context_->read(hits_, t * kTileWords * 8, mask_words_.data(), mask_words_.size() * 8));
    for (std::uint64_t k = t; k < end; ++k) {
      append_pairs(std::span(mask_words_).subspan((k - t) * kTileWords, kTileWords), tile_at(run.task.tiles, first + k),
                   run.out.pairs);
    }
    t = end;
  }
  return done();
}

Done OpenclKernel::run(const Task& task, TileResults& out, const StopToken& stop) {
  SPARKMILL_TRY(check_task(task));
  prepare(task, out);
  const std::uint64_t total = task.tiles.tiles();
  if (total == 0) return done();
  ++clock_;
  for (auto u = uploads_.begin(); u != uploads_.end();) u = u->content_id == 0 ? uploads_.erase(u) : std::next(u);
  Run run{task, out, make_plan(*task.predicate), request_rows(task), user_rows(task), {}, 0, 0};
  SPARKMILL_TRY(start(run));
  LaunchSize size(run.batch);
  for (std::uint64_t first = 0; first < total;) {
    if (stop.stop_requested()) return fail(Status::cancelled, "match: stopped between launches");
    const std::uint64_t tiles = std::min(size.tiles(), total - first);
    const auto begin = std::chrono::steady_clock::now();
    SPARKMILL_TRY(launch_tiles(run, first, tiles));
    SPARKMILL_TRY(context_->finish());
    size.took(tiles, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
    SPARKMILL_TRY(collect(run, first, tiles));
    first += tiles;
  }
  return done();
}

kernels::Probe probe(const kernels::Device& device) {
  if (device.backend != kernels::Backend::opencl) return {false, "this is not an OpenCL device"};
  std::string note;
  const ocl::Api* cl = ocl::api(note);
  for (const ocl::Found& f : ocl::find_devices(note)) {
    if (f.device.id != device.id) continue;
    const ocl::Limits l = ocl::limits(*cl, f.id);
    if (l.group_items < kItems)
      return {false, fmt::format("its work-groups have at most {} items, {} are needed", l.group_items, kItems)};
    if (chunk_for(true, l.local_bytes) == 0)
      return {false,
              fmt::format("it has {} bytes of local memory, {} are needed", l.local_bytes, local_bytes(true, 1))};
    if (kernels::opencl::device_number(*cl, f.id, CL_DEVICE_COMPILER_AVAILABLE) == 0)
      return {false, "its OpenCL driver has no compiler"};
    return {true, fmt::format("OpenCL, {} bytes of local memory, {} words staged at once", l.local_bytes,
                              chunk_for(true, l.local_bytes))};
  }
  return {false, note.empty() ? fmt::format("no OpenCL device has the id {} now", device.id) : note};
}

}  // namespace

kernels::Row opencl_row() {
  return {kernels::Family::match, kernels::Backend::opencl, "", 60, 1, probe, OpenclKernel::make};
}

}  // namespace sparkmill::match
