// SPDX-License-Identifier: Apache-2.0
// verify.blocks of BTTC and BTN: every vector case as a job, evidence, pieces, malformed blobs, and the cheats.
#include <gtest/gtest.h>

#include <deque>
#include <nlohmann/json.hpp>
#include <set>

#include "base/file.h"
#include "base/hash.h"
#include "base/hex.h"
#include "tests/verify/batch_support.h"
#include "verify/blocks/evidence/pack.h"
#include "verify/job/verify_blocks_btn.h"
#include "verify/job/verify_blocks_bttc.h"
#include "verify/merkle/merkle.h"

namespace sparkmill::job {
namespace {

using evidence::System;
using nlohmann::json;
constexpr std::uint8_t kValidVerdict = 1;
constexpr const char* kSomeReason = "";  ///< the vector does not say which

/// What a vector case expects of its item, as a word of the answer.
std::string word_of(const json& c, const evidence::Options& options) {
  const json& e = c["expect"];
  const auto kind = c["kind"].get<std::string>();
  if (kind == "block") {
    const auto reason = e["reason"].get<std::string>();
    if (!reason.empty()) return reason;
    return e["state"].get<int>() == 3 ? "valid" : "unsealed";
  }
  const std::string column =
      std::string(options.canonical ? "canonical" : "contract") + (options.stake ? "_stake" : "_count");
  const json& v = kind == "checkpoint" ? e[column] : e;
  if (v["ok"].get<bool>()) return "valid";
  return v.contains("reason") ? v["reason"].get<std::string>() : kSomeReason;
}

/// Cases of a vector file as one job: checkpoints under all four policies and rules, in a row each.
struct Sample {
  explicit Sample(System system, std::size_t most = ~std::size_t{0})
      : chain(system == System::bttc ? Chain::bttc : Chain::btn) {
    const bool bttc = system == System::bttc;
    const auto text = read_text_file(
        std::string(SPARKMILL_SOURCE_DIR "/tests/vectors/") + (bttc ? "bttc_checkpoint.json" : "btn_seal.json"),
        16u << 20);
    const json all = json::parse(*text);
    BttcItems bttc_items;
    BtnItems btn_items;
    for (const bool canonical : {false, true}) {
      for (const bool stake : {false, true}) {
        if (!bttc && (canonical || stake)) continue;
        evidence::Options options;
        options.canonical = canonical;
        options.stake = stake;
        evidence::BlockPacker packer(system, options);
        for (const json& c : all["cases"]) {
          const std::string kind = c["kind"];
          if (kind != (bttc ? "checkpoint" : "block") && kind != (bttc ? "exit" : "equivocation")) continue;
          if (words.size() >= most || (kind == "exit" && (canonical || stake))) continue;
          const Done added = packer.add(c);
          EXPECT_TRUE(added.ok()) << c["id"] << ": " << (added.ok() ? "" : added.error().message);
          words.push_back(word_of(c, options));
        }
        if (packer.size() != 0) take(*packer.finish(), bttc_items, btn_items);
      }
    }
    blob = bttc ? encode_block_items(bttc_items) : encode_block_items(btn_items);
    const auto head = decode_block_head(blob);
    EXPECT_TRUE(head.ok());
    job = make_blocks_job(*head, blobs.add(blob), true, 0);
    auto opened = open(job, blobs, binding);
    EXPECT_TRUE(opened.ok()) << (opened.ok() ? "" : opened.error().message);
    work = std::move(*opened);
  }
  /// Blobs of several packers become one: states are renumbered.
  void take(Bytes packed, BttcItems& bttc_items, BtnItems& btn_items) {
    const Bytes& kept = owned.emplace_back(std::move(packed));
    if (chain == Chain::bttc) {
      auto more = decode_bttc_items(kept);
      ASSERT_TRUE(more.ok()) << more.error().message;
      const auto base = static_cast<std::uint32_t>(bttc_items.states.size());
      for (BttcState& s : more->states) bttc_items.states.push_back(std::move(s));
      for (BttcItem& item : more->items) {
        std::visit([&](auto& i) { i.state += base; }, item);
        bttc_items.items.push_back(std::move(item));
      }
    } else {
      auto more = decode_btn_items(kept);
      ASSERT_TRUE(more.ok()) << more.error().message;
      btn_items = std::move(*more);
    }
  }
  std::string verdict(const Work& by, const Outcome& claimed, std::uint32_t openings, std::string_view seed = "draw") {
    InlineExecutor executor = testing::batch_executor(by.family());
    const auto body = proof::make_file_proof(by, claimed);
    const auto v = proof::check_file_proof(by, *body, testing::seed_of(seed), openings, executor);
    return v.ok() ? v->reason : v.error().message;
  }

