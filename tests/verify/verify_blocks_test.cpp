// SPDX-License-Identifier: Apache-2.0
// verify.blocks on the vectors' real and bent Bytom blocks: verdicts with reasons, evidence, pieces, and the cheats.
#include "verify/job/verify_blocks.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/hash.h"
#include "base/hex.h"
#include "tests/verify/batch_support.h"

namespace sparkmill::job {
namespace {

struct Blocks {
  Blocks() {
    const auto text = read_text_file(SPARKMILL_SOURCE_DIR "/tests/vectors/bytom_blocks.json", 4u << 20);
    const nlohmann::json all = nlohmann::json::parse(*text);
    std::size_t seen = 0;
    for (const auto& c : all["cases"]) {
      if (testing::kSanitized && ++seen % 3 != 0) continue;
      raw.push_back(*from_hex(c["hex"].get<std::string>()));
      BlockItem item;
      if (c.contains("context") && !c["context"].is_null()) {
        const auto& k = c["context"];
        const auto hash = [&](const char* name) -> std::optional<Hash32> {
          if (!k.contains(name)) return std::nullopt;
          return *array_from_hex<32>(k[name].get<std::string>());
        };
        blocks::bytom::Context context;
        context.parent_id = hash("parent_id");
        if (k.contains("parent_height")) context.parent_height = k["parent_height"].get<std::uint64_t>();
        if (k.contains("bits")) context.bits = std::stoull(k["bits"].get<std::string>());
        if (k.contains("median_time")) context.median_time = k["median_time"].get<std::uint64_t>();
        context.seed = hash("seed");
        item.context = context;
      }
      items.push_back(item);
      const auto& expect = c["expect"];
      const bool decodes = expect["decode"].get<std::string>() == "ok";
      reasons.push_back(!decodes ? "" : !expect.contains("reason") ? "valid" : expect["reason"].get<std::string>());
    }
    for (std::size_t k = 0; k < items.size(); ++k) items[k].block = raw[k];
    blobs.add(encode_block_items(items));
    job = make_blocks_job(items, true, 0);
    auto opened = open(job, blobs, binding);
    EXPECT_TRUE(opened.ok()) << (opened.ok() ? "" : opened.error().message);
    work = std::move(*opened);
  }
  std::vector<Bytes> raw;
  std::vector<BlockItem> items;
  std::vector<std::string> reasons;
  MemoryBlobs blobs;
  Job job;
  Binding binding{Bytes{1, 2, 3}, {}};
  std::unique_ptr<Work> work;
};

TEST(VerifyBlocks, VectorsAsAJob) {
  Blocks b;
  const Outcome outcome = testing::batch_outcome(*b.work, 1u << 20);
  ASSERT_EQ(outcome.answer.size(), 4 + b.items.size());
  std::size_t valid = 0;
  for (std::size_t k = 0; k < b.items.size(); ++k) {
    const std::uint8_t verdict = outcome.answer[4 + k];
    const std::string_view word = block_reason(verdict);
    valid += verdict == 1 ? 1 : 0;
    if (b.reasons[k].empty()) {
      EXPECT_TRUE(word == "decode" || word == "unsupported" || word == "limit") << k << ": " << word;
    } else {
      // Programs of other opcodes than the standard ones are left undecided ("Bytom blocks" 7).
      EXPECT_TRUE(word == b.reasons[k] || word == "undecided") << k << ": " << word << ", not " << b.reasons[k];
    }
  }
  EXPECT_GT(valid, 5u);
  EXPECT_LT(valid, b.items.size() - 5);
  EXPECT_TRUE(b.work->recheck(outcome).ok());
  // Other slices, another kernel batch: the same evidence.
  const Outcome cut = testing::batch_outcome(*b.work, 30);
  EXPECT_EQ(cut.answer, outcome.answer);
  EXPECT_EQ(cut.evidence, outcome.evidence);

  job::InlineExecutor executor = testing::batch_executor(kernels::Family::tensority);
  std::uint32_t openings = 96;
  const auto verdict = [&](const Work& work, const Outcome& claimed) {
    const auto body = proof::make_file_proof(work, claimed);
    const auto v = proof::check_file_proof(work, *body, testing::seed_of("draw"), openings, executor);
    return v.ok() ? v->reason : v.error().message;
  };
  EXPECT_EQ(verdict(*b.work, outcome), "accepted");
  openings = 20;
  // All valid without a look; a good block called bad; another reason than the true one; evidence of another lease.
  Bytes lie = outcome.answer;
  std::fill(lie.begin() + 4, lie.end(), std::uint8_t{1});
  EXPECT_EQ(verdict(*b.work, *b.work->rebuild(outcome.evidence, lie)), "leaf_mismatch");
  const auto good =
      static_cast<std::size_t>(std::find(outcome.answer.begin() + 4, outcome.answer.end(), 1) - outcome.answer.begin());
  lie = outcome.answer;
  lie[good] = 10;
  EXPECT_EQ(verdict(*b.work, *b.work->rebuild(outcome.evidence, lie)), "false_pair");
  const auto wrong = std::find_if(outcome.answer.begin() + 4, outcome.answer.end(), [](auto v) { return v >= 5; });
  ASSERT_NE(wrong, outcome.answer.end());
  lie = outcome.answer;
  lie[static_cast<std::size_t>(wrong - outcome.answer.begin())] = *wrong == 15 ? 14 : 15;
  EXPECT_EQ(verdict(*b.work, *b.work->rebuild(outcome.evidence, lie)), "false_pair");
  const auto other = b.work->rebind({Bytes{9}, {}});
  EXPECT_EQ(verdict(*other, outcome), "leaf_mismatch");
}

TEST(VerifyBlocks, PiecesCombine) {
  Blocks b;
  std::vector<BlockItem> few(b.items.begin() + 10, b.items.begin() + 18);
  b.blobs.add(encode_block_items(few));
  const Job small = make_blocks_job(few, true, 0);
  const auto work = open(small, b.blobs, b.binding);
  ASSERT_TRUE(work.ok());
  const Bytes expected = testing::batch_outcome(**work, 1u << 20).answer;
  const auto pieces = split(small, b.blobs, 4, [&](Bytes bytes) { return b.blobs.add(std::move(bytes)), done(); });
  ASSERT_TRUE(pieces.ok()) << pieces.error().message;
  ASSERT_GT(pieces->size(), 1u);
  std::vector<Bytes> answers;
  for (const Piece& piece : *pieces) {
    answers.push_back(testing::batch_outcome(**open(piece.job, b.blobs, b.binding), 1000).answer);
  }
  std::vector<PieceAnswer> parts;
  for (std::size_t k = pieces->size(); k-- > 0;) parts.push_back({&(*pieces)[k], answers[k]});
  EXPECT_EQ(*combine(small, parts), expected);
}

TEST(VerifyBlocks, BadInputIsNamed) {
  Blocks b;
  const Bytes blob = encode_block_items(b.items);
  EXPECT_TRUE(decode_block_items(blob).ok());
  for (std::size_t size = 0; size < blob.size(); size += 997) {
    EXPECT_EQ(decode_block_items(ByteView(blob).first(size)).status(), Status::bad_input) << size;
  }
  Bytes longer = blob;
  longer.push_back(0);
  EXPECT_EQ(decode_block_items(longer).status(), Status::bad_input);
  Bytes foreign = blob;
  foreign[6] = 2;
  EXPECT_EQ(decode_block_items(foreign).status(), Status::unsupported);
  Job wrong = b.job;
  wrong.params[8] ^= 1;
  seal(wrong);
  EXPECT_EQ(open(wrong, b.blobs, b.binding).status(), Status::bad_input);
  Bytes answer(4 + b.items.size(), 1);
  answer[0] = static_cast<std::uint8_t>(b.items.size());
  answer[1] = answer[2] = answer[3] = 0;
  answer.back() = 0;
  EXPECT_EQ(b.work->check_answer(answer).status(), Status::bad_input);
  answer.back() = 200;
  EXPECT_EQ(b.work->check_answer(answer).status(), Status::bad_input);
}

}  // namespace
}  // namespace sparkmill::job
