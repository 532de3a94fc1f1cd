// SPDX-License-Identifier: Apache-2.0
// Every cheat of verify.blocks, with fixed seeds and its measured rate: 1,024 blocks, 64 planted bad ones, 128
// openings. What an honest recomputation finds is known from one honest run, so that a thousand checks cost one job;
// each cheat is also shown to the real check. docs/verify-batch.md has the table.
#include <gtest/gtest.h>

#include <cstdio>
#include <map>

#include "base/file.h"
#include "tests/verify/batch_support.h"
#include "verify/chain/header.h"
#include "verify/job/block_list.h"
#include "verify/job/block_plants.h"
#include "verify/merkle/merkle.h"

namespace sparkmill::proof {
namespace {

using testing::seed_of;

constexpr std::uint32_t kItems = testing::kSanitized ? 256 : 1024;
constexpr std::uint32_t kOpenings = 128;
constexpr int kTrials = 1000;
constexpr int kFlips = 250;
constexpr int kLeases = 50;
constexpr std::size_t kEvidence = 32;
constexpr std::uint8_t kValid = 1;
/// Hashes under sanitizers take long: there the real check looks at two stories only.
constexpr bool kAllReal = !testing::kSanitized;

/// Knows what it hashed once; or, asked to lie, says that every hash is zero, which meets every target.
class Tensority final : public tensority::Kernel {
 public:
  explicit Tensority(std::unique_ptr<kernels::Kernel> inner)
      : owner_(std::move(inner)), inner_(dynamic_cast<tensority::Kernel&>(*owner_)) {}
  std::string row_id() const override { return inner_.row_id(); }
  Done prepare(const tensority::Epoch& epoch) override { return inner_.prepare(epoch); }
  Done hash(const tensority::Epoch& epoch, std::span<const Hash32> headers, std::span<Hash32> out,
            const StopToken& stop) override {
    for (std::size_t k = 0; k < headers.size(); ++k) {
      out[k] = Hash32{};
      if (lies) continue;
      const auto [at, fresh] = known.try_emplace({epoch.seed(), headers[k]});
      if (fresh) SPARKMILL_TRY(inner_.hash(epoch, {&headers[k], 1}, {&at->second, 1}, stop));
      out[k] = at->second;
    }
    return done();
  }
  std::map<std::pair<Hash32, Hash32>, Hash32> known;  ///< by seed and header
  bool lies = false;

 private:
  std::unique_ptr<kernels::Kernel> owner_;
  tensority::Kernel& inner_;
};

/// Runs every slice on one kernel that others look at.
class OnKernel final : public job::Executor {
 public:
  explicit OnKernel(kernels::Kernel& kernel) : kernel_(kernel) {}
  Done run(const job::Work& work, std::span<const job::Slice> slices,
           const std::function<Done(const job::Slice&, Bytes)>& done_with, const StopToken& stop) override {
    for (const job::Slice& slice : slices) {
      SPARKMILL_ASSIGN(Bytes bytes, work.run(slice, kernel_, stop));
      SPARKMILL_TRY(done_with(slice, std::move(bytes)));
    }
    return done();
  }