  Chain chain;
  std::deque<Bytes> owned;
  std::vector<std::string> words;
  Bytes blob;
  MemoryBlobs blobs;
  Job job;
  Binding binding{Bytes{1, 2, 3}, {}};
  std::unique_ptr<Work> work;
};

class VerifyBlocksOf : public ::testing::TestWithParam<System> {};
INSTANTIATE_TEST_SUITE_P(Chains, VerifyBlocksOf, ::testing::Values(System::bttc, System::btn),
                         [](const auto& p) { return std::string(evidence::name(p.param)); });

TEST_P(VerifyBlocksOf, VectorsAsAJob) {
  Sample s(GetParam());
  ASSERT_GE(s.words.size(), 36u);
  EXPECT_EQ(s.work->family(), s.chain == Chain::bttc ? kernels::Family::secp256k1 : kernels::Family::rsa);
  EXPECT_EQ(s.work->unit(), "signatures");
  // A unit is paid as one of verify.batch, that of a Bytom block as a Tensority hash.
  EXPECT_EQ(s.work->microcobble_per_gi_unit(), find_kind(Kind::verify_batch)->credit_microcobble_per_gi_unit);
  EXPECT_GT(credit_microcobble(*s.work), 0u);
  EXPECT_LT(credit_microcobble(*s.work), credit_microcobble(*find_kind(Kind::verify_blocks), s.work->units()) / 1000);
  const Outcome outcome = testing::batch_outcome(*s.work, 1u << 20);
  ASSERT_EQ(outcome.answer.size(), 4 + s.words.size());
  std::set<std::string> seen;
  for (std::size_t k = 0; k < s.words.size(); ++k) {
    const std::string word(block_reason(s.chain, outcome.answer[4 + k]));
    seen.insert(word);
    if (s.words[k] == kSomeReason) {
      EXPECT_NE(word, "valid") << "item " << k;
    } else {
      EXPECT_EQ(word, s.words[k]) << "item " << k;
    }
  }
  EXPECT_GE(seen.size(), s.chain == Chain::bttc ? 20u : 15u);
  EXPECT_TRUE(s.work->recheck(outcome).ok());
  // Other slices, another kernel, an item alone: the same evidence, so that none borrows another's.
  const Outcome cut = testing::batch_outcome(*s.work, 1);
  EXPECT_EQ(cut.answer, outcome.answer);
  EXPECT_EQ(cut.evidence, outcome.evidence);
  const auto row = kernels::find_row(s.work->family(), "reference");
  ASSERT_NE(row, nullptr);
  const auto oracle = row->make(kernels::cpu_device());
  ASSERT_TRUE(oracle.ok());
  const std::vector<Slice> some = s.work->slice(testing::kSanitized ? 8 : 64);
  std::vector<Bytes> rows;
  for (std::size_t k = 1; k < some.size(); ++k) {
    rows.push_back(*s.work->run(some[k], **testing::batch_kernel(s.work->family()), {}));
  }
  const auto slow = s.work->run(some.front(), **oracle, {});
  ASSERT_TRUE(slow.ok()) << slow.error().message;
  rows.push_back(*slow);
  const auto mixed = s.work->assemble(rows);
  ASSERT_TRUE(mixed.ok()) << mixed.error().message;
  EXPECT_EQ(mixed->evidence, outcome.evidence);
}

TEST_P(VerifyBlocksOf, CheatsAreCaught) {
  Sample s(GetParam());
  const Outcome outcome = testing::batch_outcome(*s.work, 1u << 20);
  const auto all = static_cast<std::uint32_t>(s.words.size());
  EXPECT_EQ(s.verdict(*s.work, outcome, all), "accepted");
  // All valid without a look; a good item called bad; another reason than the true one.
  Bytes lie = outcome.answer;
  std::fill(lie.begin() + 4, lie.end(), kValidVerdict);
  EXPECT_EQ(s.verdict(*s.work, *s.work->rebuild(outcome.evidence, lie), all), "leaf_mismatch");
  const auto at = [&](bool valid) {
    const auto found = std::find_if(outcome.answer.begin() + 4, outcome.answer.end(),
                                    [&](std::uint8_t v) { return (v == kValidVerdict) == valid; });
    return static_cast<std::size_t>(found - outcome.answer.begin());
  };
  ASSERT_LT(at(true), outcome.answer.size());
  ASSERT_LT(at(false), outcome.answer.size());
  lie = outcome.answer;
  lie[at(true)] = 3;
  EXPECT_EQ(s.verdict(*s.work, *s.work->rebuild(outcome.evidence, lie), 1), "false_pair");
  lie = outcome.answer;
  lie[at(false)] = lie[at(false)] == 3 ? 4 : 3;
  EXPECT_EQ(s.verdict(*s.work, *s.work->rebuild(outcome.evidence, lie), 1), "false_pair");
  EXPECT_FALSE(s.work->check_answer(lie).ok());
  // Evidence of another lease, of another worker, of a neighbour.
  for (const Binding& foreign : {Binding{Bytes{9}, {}}, Binding{Bytes{1, 2, 3}, {7}}}) {
    const auto other = s.work->rebind(foreign);
    const Outcome own = testing::batch_outcome(*other, 1u << 20);
    EXPECT_EQ(own.answer, outcome.answer);
    for (std::size_t k = 0; k < s.words.size(); ++k) {
      EXPECT_FALSE(std::equal(own.evidence.begin() + static_cast<std::ptrdiff_t>(32 * k),
                              own.evidence.begin() + static_cast<std::ptrdiff_t>(32 * k + 32),
                              outcome.evidence.begin() + static_cast<std::ptrdiff_t>(32 * k)))
          << k;
    }
    EXPECT_EQ(s.verdict(*other, outcome, all), "leaf_mismatch");
  }
  Bytes moved = outcome.evidence;
  std::rotate(moved.begin(), moved.begin() + 32, moved.end());
  EXPECT_EQ(s.verdict(*s.work, *s.work->rebuild(moved, outcome.answer), all), "leaf_mismatch");
}

// Blobs, jobs, answers, evidence and root byte for byte as an independent Python oracle computes them.
TEST(VerifyBlocksEvidence, AsTheOracleComputes) {
  const auto text = read_text_file(SPARKMILL_SOURCE_DIR "/tests/vectors/jobs/verify_blocks.json", 1u << 20);
  ASSERT_TRUE(text.ok());
  const json document = json::parse(*text);
  ASSERT_EQ(document["cases"].size(), 2u);
  for (const json& c : document["cases"]) {
    const auto name = c["vectors"].get<std::string>();
    SCOPED_TRACE(name);
    evidence::BlockPacker packer(name == "btn_seal" ? System::btn : System::bttc, {});
    const auto vectors = read_text_file(SPARKMILL_SOURCE_DIR "/tests/vectors/" + name + ".json", 16u << 20);
    const std::set<int> ids = c["ids"].get<std::set<int>>();
    const json cases = json::parse(*vectors)["cases"];
    for (const json& item : cases) {
      if (!ids.contains(item["id"].get<int>())) continue;
      ASSERT_TRUE(packer.add(item).ok());
    }
    const auto bytes = [&](const char* field) { return *from_hex(c[field].get<std::string>()); };
    MemoryBlobs blobs;
    blobs.add(*packer.finish());
    const auto job = decode(bytes("job"));
    ASSERT_TRUE(job.ok()) << job.error().message;
    const auto lease = *array_from_hex<16>(c["lease_id"].get<std::string>());
    const auto worker = *array_from_hex<32>(c["worker_pub"].get<std::string>());
    const auto work = open(*job, blobs, Binding::to_lease(lease, worker));
    ASSERT_TRUE(work.ok()) << work.error().message << ": the oracle has another blob";
    const Outcome outcome = testing::batch_outcome(**work, 50);
    EXPECT_EQ(outcome.answer, bytes("answer"));
    const Bytes evidence = bytes("evidence");
    ASSERT_EQ(outcome.evidence.size(), evidence.size());
    for (std::size_t k = 0; k < ids.size(); ++k) {
      EXPECT_EQ(to_hex(ByteView(outcome.evidence).subspan(32 * k, 32)), to_hex(ByteView(evidence).subspan(32 * k, 32)))
          << "item " << k;
    }
    EXPECT_EQ(to_hex(merkle::root(outcome.leaves)), c["root"].get<std::string>());
  }
}

/// Evidence of the first item by the formula of docs/formats.md, from the kernel alone; `skip`: a point is left out.
TEST(VerifyBlocksEvidence, IsThatOfEveryCheckpointSignature) {
  Sample s(System::bttc, 1);
  const auto decoded = decode_bttc_items(s.blob);
  ASSERT_TRUE(decoded.ok());
  const auto& c = std::get<BttcCheckpoint>(decoded->items.front());
  ASSERT_GT(c.signatures.size(), 1u);
  const Bytes vote = bttc::vote(c.data);
  Hash32 digest{};
  const std::uint64_t bounds[] = {0, vote.size()};
  const auto hash = testing::batch_kernel(kernels::Family::hash);
  ASSERT_TRUE(
      dynamic_cast<hashes::Kernel&>(**hash).hash(hashes::Algorithm::keccak256, {vote, bounds}, digest, {}).ok());
  const auto oracle = kernels::find_row(kernels::Family::secp256k1, "reference")->make(kernels::cpu_device());
  auto& curve = dynamic_cast<secp256k1::Kernel&>(**oracle);
  Bytes points;
  for (const bttc::SignatureWords& entry : c.signatures) {
    Bytes signature(entry.r.begin(), entry.r.end());
    signature.insert(signature.end(), entry.s.begin(), entry.s.end());
    signature.push_back(static_cast<std::uint8_t>(entry.v[31] - 27));
    const std::uint64_t offsets[] = {0, 32};
    Bytes valid(1), point(33), key(64);
    ASSERT_TRUE(curve
                    .recover_vartime(secp256k1::RecoverRule::in_range, {1, {}, signature, digest, offsets},
                                     {valid, point}, key, {})
                    .ok());
    EXPECT_EQ(valid[0], 1);
    points.insert(points.end(), point.begin(), point.end());
  }
  const auto evidence = [&](std::size_t bytes) {
    const std::uint8_t tag = 1;
    const Hash32 t = Sha256()
                         .update("sparkmill/block-work/v1")
                         .update(ByteView(&tag, 1))
                         .update(Hash32{})
                         .update(ByteView(points).first(bytes))
                         .finish();
    return Sha256().update(s.binding.worker_pub).update(s.binding.context).update(t).finish();
  };
  Outcome outcome = testing::batch_outcome(*s.work, 100);
  const Hash32 whole = evidence(points.size());
  EXPECT_EQ(outcome.evidence, Bytes(whole.begin(), whole.end()));
  // A signature was skipped.
  const Hash32 less = evidence(points.size() - 33);
  const auto skipped = s.work->rebuild(less, outcome.answer);
  ASSERT_TRUE(skipped.ok());
  EXPECT_EQ(s.verdict(*s.work, *skipped, 1), "leaf_mismatch");
  EXPECT_EQ(s.verdict(*s.work, outcome, 1), "accepted");
}

/// No computation reached it: zeros and no points. Its neighbour asks for every signature.
TEST(VerifyBlocksEvidence, IsZerosWhereNothingWasComputed) {
  Sample s(System::btn);
  auto decoded = decode_btn_items(s.blob);
  ASSERT_TRUE(decoded.ok());
  BtnItems items{decoded->states, {decoded->items[0], decoded->items[0]}};
  std::get<BtnBlock>(items.items[1]).parent_height += 1;
  const Bytes blob = encode_block_items(items);
  const Job job = make_blocks_job({Chain::btn, 2}, s.blobs.add(blob), true, 0);
  const auto work = open(job, s.blobs, s.binding);
  ASSERT_TRUE(work.ok());
  const Outcome outcome = testing::batch_outcome(**work, 1000);
  EXPECT_EQ(block_reason(Chain::btn, outcome.answer[4]), s.words[0]);
  EXPECT_EQ(block_reason(Chain::btn, outcome.answer[5]), "wrong_parent");
  const std::uint8_t tag = 1;
  const Hash32 t = Sha256().update("sparkmill/block-work/v1").update(ByteView(&tag, 1)).update(Hash32{}).finish();
  const Hash32 none = Sha256().update(s.binding.worker_pub).update(s.binding.context).update(t).finish();
  EXPECT_EQ(Bytes(outcome.evidence.begin() + 32, outcome.evidence.end()), Bytes(none.begin(), none.end()));
  EXPECT_NE(Bytes(outcome.evidence.begin(), outcome.evidence.begin() + 32), Bytes(none.begin(), none.end()));
  // It costs less than the one that has its signatures checked, and not nothing.
  const std::vector<Slice> slices = (*work)->slice(1);
  ASSERT_EQ(slices.size(), 2u);
  EXPECT_EQ(slices[1].units, 1u);
  EXPECT_GT(slices[0].units, 3u);
}

/// A row that has gone wrong: nothing is ever recovered.
class Blind final : public secp256k1::Kernel {
 public:
  explicit Blind(std::unique_ptr<kernels::Kernel> inner) : inner_(std::move(inner)) {}
  std::string row_id() const override { return inner_->row_id(); }
  Done verify_vartime(secp256k1::Check, const kernels::SignatureBatch&, const kernels::SignatureResults&,
                      const StopToken&) override {
    return fail(Status::internal, "not asked for");
  }
  Done recover_vartime(secp256k1::RecoverRule rule, const kernels::SignatureBatch& batch,
                       const kernels::SignatureResults& results, std::span<std::uint8_t> keys,
                       const StopToken& stop) override {
    SPARKMILL_TRY(dynamic_cast<secp256k1::Kernel&>(*inner_).recover_vartime(rule, batch, results, keys, stop));
    std::fill(results.valid.begin(), results.valid.end(), std::uint8_t{0});
    return done();
  }

