// SPDX-License-Identifier: Apache-2.0
// Old blocks checked again: the vectors' real headers and bent ones, cut into pieces, and the cheats.
#include "verify/job/tensority_check.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/hash.h"
#include "base/hex.h"
#include "kernels/backend/discover.h"
#include "kernels/registry.h"
#include "verify/proof/proof.h"

namespace sparkmill::job {
namespace {

struct Blocks {
  Blocks() {
    const auto text = read_text_file(SPARKMILL_SOURCE_DIR "/tests/vectors/tensority.json", 4u << 20);
    const nlohmann::json all = nlohmann::json::parse(*text);
    for (const auto& v : all["block_headers"]) {
      if (!v.contains("pow_valid") || !v.contains("seed")) continue;
      const auto hash = [&](const char* name) { return *array_from_hex<32>(v[name].get<std::string>()); };
      entries.push_back({v["height"].get<std::uint64_t>(), std::stoull(v["bits"].get<std::string>()),
                         hash("header_hash"), hash("seed")});
      verdicts.push_back(v["pow_valid"].get<bool>() ? 1 : 0);
    }
    blobs.add(encode_block_entries(entries));
    job = make_check_job(entries, 0);
    work = std::move(*open(job, blobs, binding));
  }
  std::vector<BlockEntry> entries;
  Bytes verdicts;
  MemoryBlobs blobs;
  Job job;
  Binding binding{Bytes{1, 2, 3}, {}};
  std::unique_ptr<Work> work;
};

std::unique_ptr<kernels::Kernel> cpu_kernel() {
  auto choice = kernels::choose(kernels::Family::tensority, kernels::cpu_device());
  EXPECT_TRUE(choice.ok());
  return std::move(*choice->row->make(kernels::cpu_device()));
}

Outcome outcome_of(const Work& work, std::uint64_t target, Executor& executor) {
  std::vector<Bytes> results;
  const auto keep = [&](const Slice&, Bytes b) { return results.push_back(std::move(b)), done(); };
  const Done ran = executor.run(work, work.slice(target), keep, {});
  EXPECT_TRUE(ran.ok()) << (ran.ok() ? "" : ran.error().message);
  std::reverse(results.begin(), results.end());
  auto outcome = work.assemble(results);
  EXPECT_TRUE(outcome.ok()) << (outcome.ok() ? "" : outcome.error().message);
  return outcome.ok() ? std::move(*outcome) : Outcome{};
}

TEST(TensorityCheck, RealAndBentBlocks) {
  Blocks b;
  ASSERT_EQ(b.entries.size(), 36u);
  InlineExecutor executor(cpu_kernel());
  const Outcome outcome = outcome_of(*b.work, 7, executor);
  Bytes expected = ByteWriter().u32(36).bytes(b.verdicts).data();
  EXPECT_EQ(outcome.answer, expected);
  EXPECT_TRUE(b.work->check_answer(outcome.answer).ok());
  EXPECT_TRUE(b.work->recheck(outcome).ok());
  const Outcome other_slices = outcome_of(*b.work, 1000, executor);
  EXPECT_EQ(other_slices.evidence, outcome.evidence);
  EXPECT_EQ(other_slices.leaves, outcome.leaves);

  const auto proved = proof::make_file_proof(*b.work, outcome);
  const auto verdict = [&](const Outcome& claimed) {
    const auto body = proof::make_file_proof(*b.work, claimed);
    const auto v = proof::check_file_proof(*b.work, *body, sha256(view("draw")), 36, executor);
    return v.ok() ? v->reason : v.error().message;
  };
  EXPECT_EQ(verdict(outcome), "accepted");
  // All valid without a look; a good block called bad; evidence of another lease.
  Bytes all_good = outcome.answer;
  std::fill(all_good.begin() + 4, all_good.end(), std::uint8_t{1});
  EXPECT_EQ(verdict(*b.work->rebuild(outcome.evidence, all_good)), "leaf_mismatch");
  Bytes slander = outcome.answer;
  slander[4] = 0;
  EXPECT_EQ(verdict(*b.work->rebuild(outcome.evidence, slander)), "false_pair");
  const auto other = b.work->rebind({Bytes{9}, {}});
  EXPECT_EQ(verdict(*b.work->rebuild(outcome_of(*other, 1000, executor).evidence, outcome.answer)), "leaf_mismatch");
}

TEST(TensorityCheck, PiecesCombine) {
  Blocks b;
  InlineExecutor executor(cpu_kernel());
  const Bytes expected = ByteWriter().u32(36).bytes(b.verdicts).data();
  const auto pieces = split(b.job, b.blobs, 12, [&](Bytes bytes) { return b.blobs.add(std::move(bytes)), done(); });
  ASSERT_TRUE(pieces.ok()) << pieces.error().message;
  ASSERT_GT(pieces->size(), 3u);
  std::vector<Bytes> answers;
  for (const Piece& piece : *pieces) {
    const auto work = open(piece.job, b.blobs, b.binding);
    ASSERT_TRUE(work.ok()) << work.error().message;
    answers.push_back(outcome_of(**work, 1000, executor).answer);
  }
  std::vector<PieceAnswer> parts;
  for (std::size_t k = pieces->size(); k-- > 0;) parts.push_back({&(*pieces)[k], answers[k]});
  EXPECT_EQ(*combine(b.job, parts), expected);
  parts.pop_back();
  EXPECT_EQ(combine(b.job, parts).status(), Status::bad_input);
}

TEST(TensorityCheck, UnitsAndBadInput) {
  Blocks b;
  std::uint64_t sum = 0;
  for (const Slice& s : b.work->slice(5)) sum += s.units;
  EXPECT_EQ(sum, b.work->units());
  EXPECT_GT(b.work->units(), 36u);  // seeds count
  EXPECT_FALSE(decode_block_entries(Bytes(79)).ok());
  EXPECT_FALSE(decode_block_entries({}).ok());
  Job wrong = b.job;
  wrong.params[4] ^= 1;
  seal(wrong);
  EXPECT_EQ(open(wrong, b.blobs, b.binding).status(), Status::bad_input);
  EXPECT_EQ(b.work->check_answer(Bytes(3)).status(), Status::bad_input);
  Bytes odd = ByteWriter().u32(36).bytes(Bytes(36, 2)).data();
  EXPECT_EQ(b.work->check_answer(odd).status(), Status::bad_input);
  EXPECT_FALSE(b.work->assemble(std::vector<Bytes>{Bytes(40)}).ok());
}

}  // namespace
}  // namespace sparkmill::job
