// SPDX-License-Identifier: Apache-2.0
// The phases of the CUDA kernels run on the host, thread after thread, against the reference row: proves tiles, bands,
// staging, tails and the layout of every buffer without a GPU. Only barriers, copies and atomics are the GPU's own.
#include "kernels/match/cuda_block.h"

#include <gtest/gtest.h>

#include <cstring>

#include "kernels/backend/discover.h"
#include "kernels/match/plan.h"
#include "kernels/match/rows.h"
#include "random_task.h"

namespace sparkmill::match {
namespace {

using namespace device;

struct HostEnv {
  void copy8(sm_u32* to, const sm_u32* from, bool real) const {
    if (real) {
      std::memcpy(to, from, 8);
    } else {
      std::memset(to, 0, 8);
    }
  }
  template <class T>
  void or_shared(T* at, T bits) const {
    *at |= bits;
  }
  template <class T>
  void add_shared(T* at, T v) const {
    *at += v;
  }
  template <class T>
  void add_global(T* at, T v) const {
    *at += v;
  }
};

/// A block as cuda.cu runs it; a barrier is the end of a loop over threads.
template <bool kMasked>
void run_block(const LeafArgs& a, sm_u32 block) {
  using S = device::Shape<kMasked>;
  // Filled with rubbish: shared memory is not zero when a block starts.
  std::vector<sm_u32> memory(S::kSharedWords, 0xdeadbeef);
  ASSERT_EQ(reinterpret_cast<std::uintptr_t>(memory.data()) % alignof(Quad), 0u);
  const Shared<kMasked> shared{memory.data()};
  const Place p = place<kMasked>(a, block);
  const HostEnv env;
  std::vector<Scores<kMasked>> s(kThreads);
  auto all = [](auto phase) {
    for (sm_u32 id = 0; id < kThreads; ++id) phase(id);
  };
  all([&](sm_u32 id) { begin<kMasked>(id, a, s[id], shared); });
  sm_u32 which = 0;
  for (sm_u32 w0 = 0; w0 < a.words; w0 += kChunk, which ^= 1) {
    all([&](sm_u32 id) { stage<kMasked>(env, id, a, p, w0, shared.stage(which)); });
    all([&](sm_u32 id) { accumulate<kMasked>(id, shared.stage(which), s[id]); });
  }
  all([&](sm_u32 id) { decide<kMasked>(env, id, a, p, s[id], shared); });
  all([&](sm_u32 id) { gather<kMasked>(env, id, a, p, shared); });
  all([&](sm_u32 id) { finish<kMasked>(env, id, a, p, shared); });
}

/// The whole range in one "launch", buffers laid out as cuda_row.cpp does.
TileResults run_on_host(const Task& task) {
  TileResults out;
  prepare(task, out);
  const Plan plan = make_plan(*task.predicate);
  const RowSpan requests = request_rows(task), users = user_rows(task);
  const std::size_t leaves = task.predicate->leaves().size(), tiles = task.tiles.tiles();
  const std::size_t stride = tiles * kTileWords, scores_stride = tiles * kTile * kTile;
  std::vector<sm_u64> masks(leaves * stride), wsum_masks(plan.wsums.size() * stride), hits(stride);
  std::vector<sm_u64> digests(tiles * leaves);
  std::vector<sm_u32> scores(task.predicate->needs_scores() ? leaves * scores_stride : 0);
  for (std::uint32_t l = 0; l < leaves; ++l) {
    const Leaf& leaf = task.predicate->leaves()[l];
    const FieldPair& f = task.fields[leaf.field];
    LeafArgs a{};
    // Exactly the rows that the range needs, in memory of their own: a read outside is found by the sanitizer.
    const std::vector<sm_u64> up_a(reinterpret_cast<const sm_u64*>(f.requests.row(requests.first)),
                                   reinterpret_cast<const sm_u64*>(f.requests.row(requests.first + requests.count)));
    const std::vector<sm_u64> up_b(reinterpret_cast<const sm_u64*>(f.users.row(users.first)),
                                   reinterpret_cast<const sm_u64*>(f.users.row(users.first + users.count)));
    a.requests = reinterpret_cast<const sm_u32*>(up_a.data());
    a.users = reinterpret_cast<const sm_u32*>(up_b.data());
    a.row_key = task.words != nullptr ? task.words->row.data() : nullptr;
    a.column_key = task.words != nullptr ? task.words->column.data() : nullptr;
    a.digests = digests.data();
    a.masks = reinterpret_cast<sm_u32*>(masks.data() + l * stride);
    a.scores = scores.empty() ? nullptr : scores.data() + l * scores_stride;
    a.request_count = f.requests.count;
    a.user_count = f.users.count;
    a.request_first = requests.first;
    a.user_first = users.first;
    a.ti_begin = task.tiles.ti_begin;
    a.tj_begin = task.tiles.tj_begin;
    a.columns = task.tiles.columns();
    a.words = f.requests.n / 32;
    a.leaf = l;
    a.leaves = static_cast<sm_u32>(leaves);
    a.w1 = leaf.w1;
    a.w2 = leaf.w2;
    a.threshold = leaf.threshold;
    const bool masked = task.force_masked || !f.requests.all_valid || !f.users.all_valid;
    const auto blocks =
        static_cast<sm_u32>(tiles * (masked ? device::Shape<true>::kBands : device::Shape<false>::kBands));
    for (sm_u32 b = 0; b < blocks; ++b) masked ? run_block<true>(a, b) : run_block<false>(a, b);
  }
  for (std::size_t w = 0; w < plan.wsums.size(); ++w) {
    const Plan::Wsum& sum = plan.wsums[w];
    const WsumArgs a{scores.data(),    scores_stride,
                     sum.terms.data(), static_cast<sm_u32>(sum.terms.size() / 4),
                     sum.imm,          wsum_masks.data() + w * stride};
    for (sm_u64 at = 0; at < stride; ++at) wsum_word(a, at);
  }
  CombineArgs c{};
  c.program = plan.program.data();
  c.ops = plan.ops();
  c.leaf_masks = masks.data();
  c.wsum_masks = wsum_masks.data();
  c.hits = hits.data();
  c.counts = out.counts.data();
  c.stride = stride;
  c.request_count = task.fields[0].requests.count;
  c.user_count = task.fields[0].users.count;
  c.ti_begin = task.tiles.ti_begin;
  c.tj_begin = task.tiles.tj_begin;
  c.columns = task.tiles.columns();
  for (sm_u64 at = 0; at < stride; ++at) combine_word(HostEnv{}, c, at);
  if (task.words != nullptr) out.digests.assign(digests.begin(), digests.end());
  for (std::size_t t = 0; t < tiles; ++t)
    append_pairs(std::span(hits).subspan(t * kTileWords, kTileWords), tile_at(task.tiles, t), out.pairs);
  return out;
}

struct Size {
  std::uint32_t requests, users, n;
  TileRange tiles;
};

class CudaBlocks : public ::testing::TestWithParam<Size> {};

TEST_P(CudaBlocks, GiveTheBitsOfTheReference) {
  const Size& size = GetParam();
  const kernels::Device cpu = kernels::cpu_device();
  auto made = reference_row().make(cpu);
  ASSERT_TRUE(made);
  auto& reference = static_cast<Kernel&>(**made);
  for (const bool valid : {false, true}) {
    const testing::Population people(size.n + size.users, size.requests, size.users, size.n, valid);
    const DigestWords words = expand_digest_words(Hash32{1, 2, 3}, size.requests, size.users);
    for (const std::vector<Op>& ops : testing::programs()) {
      const Result<Predicate> predicate = Predicate::make(ops);
      ASSERT_TRUE(predicate);
      Task task;
      task.fields = people.fields();
      task.predicate = &*predicate;
      task.words = ops.size() == 1 && size.n == 64 ? nullptr : &words;
      task.tiles = size.tiles;
      TileResults want;
      ASSERT_TRUE(reference.run(task, want, {}));
      const TileResults got = run_on_host(task);
      EXPECT_EQ(got.counts, want.counts);
      EXPECT_EQ(got.pairs, want.pairs);
      EXPECT_EQ(got.digests, want.digests);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, CudaBlocks,
                         ::testing::Values(Size{1, 1, 64, {0, 1, 0, 1}}, Size{31, 33, 192, {0, 1, 0, 1}},
                                           Size{255, 257, 256, {0, 1, 0, 2}}, Size{256, 64, 320, {0, 1, 0, 1}},
                                           Size{257, 600, 128, {0, 2, 1, 3}}, Size{300, 300, 576, {1, 2, 1, 2}}));

TEST(CudaBlocks, SharedMemoryLeavesRoomForTwoBlocks) {
  // Hopper and Ampere (A100) give a multiprocessor at least 164 KB.
  EXPECT_LE(2 * (device::Shape<true>::kSharedBytes + 1024), 164u * 1024);
  EXPECT_LE(2 * (device::Shape<false>::kSharedBytes + 1024), 164u * 1024);
  EXPECT_LE(device::Shape<true>::kSharedBytes, 64u * 1024);  // Turing's limit for one
  EXPECT_EQ(device::Shape<true>::kStageWords % 4, 0u);       // 16-byte reads stay aligned in both stages
  EXPECT_EQ(device::Shape<false>::kStageWords % 4, 0u);
}

}  // namespace
}  // namespace sparkmill::match
