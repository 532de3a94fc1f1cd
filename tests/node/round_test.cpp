// SPDX-License-Identifier: Apache-2.0
// A real node in this process and scripted workers over HTTP: the honest round, the liars, signatures, restarts.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "base/hash.h"
#include "base/hex.h"
#include "node/node.h"
#include "scripted_worker.h"
#include "temp_folder.h"
#include "verify/merkle/merkle.h"

namespace sparkmill::node {
namespace {

using sparkmill::testing::Assignment;
using sparkmill::testing::commit_of;
using sparkmill::testing::ScriptedWorker;
using sparkmill::testing::Tamper;

constexpr std::uint8_t kAlice = 1;
constexpr std::uint8_t kBob = 2;

Settings small_settings(const std::filesystem::path& folder) {
  Settings s;
  s.data = folder;
  s.proof_of_work = false;
  s.interval_ms = 100;
  s.min_open_ms = 20'000;
  s.lease_ms = 60'000;
  s.job_requests = 512;
  s.job_users = 512;
  s.job_n = 512;
  s.job_predicate = "face.dot>=187";
  s.queue_ahead = 1;
  s.beacon_length = 100'000;
  s.reissue_grace_ms = 1;
  s.seed_text = "tests";
  return s;
}

class RoundTest : public ::testing::Test {
 protected:
  RoundTest() : settings_(small_settings(folder_.path())) {}
  void start() {
    auto node = Node::start(settings_, clock_ ? *clock_ : system_clock());
    ASSERT_TRUE(node) << node.error().message;
    node_ = std::move(*node);
  }
  void restart() {
    node_.reset();
    settings_.port = 0;
    start();
  }
  ScriptedWorker enlisted(std::uint8_t seed) {
    ScriptedWorker w(node_->url(), seed);
    EXPECT_EQ(w.enlist().status, 200);
    return w;
  }
  static Error error_of(const http::Response& r) { return protocol::error_from_json(text(r.body), r.status); }