 private:
  kernels::Kernel& kernel_;
};

job::Outcome computed(const job::Work& work, Tensority& kernel) {
  OnKernel executor(kernel);
  std::vector<Bytes> results;
  const auto keep = [&](const job::Slice&, Bytes b) { return results.push_back(std::move(b)), done(); };
  const Done ran = executor.run(work, work.slice(1u << 20), keep, {});
  EXPECT_TRUE(ran.ok()) << (ran.ok() ? "" : ran.error().message);
  return *work.assemble(results);
}

struct World {
  World() {
    const auto file = read_text_file(SPARKMILL_SOURCE_DIR "/data/bytom_blocks.smbk", 1u << 20);
    const auto real = job::decode_block_items(view(*file));
    EXPECT_TRUE(real.ok());
    auto made = job::plant_bytom_blocks(*real, kItems, seed_of("cheats"));
    EXPECT_TRUE(made.ok()) << (made.ok() ? "" : made.error().message);
    planted = std::move(*made);
    for (const job::SampleBlock& item : planted.items) items.push_back({item.context, item.block});
    blobs.add(job::encode_block_items(items));
    work = *job::open(job::make_blocks_job(items, true, 0), blobs, binding);
    const auto row = kernels::choose(kernels::Family::tensority, kernels::cpu_device());
    kernel = std::make_unique<Tensority>(*row->row->make(kernels::cpu_device()));
    truth = computed(*work, *kernel);
    verdicts.assign(truth.answer.begin() + 4, truth.answer.end());
  }
  job::PlantedBlocks planted;
  std::vector<job::BlockItem> items;
  job::MemoryBlobs blobs;
  job::Binding binding{Bytes{1, 2, 3}, {}};
  std::unique_ptr<job::Work> work;
  std::unique_ptr<Tensority> kernel;
  job::Outcome truth;
  Bytes verdicts;
};
World& world() {
  static World w;
  return w;
}

/// A worker's story: verdicts and evidence that need not be the computed ones.
struct Lie {
  Bytes verdicts, evidence;
  static Lie honest() { return {world().verdicts, world().truth.evidence}; }
  Bytes answer() const { return job::encode_verdict_bytes(verdicts); }
  void blank(std::size_t at) {
    std::fill_n(evidence.begin() + static_cast<std::ptrdiff_t>(at * kEvidence), kEvidence, std::uint8_t{0});
  }
};

struct Caught {
  bool by_plants = false, by_openings = false, by_claims = false;
  bool any() const { return by_plants || by_openings || by_claims; }
};
/// What the node's steps find, by the honest run.
Caught caught(const Lie& lie, std::string_view seed) {
  const World& w = world();
  Caught out;
  out.by_plants = !job::check_plants(w.planted.plants, lie.answer()).ok();
  for (const std::uint64_t at : challenge_indices(seed_of(seed), kItems, kOpenings)) {
    const auto e = static_cast<std::ptrdiff_t>(at * kEvidence);
    out.by_openings =
        out.by_openings || lie.verdicts[at] != w.verdicts[at] ||
        !std::equal(lie.evidence.begin() + e, lie.evidence.begin() + e + kEvidence, w.truth.evidence.begin() + e);
  }
  for (std::size_t k = 0; k < kItems; ++k) {
    out.by_claims = out.by_claims || (lie.verdicts[k] != kValid && lie.verdicts[k] != w.verdicts[k]);
  }
  return out;
}

/// The same by the real check, tree, claims, openings and all: its reason.
std::string real_check(const Lie& lie, std::string_view seed, const job::Work& work) {
  World& w = world();
  if (const job::Finding found = job::check_plants(w.planted.plants, lie.answer()); !found.ok()) return found.reason;
  const auto outcome = work.rebuild(lie.evidence, lie.answer());
  EXPECT_TRUE(outcome.ok());
  const Commit commit{merkle::root(outcome->leaves), outcome->leaves.size(), outcome->answer};
  const auto indices = challenge_indices(seed_of(seed), kItems, kOpenings);
  const auto opening = make_opening(work, *outcome, indices);
  EXPECT_TRUE(opening.ok());
  OnKernel executor(*w.kernel);
  const auto verdict = check(work, commit, indices, *opening, executor);
  EXPECT_TRUE(verdict.ok()) << (verdict.ok() ? "" : verdict.error().message);
  return verdict.ok() ? verdict->reason : "";
}
std::string real_check(const Lie& lie, std::string_view seed) { return real_check(lie, seed, *world().work); }

std::string numbered(std::string_view name, int trial) { return std::string(name) + std::to_string(trial); }

TEST(BlockCheats, HonestWorkIsNeverCaught) {
  for (int trial = 0; trial < kLeases; ++trial) ASSERT_FALSE(caught(Lie::honest(), numbered("honest", trial)).any());
  EXPECT_EQ(real_check(Lie::honest(), "honest"), "accepted");
}

TEST(BlockCheats, AllValidWithoutWork) {
  int plants = 0, openings = 0;
  for (int trial = 0; trial < kLeases; ++trial) {
    Lie lie{Bytes(kItems, kValid), Bytes(kItems * kEvidence)};
    chacha20_stream(seed_of(numbered("invented", trial)), 0, 0, lie.evidence);
    const Caught c = caught(lie, numbered("none", trial));
    plants += c.by_plants ? 1 : 0;
    openings += c.by_openings ? 1 : 0;
    if (trial == 0) {
      EXPECT_EQ(real_check(lie, "none0"), "plant_missed");
    }
  }
  std::printf("all valid without work: caught by planted items %d, by openings %d of %d\n", plants, openings, kLeases);
  EXPECT_EQ(plants, kLeases);
  EXPECT_EQ(openings, kLeases);
}

// A worker that does everything but one test: what only that test refuses is called valid. All else is true.
TEST(BlockCheats, EachKindOfPlantedItemSkipped) {
  const World& w = world();
  for (const job::BlockPlantRow& row : job::block_plant_kinds(job::Chain::bytom)) {
    if (row.reason == "valid") continue;
    Lie lie = Lie::honest();
    int shown = 0;
    for (const job::BlockPlant& p : w.planted.plants.list) {
      if (p.kind != row.kind) continue;
      lie.verdicts[p.index] = kValid;
      ++shown;
    }
    EXPECT_GT(shown, 0) << row.name;
    EXPECT_EQ(job::check_plants(w.planted.plants, lie.answer()).reason, "plant_missed") << row.name;
    // And those that only look odd are refused by who is too strict.
  }
  for (const job::BlockPlant& p : w.planted.plants.list) {
    if (p.verdict != kValid) continue;
    Lie lie = Lie::honest();
    lie.verdicts[p.index] = job::block_verdict(job::Chain::bytom, "decode");
    EXPECT_EQ(job::check_plants(w.planted.plants, lie.answer()).reason, "plant_refused");
  }
}

TEST(BlockCheats, FivePercentSkipped) {
  int plants = 0, openings = 0, either = 0;
  for (int trial = 0; trial < kTrials; ++trial) {
    Lie lie = Lie::honest();
    for (const std::uint64_t at : challenge_indices(seed_of(numbered("skip", trial)), kItems, kItems / 20)) {
      lie.verdicts[at] = kValid;
      lie.blank(at);
    }
    const Caught c = caught(lie, numbered("five", trial));
    plants += c.by_plants ? 1 : 0;
    openings += c.by_openings ? 1 : 0;
    either += c.any() ? 1 : 0;
    if (kAllReal && trial == 0) {
      EXPECT_NE(real_check(lie, "five0"), "accepted");
    }
  }
  std::printf("5 %% skipped: caught by planted items %d, by openings %d, by either %d of %d\n", plants, openings,
              either, kTrials);
  EXPECT_GE(plants, kTrials * 88 / 100);    // 1 - 0.95^64 = 96.2 %
  EXPECT_GE(openings, kTrials * 97 / 100);  // 1 - 0.95^128 = 99.86 %
  EXPECT_GE(either, kTrials - 2);
}

TEST(BlockCheats, VerdictsFlipped) {
  const World& w = world();
  ChaChaWords draw(seed_of("flips"));
  const auto any = [&](bool valid) {
    for (;;) {
      const std::size_t at = draw.below(kItems);
      if ((w.verdicts[at] == kValid) == valid) return at;
    }
  };
  int to_invalid = 0, to_valid = 0, reasons = 0;
  for (int trial = 0; trial < kFlips; ++trial) {
    Lie lie = Lie::honest();
    lie.verdicts[any(true)] = static_cast<std::uint8_t>(2 + draw.below(38));
    to_invalid += caught(lie, numbered("flip", trial)).by_claims ? 1 : 0;
    if (kAllReal && trial == 0) {
      EXPECT_EQ(w.work->check_answer(lie.answer()).status(), Status::mismatch);
    }
    lie = Lie::honest();
    lie.verdicts[any(false)] = kValid;
    to_valid += caught(lie, numbered("flip", trial)).by_plants ? 1 : 0;
    // Invalid it is, but not for that reason.
    lie = Lie::honest();
    std::uint8_t& verdict = lie.verdicts[any(false)];
    verdict = verdict == 39 ? 2 : static_cast<std::uint8_t>(verdict + 1);
    const Caught c = caught(lie, numbered("flip", trial));
    reasons += c.by_claims && c.by_plants ? 1 : 0;
    if (kAllReal && trial == 0) {
      EXPECT_EQ(job::check_plants(w.planted.plants, lie.answer()).reason, "plant_reason");
      EXPECT_EQ(w.work->check_answer(lie.answer()).status(), Status::mismatch);
    }
  }
  std::printf("one verdict changed: to invalid caught %d, to valid %d, to another reason %d of %d\n", to_invalid,
              to_valid, reasons, kFlips);
  EXPECT_EQ(to_invalid, kFlips);
  EXPECT_EQ(to_valid, kFlips);
  EXPECT_EQ(reasons, kFlips);
}

TEST(BlockCheats, EvidenceCopiedFromAnotherWorker) {
  World& w = world();
  int found = 0;
  constexpr int kThieves = kAllReal ? 4 : 1;
  for (int trial = 0; trial < kThieves; ++trial) {
    const auto mine =
        w.work->rebind(job::Binding::to_lease({}, trial % 2 == 0 ? seed_of("thief") : w.binding.worker_pub));
    const std::string reason = real_check(Lie::honest(), numbered("copied", trial), *mine);
    EXPECT_EQ(reason, "leaf_mismatch");
    found += reason == "leaf_mismatch" ? 1 : 0;
  }
  std::printf("evidence of another worker or lease: caught %d of %d\n", found, kThieves);
}

// Signatures and all rules are computed, Tensority hashes are not: each is taken for good enough.
TEST(BlockCheats, ProofOfWorkSkipped) {
  World& w = world();
  w.kernel->lies = true;
  const job::Outcome told = computed(*w.work, *w.kernel);
  w.kernel->lies = false;
  const Lie all{Bytes(told.answer.begin() + 4, told.answer.end()), told.evidence};
  int plants = 0, openings = 0;
  for (int trial = 0; trial < kLeases; ++trial) {
    const Caught c = caught(all, numbered("no work", trial));
    plants += c.by_plants ? 1 : 0;
    openings += c.by_openings ? 1 : 0;
  }
  std::printf("proof of work skipped: caught by planted items %d, by openings %d of %d\n", plants, openings, kLeases);
  EXPECT_EQ(plants, kLeases);
  EXPECT_GE(openings, kLeases - 1);
  // A careful one guesses right which blocks lack work: only its evidence is false.
  Lie careful{w.verdicts, told.evidence};
  if (kAllReal) {
    EXPECT_EQ(real_check(careful, "no work0"), "leaf_mismatch");
  }
}

// Tensority hashes are computed, signatures are not.
TEST(BlockCheats, SignaturesSkipped) {
  World& w = world();
  Lie lie = Lie::honest();
  for (std::size_t k = 0; k < kItems; ++k) {
    const auto block = blocks::bytom::decode(w.items[k].block);
    if (!block) continue;
    Hash32 hash{};
    if (w.items[k].context && w.items[k].context->seed) {
      hash = w.kernel->known.at({*w.items[k].context->seed, chain::header_hash(block->header)});
    }
    const Hash32 t = job::block_work(w.items[k].context ? 2 : 1, hash, {});
    const Hash32 shown = Sha256().update(w.binding.worker_pub).update(w.binding.context).update(t).finish();
    std::copy(shown.begin(), shown.end(), lie.evidence.begin() + static_cast<std::ptrdiff_t>(k * kEvidence));
    if (job::block_reason(w.verdicts[k]) == "program_false") lie.verdicts[k] = kValid;
  }
  int plants = 0, openings = 0;
  for (int trial = 0; trial < kLeases; ++trial) {
    const Caught c = caught(lie, numbered("no signatures", trial));
    plants += c.by_plants ? 1 : 0;
    openings += c.by_openings ? 1 : 0;
  }
  std::printf("signatures skipped: caught by planted items %d, by openings %d of %d\n", plants, openings, kLeases);
  EXPECT_EQ(plants, kLeases);
  EXPECT_EQ(openings, kLeases);
  lie.verdicts = w.verdicts;
  if (kAllReal) {
    EXPECT_EQ(real_check(lie, "no signatures0"), "leaf_mismatch");
  }
}

}  // namespace
}  // namespace sparkmill::proof
