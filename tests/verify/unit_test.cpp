// SPDX-License-Identifier: Apache-2.0
// Units, results and receipts as files; jobs cut into pieces and answers put together; the audit of searches.
#include "verify/unit/unit.h"

#include <gtest/gtest.h>

#include "base/hash.h"
#include "kernels/backend/discover.h"
#include "kernels/registry.h"
#include "tests/verify/support.h"
#include "verify/job/tensority_search.h"
#include "verify/unit/receipt.h"
#include "verify/unit/result.h"

namespace sparkmill::unit {
namespace {

using testing::id_of;
using testing::Sample;
using testing::seed_of;

keys::SigningKey key_of(std::string_view name, std::string_view role) {
  return keys::KeyFile::from_seed(seed_of(name)).role(role);
}

Unit unit_of(const job::Job& whole, job::Piece piece, job::BlobSource& blobs) {
  Unit u;
  u.whole_id = whole.id;
  u.index = 3;
  u.count = 16;
  for (const Hash32& hash : piece.job.blobs) {
    const auto blob = blobs.get(hash);
    EXPECT_TRUE(blob.ok());
    u.inputs.push_back({hash, blob->bytes.size(), "in" + std::to_string(u.inputs.size()), {}});
  }
  u.piece = std::move(piece);
  return u;
}

std::unique_ptr<kernels::Kernel> tensority_kernel() {
  auto choice = kernels::choose(kernels::Family::tensority, kernels::cpu_device());
  EXPECT_TRUE(choice.ok());
  return std::move(*choice->row->make(kernels::cpu_device()));
}

TEST(Pieces, OfAMatchJobCombineToTheAnswerOfOneMachine) {
  testing::Shape shape;
  shape.fields = 2;
  shape.threshold = 30;
  Sample whole(shape);
  const Bytes expected = testing::outcome_of(*whole.work).answer;
  ASSERT_GT(job::decode_pairs(expected)->size(), 30u);
  for (const std::uint64_t target : {std::uint64_t{1}, whole.work->units() / 4, whole.work->units() * 2}) {
    std::size_t kept = 0;
    const auto pieces = job::split(whole.job, whole.blobs, target, [&](Bytes bytes) {
      ++kept;
      whole.blobs.add(std::move(bytes));
      return done();
    });
    ASSERT_TRUE(pieces.ok()) << pieces.error().message;
    EXPECT_EQ(pieces->size(), target == 1 ? 12u : target > whole.work->units() ? 1u : 6u);
    std::vector<Bytes> answers;
    std::uint64_t units = 0;
    for (const job::Piece& piece : *pieces) {
      const auto work = job::open(piece.job, whole.blobs, whole.binding);
      ASSERT_TRUE(work.ok()) << work.error().message;
      units += (*work)->units();
      answers.push_back(testing::outcome_of(**work).answer);
    }
    EXPECT_EQ(units, whole.work->units());
    std::vector<job::PieceAnswer> parts;
    for (std::size_t k = pieces->size(); k-- > 0;) parts.push_back({&(*pieces)[k], answers[k]});
    const auto combined = job::combine(whole.job, parts);
    ASSERT_TRUE(combined.ok()) << combined.error().message;
    EXPECT_EQ(*combined, expected);
    if (parts.size() == 1) continue;
    parts.back() = parts.front();
    EXPECT_EQ(job::combine(whole.job, parts).status(), Status::bad_input);
    parts.pop_back();
    EXPECT_EQ(job::combine(whole.job, parts).status(), Status::bad_input);
  }
}

TEST(Pieces, AreTheSameEachTime) {
  Sample whole({});
  const auto keep = [](Bytes) { return done(); };
  const auto a = job::split(whole.job, whole.blobs, 1, keep);
  const auto b = job::split(whole.job, whole.blobs, 1, keep);
  ASSERT_TRUE(a.ok() && b.ok());
  for (std::size_t k = 0; k < a->size(); ++k) EXPECT_EQ((*a)[k].job.id, (*b)[k].job.id);
}

struct Search {
  Search() {
    params.seed = seed_of("epoch");
    params.preimage.fill(7);
    std::fill(params.preimage.begin() + 128, params.preimage.end(), std::uint8_t{0});
    params.first_nonce = 1000;
    params.count = 120;
    params.share_target = job::share_target_for(params.count, 60, params.block_target);
    job = job::make_tensority_job(params, 0);
  }
  job::TensorityParams params;
  job::Job job;
  job::MemoryBlobs blobs;
};

TEST(Pieces, OfASearchCombineToTheAnswerOfOneMachine) {
  Search s;
  job::InlineExecutor executor(tensority_kernel());
  const auto answer_of_job = [&](const job::Job& job) {
    const auto work = job::open(job, s.blobs, {});
    std::vector<Bytes> results;
    EXPECT_TRUE(executor
                    .run(**work, (*work)->slice(1000),
                         [&](const job::Slice&, Bytes b) { return results.push_back(std::move(b)), done(); }, {})
                    .ok());
    return (*work)->assemble(results)->answer;
  };
  const Bytes expected = answer_of_job(s.job);
  const auto pieces = job::split(s.job, s.blobs, 50, {});
  ASSERT_TRUE(pieces.ok());
  ASSERT_EQ(pieces->size(), 3u);
  std::vector<Bytes> answers;
  std::vector<job::PieceAnswer> parts;
  for (const job::Piece& piece : *pieces) answers.push_back(answer_of_job(piece.job));
  for (std::size_t k = 0; k < 3; ++k) parts.push_back({&(*pieces)[2 - k], answers[2 - k]});
  EXPECT_EQ(*job::combine(s.job, parts), expected);
  std::swap(parts[0].answer, parts[1].answer);
  EXPECT_EQ(job::combine(s.job, parts).status(), Status::bad_input);

  // The audit: the honest answer passes; one that searched half, one that kept the best for itself, and one that left
  // out hits that are looked for do not.
  const auto work = job::open(s.job, s.blobs, {});
  const auto audit = [&](const job::NonceReport& report) {
    const auto finding = (*work)->audit(job::encode_nonce_report(report), seed_of("draw"), 1024, executor);
    return finding.ok() ? finding->reason : finding.error().message;
  };
  const auto honest = job::decode_nonce_report(expected);
  EXPECT_EQ(audit(*honest), "");
  job::NonceReport lazy = *honest;
  lazy.hits.resize(5);
  EXPECT_EQ(audit(lazy), "too_few_nonces");
  // Windows at random places cover most of so small a range: of ten missing hits at least one is in them.
  job::NonceReport skipping = *honest;
  skipping.hits.erase(skipping.hits.begin() + 20, skipping.hits.begin() + 30);
  EXPECT_EQ(audit(skipping), "missing_nonce");
  job::NonceReport forged = *honest;
  forged.best.result = {};
  EXPECT_EQ(audit(forged), "false_nonce");
}

TEST(Pieces, ExpectedHits) {
  Hash32 half{};
  half.fill(0xff);
  half[31] = 0x7f;
  EXPECT_EQ(job::share_target_for(2, 1, {})[31], 0x80);
  EXPECT_EQ(job::share_target_for(1, 64, {}), job::share_target_for(64, 64, {}));
  EXPECT_EQ(job::share_target_for(1u << 20, 1, half), half);  // never harder than the block
  const Hash32 target = job::share_target_for(1u << 16, 64, {});
  // Poisson(64): P(X < 23) = 1.2e-9, P(X < 22) = 3.9e-10 (by the recurrence of the distribution).
  EXPECT_EQ(job::least_hits(1u << 16, target), 22u);
  EXPECT_EQ(job::least_hits(100, target), 0u);
}

TEST(UnitFile, RoundTripAndEveryBitCounts) {
  Sample sample({});
  const auto project = key_of("project", "receipt");
  const Unit u = unit_of(sample.job, {sample.job, {256, 512}}, sample.blobs);
  const Bytes file = encode(u, project);
  const auto back = decode(file);
  ASSERT_TRUE(back.ok()) << back.error().message;
  EXPECT_EQ(back->piece.job.id, sample.job.id);
  EXPECT_EQ(back->piece.origin, (std::array<std::uint64_t, 2>{256, 512}));
  EXPECT_EQ(back->inputs[1].open_name, "in1");
  EXPECT_EQ(back->project_pub, project.public_key());
  EXPECT_EQ(encode(*back, project), file);
  for (std::size_t at = 0; at < file.size(); at += 7) {
    Bytes bent = file;
    bent[at] ^= 0x10;
    EXPECT_FALSE(decode(bent).ok()) << at;
  }
  for (std::size_t n = 0; n < file.size(); n += 5) EXPECT_FALSE(decode(ByteView(file).first(n)).ok()) << n;
  Unit escaping = u;
  escaping.inputs[0].open_name = "../key";
  EXPECT_EQ(decode(encode(escaping, project)).status(), Status::bad_input);
  Unit swapped = u;
  swapped.inputs[0].open_name.clear();
  swapped.inputs[0].content = {1, 2, 3};
  EXPECT_EQ(decode(encode(swapped, project)).status(), Status::corrupt);
}

TEST(Names, OfUnitsAndResults) {
  const std::string unit = unit_name(id_of("job"), 12);
  EXPECT_EQ(unit.substr(36), "_00012");
  for (const std::string tail : {"_0", "_17_r546732464_0", "_3_0"}) {
    const auto name = parse_result_name("/project/upload/2aa/" + unit + tail);
    ASSERT_TRUE(name.ok()) << tail;
    EXPECT_EQ(name->unit, unit);
    EXPECT_EQ(name->whole_id, id_of("job"));
    EXPECT_EQ(name->index, 12u);
    EXPECT_EQ(name->result, unit + tail.substr(0, tail.find('_', 1)));
  }
  EXPECT_TRUE(parse_unit_name(unit).ok());
  for (const std::string& bad : {std::string(), std::string("upper_wu1_0_r1_0"), unit, unit + "_", unit + "_x",
                                 unit + "_00", unit + "_1x", unit + "0_1", "SMK" + unit.substr(3) + "_1"}) {
    EXPECT_FALSE(parse_result_name(bad).ok()) << bad;
  }
}

/// A unit computed by two applications under two result names.
struct Computed {
  explicit Computed(const Sample& sample, const Unit& u, ByteView file, std::string_view app, std::string result_name)
      : key(key_of(app, "envelope")), name(std::move(result_name)) {
    work = sample.work->rebind(binding(name, key.public_key()));
    outcome = testing::outcome_of(*work);
    bytes = *encode_result(u, unit::id_of(file), *work, outcome, {name, 7, 8, statement}, key);
  }
  keys::SigningKey key;
  std::string name;
  std::unique_ptr<job::Work> work;
  job::Outcome outcome;
  Bytes statement;
  Bytes bytes;
};

TEST(ResultFile, EqualAnswersUnderDifferentProofs) {
  Sample sample({});
  const Unit u0 = unit_of(sample.job, {sample.job, {}}, sample.blobs);
  const Bytes file = encode(u0, key_of("project", "receipt"));
  const Unit u = *decode(file);
  const std::string unit = unit_name(sample.job.id, 3);
  Computed a(sample, u, file, "a", unit + "_0");
  Computed b(sample, u, file, "b", unit + "_1");
  EXPECT_NE(a.bytes, b.bytes);
  EXPECT_EQ(*answer_of(a.bytes), *answer_of(b.bytes));
  auto executor = testing::cpu_executor();
  const auto verdict = [&](const Computed& c, std::string_view name, const Bytes& bytes) {
    const auto result = decode_result(bytes);
    if (!result.ok()) return std::string(sparkmill::name(result.status()));
    const auto work = sample.work->rebind(binding(name, result->app_pub));
    const auto v = check_result(u, unit::id_of(file), name, *result, *work, seed_of("draw"), 32, executor);
    (void)c;
    return v.ok() ? v->reason : v.error().message;
  };
  EXPECT_EQ(verdict(a, a.name, a.bytes), "accepted");
  EXPECT_EQ(verdict(b, b.name, b.bytes), "accepted");
  EXPECT_EQ(verdict(b, b.name, a.bytes), "wrong_name");  // a's work handed in again under b's name
  Bytes bent = a.bytes;
  bent[bent.size() / 2] ^= 1;
  EXPECT_EQ(verdict(a, a.name, bent), "refused");
  // Lazy: right form, digests never computed.
  job::Outcome lazy = a.outcome;
  for (std::size_t t = 0; t < lazy.evidence.size(); t += 12) lazy.evidence[t] ^= 1;
  lazy = *a.work->rebuild(lazy.evidence, lazy.answer);
  EXPECT_EQ(verdict(a, a.name, *encode_result(u, unit::id_of(file), *a.work, lazy, {a.name, 7, 8, {}}, a.key)),
            "leaf_mismatch");
}

TEST(ResultFile, StatementNamesWhoIsPaid) {
  const auto app = key_of("app", "envelope");
  const auto worker = key_of("worker", "envelope");
  const Bytes statement = make_statement(worker, app.public_key(), 5);
  ASSERT_EQ(statement.size(), kStatementBytes);
  const auto back = decode_statement(statement, app.public_key());
  ASSERT_TRUE(back.ok());
  EXPECT_EQ(back->worker_pub, worker.public_key());
  EXPECT_EQ(decode_statement(statement, worker.public_key()).status(), Status::refused);
  UnitResult r;
  r.app_pub = app.public_key();
  EXPECT_EQ(r.beneficiary(), app.public_key());
  r.statement = *back;
  EXPECT_EQ(r.beneficiary(), worker.public_key());
}

TEST(ReceiptFile, RoundTripAndForgeries) {
  const auto project = key_of("project", "receipt");
  Receipt r;
  r.flags = kIdsConfirmed;
  r.worker_pub = key_of("worker", "envelope").public_key();
  r.credit_microcobble = 12'500'000;
  r.user_id = 1;
  r.project = "http://127.0.0.1:8099/demo/";
  r.unit = unit_name(id_of("job"), 0);
  r.result = r.unit + "_0";
  const Bytes bytes = encode(r, project);
  const auto back = decode_receipt(bytes);
  ASSERT_TRUE(back.ok()) << back.error().message;
  EXPECT_EQ(back->credit_microcobble, r.credit_microcobble);
  EXPECT_EQ(back->result, r.result);
  EXPECT_EQ(back->project_pub, project.public_key());
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    Bytes bent = bytes;
    bent[at] ^= 1;
    EXPECT_FALSE(decode_receipt(bent).ok()) << at;
  }
  r.project = "two words";
  EXPECT_EQ(decode_receipt(encode(r, project)).status(), Status::bad_input);

  const Bytes day = encode(DayRoot{{}, 20000, 3, seed_of("root"), seed_of("secret")}, project);
  const auto root = decode_day_root(day);
  ASSERT_TRUE(root.ok());
  EXPECT_EQ(root->receipts, 3u);
  EXPECT_FALSE(decode_day_root(ByteView(day).first(day.size() - 1)).ok());
}

}  // namespace
}  // namespace sparkmill::unit
