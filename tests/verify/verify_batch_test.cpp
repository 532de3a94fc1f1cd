// SPDX-License-Identifier: Apache-2.0
// verify.batch: every form that we can sign for, with planted items of every kind, cut, proved, checked, combined.
#include "verify/job/verify_batch.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>

#include "base/file.h"
#include "base/hex.h"
#include "tests/verify/batch_support.h"
#include "verify/merkle/merkle.h"

namespace sparkmill::job {
namespace {

using testing::BatchSample;
using testing::seed_of;

TEST(VerifyBatch, PlantedItemsOfEveryFormAreFound) {
  for (const signatures::Form* form : testing::signed_forms()) {
    SCOPED_TRACE(std::string(form->scheme_name) + " " + std::string(form->policy_name));
    BatchSample sample(*form, testing::slow(*form) ? 256 : 512);
    const Outcome outcome = testing::batch_outcome(*sample.work, 100);
    EXPECT_EQ(check_plants(sample.plants, outcome.answer).reason, "");
    EXPECT_TRUE(sample.work->check_answer(outcome.answer).ok());
    EXPECT_TRUE(sample.work->recheck(outcome).ok());
    // Everything that was not planted is good, so the answer is known completely.
    const Bytes verdicts = *decode_batch_answer(outcome.answer, sample.plants.items);
    std::size_t bad = 0, at = 0;
    std::set<signatures::Flaw> flaws;
    for (std::uint32_t k = 0; k < verdicts.size(); ++k) {
      const bool planted = at < sample.plants.list.size() && sample.plants.list[at].index == k;
      EXPECT_EQ(verdicts[k], planted ? sample.plants.list[at].valid : 1) << k;
      if (planted) flaws.insert(sample.plants.list[at++].flaw);
      bad += verdicts[k] == 0 ? 1 : 0;
    }
    EXPECT_EQ(bad, 64u);
    EXPECT_EQ(flaws.size(), sample.flaws);
  }
}

// Jobs, evidence, leaves and root byte for byte as an independent Python oracle computes them.
TEST(VerifyBatch, AsTheOracleComputes) {
  const auto text = read_text_file(SPARKMILL_SOURCE_DIR "/tests/vectors/jobs/verify_batch.json", 4u << 20);
  ASSERT_TRUE(text.ok());
  const nlohmann::json document = nlohmann::json::parse(*text);
  ASSERT_GE(document["cases"].size(), 9u);
  for (const auto& c : document["cases"]) {
    const auto bytes = [&](const char* field) { return *from_hex(c[field].get<std::string>()); };
    SCOPED_TRACE(c["policy"].get<std::string>());
    MemoryBlobs blobs;
    const Bytes stream = bytes("stream");
    blobs.add(stream);
    const auto job = decode(bytes("job"));
    ASSERT_TRUE(job.ok()) << job.error().message;
    const auto lease = *array_from_hex<16>(c["lease_id"].get<std::string>());
    const auto worker = *array_from_hex<32>(c["worker_pub"].get<std::string>());
    const auto work = open(*job, blobs, Binding::to_lease(lease, worker));
    ASSERT_TRUE(work.ok()) << work.error().message;
    EXPECT_EQ((*work)->needs_quorum(), !c["evidence_flag"].get<bool>());
    for (const char* row : {"reference", ""}) {
      const auto choice = kernels::choose(kernels::Family::ed25519, kernels::cpu_device(), row);
      InlineExecutor executor(std::move(*choice->row->make(kernels::cpu_device())));
      std::vector<Bytes> results;
      const auto keep = [&](const Slice&, Bytes b) { return results.push_back(std::move(b)), done(); };
      ASSERT_TRUE(executor.run(**work, (*work)->slice(5), keep, {}).ok());
      const auto outcome = (*work)->assemble(results);
      ASSERT_TRUE(outcome.ok());
      EXPECT_EQ(outcome->answer, bytes("answer"));
      EXPECT_EQ(outcome->evidence, bytes("evidence"));
      for (std::size_t k = 0; k < outcome->leaves.size(); ++k) {
        EXPECT_EQ(to_hex(outcome->leaves[k]), c["leaves"][k].get<std::string>()) << k;
      }
      EXPECT_EQ(to_hex(merkle::root(outcome->leaves)), c["root"].get<std::string>());
    }
    // The writers of this side give the same bytes.
    const auto params = decode_batch_params(job->params);
    EXPECT_EQ(encode_batch_params(*params), job->params);
    const auto list = signatures::decode_stream(stream, "stream", 1000);
    EXPECT_EQ(signatures::encode_stream(list->form(), list->view()), stream);
  }
}

TEST(VerifyBatch, SlicesDoNotMatter) {
  BatchSample sample(*testing::form("ed25519", "go"), 512);
  const Outcome whole = testing::batch_outcome(*sample.work, 1u << 20);
  const Outcome cut = testing::batch_outcome(*sample.work, 7);
  EXPECT_EQ(whole.answer, cut.answer);
  EXPECT_EQ(whole.evidence, cut.evidence);
  EXPECT_EQ(whole.leaves, cut.leaves);
  std::uint64_t sum = 0;
  for (const Slice& s : sample.work->slice(33)) sum += s.units;
  EXPECT_GE(sum, sample.work->units());
  EXPECT_EQ(sample.work->units(), 512u);
  EXPECT_EQ(sample.work->leaf_count(), 512u);
}

TEST(VerifyBatch, EvidenceIsTheWorkersOwn) {
  BatchSample sample(*testing::form("ed25519", "zip215"), 256);
  const Outcome mine = testing::batch_outcome(*sample.work, 1u << 20);
  const auto other = sample.work->rebind({Bytes{9}, {}});
  const Outcome theirs = testing::batch_outcome(*other, 1u << 20);
  EXPECT_EQ(mine.answer, theirs.answer);
  for (std::size_t k = 0; k < mine.leaves.size(); ++k) EXPECT_NE(mine.leaves[k], theirs.leaves[k]) << k;
}

TEST(VerifyBatch, WithoutEvidenceAQuorumIsNeeded) {
  BatchSample sample(*testing::form("ed25519", "go"), 256, false);
  EXPECT_TRUE(sample.work->needs_quorum());
  const Outcome outcome = testing::batch_outcome(*sample.work, 1u << 20);
  EXPECT_EQ(check_plants(sample.plants, outcome.answer).reason, "");
  // All evidence is the same: it shows nothing.
  EXPECT_TRUE(std::equal(outcome.evidence.begin(), outcome.evidence.begin() + 32, outcome.evidence.begin() + 32));
  EXPECT_FALSE(BatchSample(*testing::form("ed25519", "go"), 256).work->needs_quorum());
}

TEST(VerifyBatch, PiecesCombine) {
  BatchSample sample(*testing::form("ed25519", "bytom_legacy"), 300);
  const Bytes expected = testing::batch_outcome(*sample.work, 1u << 20).answer;
  const auto pieces =
      split(sample.job, sample.blobs, 77, [&](Bytes b) { return sample.blobs.add(std::move(b)), done(); });
  ASSERT_TRUE(pieces.ok()) << pieces.error().message;
  ASSERT_EQ(pieces->size(), 4u);
  std::vector<Bytes> answers;
  for (const Piece& piece : *pieces) {
    const auto work = open(piece.job, sample.blobs, sample.binding);
    ASSERT_TRUE(work.ok()) << work.error().message;
    answers.push_back(testing::batch_outcome(**work, 1u << 20).answer);
  }
  std::vector<PieceAnswer> parts;
  for (std::size_t k = pieces->size(); k-- > 0;) parts.push_back({&(*pieces)[k], answers[k]});
  EXPECT_EQ(*combine(sample.job, parts), expected);
  parts.pop_back();
  EXPECT_EQ(combine(sample.job, parts).status(), Status::bad_input);
}

TEST(VerifyBatch, BadInputIsNamed) {
  BatchSample sample(*testing::form("ed25519", "go"), 256);
  const auto refused = [&](std::size_t at, std::uint8_t value) {
    Job wrong = sample.job;
    wrong.params[at] = value;
    seal(wrong);
    const auto opened = open(wrong, sample.blobs, sample.binding);
    return opened ? Status::ok : opened.status();
  };
  EXPECT_EQ(refused(0, 2), Status::bad_input);     // version
  EXPECT_EQ(refused(2, 3), Status::bad_input);     // flags
  EXPECT_EQ(refused(4, 99), Status::unsupported);  // scheme
  EXPECT_EQ(refused(6, 2), Status::bad_input);     // the blob is of another policy
  EXPECT_EQ(refused(8, 7), Status::bad_input);     // count
  Job none = sample.job;
  none.blobs.clear();
  seal(none);
  EXPECT_EQ(open(none, sample.blobs, sample.binding).status(), Status::bad_input);
  Job cut = sample.job;
  const Bytes whole(sample.stream.begin(), sample.stream.end() - 1);
  cut.blobs = {sample.blobs.add(whole)};
  seal(cut);
  EXPECT_EQ(open(cut, sample.blobs, sample.binding).status(), Status::bad_input);
  for (const Bytes& answer : {Bytes(), Bytes(3), Bytes(35), Bytes(37)}) {
    EXPECT_EQ(sample.work->check_answer(answer).status(), Status::bad_input);
  }
  Bytes odd(4 + 33, 0xff);
  odd[0] = odd[2] = odd[3] = 0;
  odd[1] = 1;
  EXPECT_EQ(sample.work->check_answer(odd).status(), Status::bad_input);
  EXPECT_FALSE(sample.work->assemble(std::vector<Bytes>{Bytes(40)}).ok());
}

TEST(VerifyBatch, LongMessagesCountMore) {
  const signatures::Form& go = *testing::form("ed25519", "go");
  EXPECT_EQ(item_weight(go, Bytes(32), {}), 64u);
  EXPECT_EQ(item_weight(go, Bytes(47), {}), 64u);
  EXPECT_GT(item_weight(go, Bytes(48), {}), 64u);
  EXPECT_GT(item_weight(go, Bytes(1u << 20), {}), 10'000u);
}

// A committee's key is paid for once where its votes come together.
TEST(VerifyBatch, ListsOfSignersCountOnce) {
  const signatures::Form& musig2 = *testing::form("musig2", "bip327");
  Bytes first(2 + 3 * 33 + 32, 2), second;
  first[0] = 3;
  first[1] = 0;
  second = first;
  second.back() ^= 1;  // another message of the same committee
  const std::uint64_t alone = item_weight(musig2, first, {}), again = item_weight(musig2, second, first);
  EXPECT_EQ(alone - again, 3 * 72u);
  second[40] ^= 1;
  EXPECT_EQ(item_weight(musig2, second, first), alone);
}

TEST(Plants, LayoutRoundTripsAndRefusesNonsense) {
  BatchSample sample(*testing::form("ed25519", "dalek_strict"), 256);
  const Bytes bytes = encode(sample.plants);
  const auto again = decode_plants(bytes);
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->list, sample.plants.list);
  EXPECT_FALSE(decode_plants({}).ok());
  EXPECT_FALSE(decode_plants(ByteView(bytes).first(bytes.size() - 1)).ok());
  Bytes swapped = bytes;
  std::swap_ranges(swapped.begin() + 12, swapped.begin() + 18, swapped.begin() + 18);
  EXPECT_FALSE(decode_plants(swapped).ok());
  // Another seed plants elsewhere, the same one the same.
  auto signers = signatures::make_signers(sample.form, {seed_of("keys"), {}});
  auto twin = signatures::make_signers(sample.form, {seed_of("keys"), {}});
  const auto a = plant_batch(**signers, {}, 256, seed_of("a"));
  const auto b = plant_batch(**twin, {}, 256, seed_of("a"));
  ASSERT_TRUE(a.ok() && b.ok());
  EXPECT_EQ(a->plants.list, b->plants.list);
  EXPECT_NE(a->plants.list, sample.plants.list);
  EXPECT_FALSE(plant_batch(**signers, {}, 8, seed_of("a")).ok());
}

TEST(Plants, EnoughOfThem) {
  EXPECT_EQ(bad_items_for(4096), 64u);
  EXPECT_EQ(bad_items_for(4097), 128u);
  EXPECT_EQ(bad_items_for(1u << 20), 1u << 14);
  EXPECT_EQ(bad_items_for(100), 25u);
}

}  // namespace
}  // namespace sparkmill::job