 private:
  std::unique_ptr<kernels::Kernel> inner_;
};

TEST(VerifyBlocksEvidence, AnotherRowLooksAtEveryBadItem) {
  Sample s(System::bttc, 10);
  ASSERT_NE(std::find(s.words.begin(), s.words.end(), "valid"), s.words.end());
  auto best = testing::batch_kernel(kernels::Family::secp256k1);
  ASSERT_TRUE(best.ok());
  Blind blind(std::move(*best));
  std::vector<Bytes> results;
  for (const Slice& slice : s.work->slice(1000)) results.push_back(*s.work->run(slice, blind, {}));
  const auto outcome = s.work->assemble(results);
  ASSERT_TRUE(outcome.ok());
  EXPECT_EQ(s.work->recheck(*outcome).status(), Status::mismatch);
  EXPECT_TRUE(s.work->recheck(testing::batch_outcome(*s.work, 1000)).ok());
}

TEST_P(VerifyBlocksOf, PiecesCombine) {
  Sample s(GetParam());
  const Bytes expected = testing::batch_outcome(*s.work, 1u << 20).answer;
  const auto pieces = split(s.job, s.blobs, 40, [&](Bytes bytes) { return s.blobs.add(std::move(bytes)), done(); });
  ASSERT_TRUE(pieces.ok()) << pieces.error().message;
  ASSERT_GT(pieces->size(), 3u);
  std::vector<Bytes> answers;
  std::uint64_t units = 0;
  std::size_t bytes = 0;
  for (const Piece& piece : *pieces) {
    const auto work = open(piece.job, s.blobs, s.binding);
    ASSERT_TRUE(work.ok()) << work.error().message;
    units += (*work)->units();
    bytes += s.blobs.get(piece.job.blobs[0])->bytes.size();
    answers.push_back(testing::batch_outcome(**work, 1000).answer);
  }
  EXPECT_EQ(units, s.work->units()) << "no item costs more or less in a piece";
  EXPECT_LT(bytes, 4 * s.blob.size()) << "a piece has only the states of its items";
  std::vector<PieceAnswer> parts;
  for (std::size_t k = pieces->size(); k-- > 0;) parts.push_back({&(*pieces)[k], answers[k]});
  EXPECT_EQ(*combine(s.job, parts), expected);
  parts.pop_back();
  EXPECT_EQ(combine(s.job, parts).status(), Status::bad_input);
}

TEST_P(VerifyBlocksOf, BlobsHaveOneFormAndBadOnesAreNamed) {
  Sample s(GetParam());
  const auto again = [&](ByteView blob) -> Result<Bytes> {
    if (s.chain == Chain::bttc) {
      SPARKMILL_ASSIGN(const BttcItems items, decode_bttc_items(blob));
      return encode_block_items(items);
    }
    SPARKMILL_ASSIGN(const BtnItems items, decode_btn_items(blob));
    return encode_block_items(items);
  };
  EXPECT_EQ(*again(s.blob), s.blob);
  const std::size_t step = testing::kSanitized ? 9973 : 1009;
  for (std::size_t size = 0; size < s.blob.size(); size += step) {
    EXPECT_EQ(again(ByteView(s.blob).first(size)).status(), Status::bad_input) << size;
  }
  Bytes longer = s.blob;
  longer.push_back(0);
  EXPECT_EQ(again(longer).status(), Status::bad_input);
  Bytes foreign = s.blob;
  foreign[6] = 9;
  EXPECT_EQ(again(foreign).status(), Status::unsupported);
  foreign[6] = 1;
  EXPECT_EQ(again(foreign).status(), Status::unsupported);
  EXPECT_NE(decode_block_items(foreign).status(), Status::ok);
  // A byte changed anywhere in the front is another blob or a named error, never more states than there are bytes.
  for (std::size_t k = 8; k < 120; ++k) {
    Bytes bent = s.blob;
    bent[k] ^= 0xff;
    const auto read = again(bent);
    if (read.ok()) {
      EXPECT_EQ(*read, bent) << k;
    } else {
      EXPECT_NE(read.error().message.find("verify.blocks: "), std::string::npos) << read.error().message;
    }
  }
  Job wrong = s.job;
  wrong.params[4] = 1;  // chain
  seal(wrong);
  EXPECT_EQ(open(wrong, s.blobs, s.binding).status(), Status::bad_input);
  Bytes answer = ByteWriter().u32(static_cast<std::uint32_t>(s.words.size())).bytes(Bytes(s.words.size(), 200)).data();
  EXPECT_EQ(s.work->check_answer(answer).status(), Status::bad_input);
}

TEST(VerifyBlocksLimits, AreErrorsThatNameItemAndField) {
  BttcItems items;
  items.states.push_back(BttcValidators{});
  items.states.push_back(bttc::ExitState{});
  items.items.push_back(BttcCheckpoint{});
  items.items.push_back(BttcExit{1, {}});
  const auto message = [](const BttcItems& i) {
    const auto read = decode_bttc_items(encode_block_items(i));
    return read.ok() ? std::string("ok") : read.error().message;
  };
  EXPECT_EQ(message(items), "ok");
  auto bad = items;
  std::get<BttcCheckpoint>(bad.items[0]).signatures.resize(513);
  EXPECT_EQ(message(bad), "verify.blocks: item 0: signatures: 513, at most 512");
  bad = items;
  const Bytes large((1u << 20) + 1);
  std::get<BttcExit>(bad.items[1]).payload = large;
  EXPECT_EQ(message(bad), "verify.blocks: item 1: payload: 1048577 bytes, at most 1048576");
  bad = items;
  std::get<BttcExit>(bad.items[1]).state = 0;
  EXPECT_EQ(message(bad), "verify.blocks: item 1: state: no such one of this sort, 0");
  bad = items;
  std::get<BttcValidators>(bad.states[0]).validators.resize(4097);
  EXPECT_EQ(message(bad), "verify.blocks: state 0: validators: 4097, at most 4096");
  bad = items;
  std::get<BttcValidators>(bad.states[0]).total_stake = bttc::kMaxAmount + 1;
  EXPECT_EQ(message(bad), "verify.blocks: state 0: total stake: over 2^110");

  BtnItems btn;
  btn.states.emplace_back();
  btn.items.push_back(BtnBlock{});
  btn.items.push_back(btn::Equivocation{});
  const auto btn_message = [](const BtnItems& i) {
    const auto read = decode_btn_items(encode_block_items(i));
    return read.ok() ? std::string("ok") : read.error().message;
  };
  EXPECT_EQ(btn_message(btn), "ok");
  auto wrong = btn;
  std::get<BtnBlock>(wrong.items[0]).block.draws.resize(1025);
  EXPECT_EQ(btn_message(wrong), "verify.blocks: item 0: draws: 1025, at most 1024");
  wrong = btn;
  const Bytes key(4097);
  std::get<btn::Equivocation>(wrong.items[1]).signature_b = key;
  EXPECT_EQ(btn_message(wrong), "verify.blocks: item 1: signature b: 4097 bytes, at most 4096");
  wrong = btn;
  wrong.states[0].primary.resize(1);  // a modulus of zeros
  EXPECT_EQ(btn_message(wrong), "ok") << "keys are judged when the job is opened";
  MemoryBlobs blobs;
  const Job job = make_blocks_job({Chain::btn, 2}, blobs.add(encode_block_items(wrong)), true, 0);
  const auto work = open(job, blobs, {});
  ASSERT_EQ(work.status(), Status::bad_input);
  EXPECT_NE(work.error().message.find("state 0: primary key 0"), std::string::npos) << work.error().message;
}

}  // namespace
}  // namespace sparkmill::job