  sparkmill::testing::TempFolder folder_;
  Settings settings_;
  const Clock* clock_ = nullptr;
  std::unique_ptr<Node> node_;
};

TEST_F(RoundTest, HonestWorkIsAcceptedCreditedAndInABlock) {
  start();
  ScriptedWorker w = enlisted(kAlice);
  const auto a = w.take();
  const job::Outcome outcome = w.compute(*a->work);
  const protocol::Receipt r = w.finish(*a, commit_of(outcome), outcome);
  EXPECT_TRUE(r.accepted) << r.reason << ": " << r.detail;
  EXPECT_EQ(r.reason, "accepted");
  EXPECT_EQ(r.units, a->work->units());
  EXPECT_EQ(r.credit_microcobble, a->job.credit_microcobble);
  EXPECT_EQ(r.answer_hash, sha256(outcome.answer));
  EXPECT_TRUE(r.operator_trusted);
  EXPECT_TRUE(keys::verify(w.info().node_pub, "sparkmill/receipt/v1", protocol::signed_bytes(r), r.signature));
  const protocol::Block b = w.wait_block(r.height);
  EXPECT_EQ(b.receipts, 1u);
  EXPECT_EQ(b.receipts_root,
            merkle::root(std::vector<Hash32>{sha256(ByteWriter().u8(0).bytes(protocol::signed_bytes(r)).data())}));
  const auto account = protocol::account_from_json(text(w.get("/v1/accounts/" + to_hex(w.pub())).body));
  ASSERT_TRUE(account);
  EXPECT_EQ(account->accepted, 1u);
  EXPECT_EQ(account->credit_microcobble, r.credit_microcobble);
  EXPECT_GT(account->balance, 0u);
}

TEST_F(RoundTest, EveryLieIsFound) {
  start();
  ScriptedWorker w = enlisted(kAlice);
  const auto refused = [&](const char* what, const proof::Commit& c, const Assignment& a, const job::Outcome& o) {
    const protocol::Receipt r = w.finish(a, c, o);
    EXPECT_FALSE(r.accepted) << what;
    EXPECT_EQ(r.credit_microcobble, 0u) << what;
    return r.reason;
  };
  {  // all pairs dropped: the ringers are missing
    const auto a = w.take();
    const job::Outcome o = w.compute(*a->work);
    proof::Commit c = commit_of(o);
    c.answer = job::encode_pairs({});
    EXPECT_EQ(refused("dropped", c, *a, o), "ringer_missing");
  }
  {  // one invented pair
    const auto a = w.take();
    const job::Outcome o = w.compute(*a->work);
    auto pairs = job::decode_pairs(o.answer);
    ASSERT_TRUE(pairs);
    match::Pair invented{0, 0};
    while (std::find(pairs->begin(), pairs->end(), invented) != pairs->end()) ++invented.j;
    pairs->insert(pairs->begin(), invented);
    proof::Commit c = commit_of(o);
    c.answer = job::encode_pairs(*pairs);
    EXPECT_THAT(refused("invented", c, *a, o), ::testing::AnyOf("false_pair", "ringer_invented", "malformed"));
  }
  {  // another worker's digests
    const auto a = w.take();
    const ScriptedWorker bob(node_->url(), kBob);
    const auto his = a->work->rebind(job::Binding::to_lease(a->lease.lease_id, bob.pub()));
    const job::Outcome o = w.compute(*his);
    EXPECT_EQ(refused("other's digests", commit_of(o), *a, o), "leaf_mismatch");
  }
  {  // a tile skipped: a made-up digest (few tiles, so all are opened)
    const auto a = w.take();
    job::Outcome o = w.compute(*a->work);
    o.evidence[0] ^= 0x5a;  // the first tile's digest
    const auto fake = a->work->rebuild(o.evidence, o.answer);
    ASSERT_TRUE(fake) << fake.error().message;
    EXPECT_EQ(refused("skipped", commit_of(*fake), *a, *fake), "leaf_mismatch");
  }
  {  // a root that is not the leaves'
    const auto a = w.take();
    const job::Outcome o = w.compute(*a->work);
    proof::Commit c = commit_of(o);
    c.root[0] ^= 1;
    EXPECT_EQ(refused("root", c, *a, o), "root_mismatch");
  }
  {  // a wrong number of leaves
    const auto a = w.take();
    const job::Outcome o = w.compute(*a->work);
    proof::Commit c = commit_of(o);
    c.leaf_count += 1;
    const auto committed = w.commit(*a, c);
    ASSERT_EQ(committed.status, 200);
    const auto answer = protocol::commit_answer_from_json(text(committed.body));
    c.leaf_count -= 1;
    const auto opened = w.open(*a, *answer, c, o);
    ASSERT_EQ(opened.status, 200);
    EXPECT_FALSE(protocol::receipt_from_json(text(opened.body))->accepted);
  }
  const auto account = protocol::account_from_json(text(w.get("/v1/accounts/" + to_hex(w.pub())).body));
  ASSERT_TRUE(account);
  EXPECT_EQ(account->accepted, 0u);
  EXPECT_EQ(account->refused, 6u);
  EXPECT_EQ(account->balance, 0u);
}

TEST_F(RoundTest, SignaturesAreWorkToo) {
  settings_.job_signatures = 512;
  settings_.shares = "match.h=0";
  start();
  ScriptedWorker w = enlisted(kAlice);
  w.kinds = {"verify.batch"};
  EXPECT_EQ(w.refresh().kinds, std::vector<std::string>{"verify.batch"});
  {
    const auto a = w.take();
    ASSERT_EQ(a->job.kind, job::Kind::verify_batch);
    const job::Outcome o = w.compute(*a->work);
    const protocol::Receipt r = w.finish(*a, commit_of(o), o);
    EXPECT_TRUE(r.accepted) << r.reason << ": " << r.detail;
    EXPECT_THAT(r.detail, ::testing::HasSubstr("paid computation"));
    EXPECT_EQ(r.units, a->work->units());
    EXPECT_GT(r.credit_microcobble, 0u);
  }
  const auto refused = [&](const Assignment& a, const job::Outcome& lie) {
    const protocol::Receipt r = w.finish(a, commit_of(lie), lie);
    EXPECT_FALSE(r.accepted);
    EXPECT_EQ(r.credit_microcobble, 0u);
    return r.reason;
  };
  {  // everything is valid, nothing was computed
    const auto a = w.take();
    const job::Outcome o = w.compute(*a->work);
    Bytes answer = o.answer;
    std::fill(answer.begin() + 4, answer.end(), std::uint8_t{0xff});
    EXPECT_EQ(refused(*a, *a->work->rebuild(Bytes(o.evidence.size()), answer)), "plant_missed");
  }
  {  // verdicts as they are, evidence of another worker
    const auto a = w.take();
    const auto his = a->work->rebind(job::Binding::to_lease(a->lease.lease_id, {}));
    EXPECT_EQ(refused(*a, w.compute(*his)), "leaf_mismatch");
  }
  {  // a good item called bad: known as good by the plants, or recomputed
    const auto a = w.take();
    const job::Outcome o = w.compute(*a->work);
    Bytes answer = o.answer;
    std::size_t at = 4;
    while (answer[at] == 0) ++at;
    answer[at] &= static_cast<std::uint8_t>(answer[at] - 1);
    EXPECT_THAT(refused(*a, *a->work->rebuild(o.evidence, answer)), ::testing::AnyOf("false_pair", "plant_refused"));
  }
}

TEST_F(RoundTest, BlocksAreWorkToo) {
  settings_.job_blocks = 256;
  settings_.shares = "match.h=0";
  start();
  ScriptedWorker w = enlisted(kAlice);
  w.kinds = {"verify.blocks"};
  EXPECT_EQ(w.refresh().kinds, std::vector<std::string>{"verify.blocks"});
  const auto a = w.take();
  ASSERT_EQ(a->job.kind, job::Kind::verify_blocks);
  const job::Outcome o = w.compute(*a->work);
  const protocol::Receipt r = w.finish(*a, commit_of(o), o);
  EXPECT_TRUE(r.accepted) << r.reason << ": " << r.detail;
  EXPECT_THAT(r.detail, ::testing::HasSubstr("paid computation"));
  EXPECT_EQ(r.units, a->work->units());
  EXPECT_EQ(r.credit_microcobble, a->job.credit_microcobble);
  EXPECT_GT(r.credit_microcobble, 0u);
  // A program that does not know the kind is handed none of it.
  w.kinds = {"match.h"};
  EXPECT_TRUE(w.lease(0).empty());
}

// What openings would miss nearly always: one leaf whose evidence nobody computed.
TEST_F(RoundTest, ConfirmedAnswersAreRecomputedAsAWhole) {
  settings_.job_signatures = 512;
  settings_.openings = 1;
  settings_.shares = "match.h=0";
  settings_.confirm = "verify.batch";
  start();
  ScriptedWorker w = enlisted(kAlice);
  w.kinds = {"verify.batch"};
  const auto a = w.take();
  const job::Outcome honest = w.compute(*a->work);
  const protocol::Receipt r = w.finish(*a, commit_of(honest), honest);
  EXPECT_TRUE(r.accepted) << r.reason << ": " << r.detail;
  EXPECT_THAT(r.detail, ::testing::HasSubstr("confirmed"));
  EXPECT_THAT(r.detail, ::testing::Not(::testing::HasSubstr("paid computation")));
  const auto b = w.take();
  job::Outcome lie = w.compute(*b->work);
  lie.evidence[100] ^= 1;
  lie = *b->work->rebuild(lie.evidence, lie.answer);
  const protocol::Receipt refused = w.finish(*b, commit_of(lie), lie);
  EXPECT_FALSE(refused.accepted);
  EXPECT_THAT(refused.reason, ::testing::AnyOf("root_mismatch", "leaf_mismatch")) << refused.detail;
  settings_.confirm = "verify.batch,nothing";
  EXPECT_EQ(check(settings_).status(), Status::bad_config);
}

TEST_F(RoundTest, ResendingIsHarmlessAndASecondCommitIsNot) {
  start();
  ScriptedWorker w = enlisted(kAlice);
  const auto a = w.take();
  const job::Outcome o = w.compute(*a->work);
  const auto first = w.commit(*a, commit_of(o));
  ASSERT_EQ(first.status, 200);
  const auto again = w.commit(*a, commit_of(o));
  EXPECT_EQ(again.status, 200);
  EXPECT_EQ(again.body, first.body);
  proof::Commit other = commit_of(o);
  other.root[5] ^= 1;
  const auto second = w.commit(*a, other);
  EXPECT_EQ(second.status, 409);
  EXPECT_EQ(error_of(second).code, Status::duplicate);

  const auto answer = protocol::commit_answer_from_json(text(first.body));
  ASSERT_TRUE(answer);
  const auto early = w.post_opening(*a, Bytes(300, 0));
  EXPECT_EQ(early.status, 400) << "not an envelope";
  const Bytes envelope = w.opening_envelope(*a, *answer, commit_of(o), o);
  const auto opened = w.post_opening(*a, envelope);
  ASSERT_EQ(opened.status, 200) << text(opened.body);
  const auto twice = w.post_opening(*a, envelope);
  EXPECT_EQ(twice.status, 200);
  EXPECT_EQ(twice.body, opened.body);
  EXPECT_EQ(w.get("/v1/receipts/" + to_hex(a->lease.lease_id)).body, opened.body);
  EXPECT_TRUE(protocol::receipt_from_json(text(opened.body))->accepted) << "the second commit changed nothing";
  const auto account = protocol::account_from_json(text(w.get("/v1/accounts/" + to_hex(w.pub())).body));
  EXPECT_EQ(account->accepted, 1u);
}

TEST_F(RoundTest, ADroppedTaskGoesToAnotherWorker) {
  settings_.lease_ms = 4'000;
  settings_.max_jobs = 1;
  settings_.reissue_grace_ms = 60'000;
  start();
  ScriptedWorker alice = enlisted(kAlice);
  ScriptedWorker bob = enlisted(kBob);
  const auto dropped = alice.take();
  const auto taken = bob.take();  // waits for the reissue
  EXPECT_EQ(taken->lease.attempt, 2u);
  EXPECT_NE(taken->job.id, dropped->job.id);
  EXPECT_NE(taken->job.blobs[1], dropped->job.blobs[1]) << "fresh ringers";
  EXPECT_EQ(taken->job.blobs[0], dropped->job.blobs[0]) << "the same question";
  EXPECT_TRUE(alice.lease(0).empty());
  const job::Outcome late = alice.compute(*dropped->work);
  EXPECT_EQ(alice.commit(*dropped, commit_of(late)).status, 410);
  EXPECT_EQ(
      protocol::receipt_from_json(text(alice.get("/v1/receipts/" + to_hex(dropped->lease.lease_id)).body))->reason,
      "late");
  EXPECT_EQ(alice.send("GET", "/v1/blobs/" + to_hex(taken->job.blobs[1]), {}).status, 403) << "not her lease";
  const job::Outcome o = bob.compute(*taken->work);
  EXPECT_TRUE(bob.finish(*taken, commit_of(o), o).accepted);
}

TEST_F(RoundTest, SignaturesAreDemandedAndBindEverything) {
  settings_.generate = false;
  start();
  ScriptedWorker w(node_->url(), kAlice);
  const std::string ask = protocol::to_json(protocol::LeaseRequest{{"match.h"}, 1, 0});
  const Bytes body(ask.begin(), ask.end());
  const auto status = [&](const Tamper& t, Status expected) {
    const auto r = w.send("POST", "/v1/leases", body, t);
    EXPECT_EQ(r.status, 401) << text(r.body);
    EXPECT_EQ(error_of(r).code, expected) << text(r.body);
  };
  status({}, Status::not_found);  // not registered
  ASSERT_EQ(w.enlist().status, 200);
  EXPECT_EQ(w.resend().status, 401) << "a replayed registration";
  ASSERT_EQ(w.send("POST", "/v1/leases", body).status, 200);
  EXPECT_EQ(error_of(w.resend()).code, Status::duplicate);
  Tamper t;
  t.node_pub = keys::PublicKey{9};
  status(t, Status::refused);
  t = {};
  t.boot_id = Id16{9};
  status(t, Status::refused);
  t = {};
  t.sign_target = "/v1/leases?x=1";
  status(t, Status::refused);
  t = {};
  t.sign_body = Bytes{'{', '}'};
  status(t, Status::refused);
  t = {};
  t.time_offset_ms = 61'000;
  status(t, Status::late);
  t.time_offset_ms = -61'000;
  status(t, Status::late);
  t.time_offset_ms = -50'000;
  EXPECT_EQ(w.send("POST", "/v1/leases", body, t).status, 200) << "inside the window";
  t = {};
  t.header = "worker=zz";
  status(t, Status::bad_input);
  // Another worker's name with this worker's key.
  const ScriptedWorker bob = enlisted(kBob);
  const auto forged = protocol::sign_request(w.request_key(), bob.pub(), w.info().node_pub, w.info().boot_id, "POST",
                                             "/v1/leases", body, w.refresh().time_ms);
  t.header = protocol::format(forged);
  status(t, Status::refused);
}

TEST_F(RoundTest, ARegistrationMustBindTheRequestKey) {
  settings_.generate = false;
  start();
  ScriptedWorker w(node_->url(), kAlice);
  protocol::Registration r;
  r.worker_pub = w.pub();
  r.request_pub = w.request_key().public_key();
  r.name = "x";
  const auto sent = [&] {
    const std::string text = protocol::to_json(r);
    return w.send("POST", "/v1/workers", Bytes(text.begin(), text.end())).status;
  };
  EXPECT_EQ(sent(), 403) << "no binding";
  r.binding =
      w.envelope_key().sign("sparkmill/request-key/v1", ByteWriter().bytes(Hash32{1}).bytes(r.request_pub).data());
  EXPECT_EQ(sent(), 403) << "bound for another node";
  r.binding = w.envelope_key().sign("sparkmill/request-key/v1",
                                    ByteWriter().bytes(w.info().node_pub).bytes(r.request_pub).data());
  EXPECT_EQ(sent(), 200);
  r.worker_pub[0] ^= 1;
  EXPECT_EQ(sent(), 403) << "another worker's name";
}

TEST_F(RoundTest, AReplayAfterARestartFailsAndWorkGoesOn) {
  start();
  std::unique_ptr<Assignment> a;
  job::Outcome o;
  Bytes commit_answer;
  std::string old_header;
  {
    ScriptedWorker w = enlisted(kAlice);
    a = w.take();
    o = w.compute(*a->work);
    const auto committed = w.commit(*a, commit_of(o));
    ASSERT_EQ(committed.status, 200);
    commit_answer = committed.body;
  }
  const std::uint64_t height = ScriptedWorker(node_->url(), kBob).info().height;
  const Id16 old_boot = ScriptedWorker(node_->url(), kBob).info().boot_id;
  restart();
  ScriptedWorker w(node_->url(), kAlice);
  EXPECT_NE(w.info().boot_id, old_boot);
  EXPECT_GE(w.info().height, height);
  Tamper old;
  old.boot_id = old_boot;
  const std::string ask = protocol::to_json(protocol::LeaseRequest{{"match.h"}, 1, 0});
  EXPECT_EQ(w.send("POST", "/v1/leases", Bytes(ask.begin(), ask.end()), old).status, 401);
  // The commit is still there, the challenge too; no registration is needed again.
  const auto again = w.commit(*a, commit_of(o));
  ASSERT_EQ(again.status, 200);
  const auto first = protocol::commit_answer_from_json(text(commit_answer));
  const auto second = protocol::commit_answer_from_json(text(again.body));
  EXPECT_EQ(second->height, first->height);
  EXPECT_EQ(second->open_by_height, first->open_by_height);
  const protocol::Receipt r = w.finish(*a, commit_of(o), o);
  EXPECT_TRUE(r.accepted) << r.reason;
}

TEST_F(RoundTest, ALateOpeningIsRefused) {
  settings_.interval_ms = 50;
  settings_.min_open_ms = 100;
  start();
  ScriptedWorker w = enlisted(kAlice);
  const auto a = w.take();
  const job::Outcome o = w.compute(*a->work);
  const auto committed = w.commit(*a, commit_of(o));
  ASSERT_EQ(committed.status, 200);
  const auto answer = protocol::commit_answer_from_json(text(committed.body));
  const Bytes envelope = w.opening_envelope(*a, *answer, commit_of(o), o);
  w.wait_block(answer->open_by_height + 20);
  EXPECT_EQ(w.post_opening(*a, envelope).status, 410);
  http::Response receipt;
  for (int i = 0; i < 100 && receipt.body.empty(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    const auto r = w.get("/v1/receipts/" + to_hex(a->lease.lease_id));
    if (r.status == 200) receipt = r;
  }
  ASSERT_FALSE(receipt.body.empty());
  const auto r = protocol::receipt_from_json(text(receipt.body));
  EXPECT_FALSE(r->accepted);
  EXPECT_EQ(r->reason, "late");
}

TEST_F(RoundTest, AClockSetBackChangesNothing) {
  settings_.generate = false;
  ManualClock clock;
  clock_ = &clock;
  start();
  ScriptedWorker w = enlisted(kAlice);
  clock.advance_ms(350);
  const protocol::Block before = w.wait_block(1);
  clock.set_unix_ms(1'600'000'000'000);
  const std::uint64_t next = w.refresh().height + 1;
  clock.advance_ms(250);
  const protocol::Block after = w.wait_block(next);
  EXPECT_GT(after.time_ms, before.time_ms);
  EXPECT_LT(after.time_ms, before.time_ms + 10'000);
  node_.reset();
  start();  // and it still does not go under the ledger
  const ScriptedWorker again(node_->url(), kAlice);
  EXPECT_GE(again.info().time_ms, after.time_ms);
}

TEST_F(RoundTest, LimitsAndPathsAreChecked) {
  settings_.generate = false;
  start();
  ScriptedWorker w = enlisted(kAlice);
  EXPECT_EQ(w.get("/v1/blocks/latest").status, 200);
  EXPECT_EQ(w.get("/v1/blocks/0").status, 200);
  EXPECT_EQ(w.get("/v1/blocks/99999999").status, 404);
  EXPECT_EQ(w.get("/v1/blocks/-1").status, 400);
  EXPECT_EQ(w.get("/v1/blocks/1x").status, 400);
  EXPECT_EQ(w.get("/v1/blocks/").status, 400);
  EXPECT_EQ(w.get("/v1/accounts/12").status, 400);
  EXPECT_EQ(w.get("/v1/accounts/" + std::string(64, '0')).status, 404);
  EXPECT_EQ(w.get("/v1/receipts/" + std::string(32, '0')).status, 404);
  EXPECT_EQ(w.get("/v1/receipts/zz").status, 400);
  EXPECT_EQ(w.get("/v1/blobs/" + std::string(64, '0')).status, 401);
  EXPECT_EQ(w.send("GET", "/v1/blobs/" + std::string(64, '0'), {}).status, 403);
  EXPECT_EQ(w.get("/v1/blobs/../node.key").status, 400);
  EXPECT_EQ(w.send("POST", "/v1/solutions", {}).status, 400);
  EXPECT_EQ(w.send("POST", "/v1/leases/" + std::string(32, '0') + "/commit", Bytes(300, 1)).status, 400);
  EXPECT_EQ(w.send("POST", "/v1/leases/" + std::string(32, '0') + "/renew", {}).status, 404);
  EXPECT_EQ(w.send("POST", "/v1/leases/zz/renew", {}).status, 400);
  EXPECT_EQ(w.send("POST", "/v1/leases/" + std::string(32, '0') + "/other", {}).status, 404);
  EXPECT_EQ(w.send("POST", "/v1/leases", Bytes((64u << 10) + 1, ' ')).status, 413);
  const std::string unknown = "{\"kinds\":[\"nothing\"],\"max\":1,\"wait_ms\":0}";
  EXPECT_EQ(w.send("POST", "/v1/leases", Bytes(unknown.begin(), unknown.end())).status, 400);
}

TEST_F(RoundTest, BadSettingsAreRefusedWithTheirName) {
  const auto refused = [this](auto change, const char* named) {
    Settings s = settings_;
    change(s);
    const auto node = Node::start(s);
    ASSERT_FALSE(node) << named;
    EXPECT_EQ(node.error().code, Status::bad_config) << node.error().message;
    EXPECT_NE(node.error().message.find(named), std::string::npos) << node.error().message;
  };
  refused([](Settings& s) { s.listen = "0.0.0.0"; }, "listen");
  refused([](Settings& s) { s.interval_ms = 0; }, "interval-ms");
  refused([](Settings& s) { s.job_requests = 10; }, "requests");
  refused([](Settings& s) { s.job_users = 10; }, "users");
  refused([](Settings& s) { s.job_n = 100; }, "n: 100");
  refused([](Settings& s) { s.job_predicate = "face.dot>>1"; }, "predicate");
  refused([](Settings& s) { s.job_predicate = "voice.dot>=1"; }, "predicate");
  refused([](Settings& s) { s.openings = 0; }, "openings");
  refused([](Settings& s) { s.job_signatures = 3; }, "signatures");
  refused([](Settings& s) { s.shares = "match.h"; }, "shares");
  refused([](Settings& s) { s.shares = "match.h=1,seal=2"; }, "shares");
  refused([](Settings& s) { s.shares = "verify.batch=1001"; }, "shares");
}

TEST_F(RoundTest, TwoNodesDoNotShareAFolder) {
  settings_.generate = false;
  start();
  const auto second = Node::start(settings_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Status::locked);
  EXPECT_EQ(exit_code(second.error().code), 10);
}

TEST_F(RoundTest, AFullBlobStoreStopsJobsButNotTheNode) {
  settings_.blob_limit_bytes = 100'000;
  start();
  ScriptedWorker w = enlisted(kAlice);
  w.wait_block(5);
  for (int i = 0; i < 400 && node_->idle_reason().empty(); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_NE(node_->idle_reason().find("limit"), std::string::npos) << node_->idle_reason();
  EXPECT_TRUE(w.lease(0).empty());
}

TEST_F(RoundTest, StopsSoonUnderALongPoll) {
  settings_.generate = false;
  start();
  ScriptedWorker w = enlisted(kAlice);
  std::thread poll([&w] {
    try {
      w.lease(30'000);
    } catch (const std::exception&) {
      // the connection may be cut while it waits
    }
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  const auto begin = std::chrono::steady_clock::now();
  node_->stop();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(3));
  poll.join();
}

}  // namespace
}  // namespace sparkmill::node
