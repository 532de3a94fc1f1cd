// SPDX-License-Identifier: Apache-2.0
// BOINC credit over HTTP: receipts of assimilators (honest, forged, replayed, of others), bindings and claims, against
// a running node and through its restart.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/file.h"
#include "base/hash.h"
#include "base/hex.h"
#include "node/node.h"
#include "rsa_project.h"
#include "scripted_worker.h"
#include "temp_folder.h"
#include "verify/unit/receipt.h"
#include "worker/source/node_client.h"

namespace sparkmill::node {
namespace {

using protocol::CreditAnswer;
using protocol::CreditState;
using sparkmill::testing::ScriptedWorker;
using ::testing::HasSubstr;
using ::testing::StartsWith;

const std::string kOwn = "https://ours.example/mill/";
const std::string kFar = "https://far.example/astro/";

class BoincTest : public ::testing::Test {
 protected:
  BoincTest() {
    settings_.data = folder_.path() / "node";
    settings_.generate = false;
    settings_.proof_of_work = false;
    settings_.interval_ms = 100;
    settings_.beacon_length = 100'000;
    settings_.boinc_projects = folder_.path() / "projects.json";
    write_list(1'000'000);
    start();
  }
  void write_list(std::uint64_t day_cobblestones) {
    const nlohmann::json list = {{"projects",
                                  {{{"url", kOwn},
                                    {"assimilator_key", to_hex(assimilator_.public_key())},
                                    {"max_day_cobblestones", day_cobblestones}},
                                   {{"url", kFar},
                                    {"ownership_key", rsa_.published()},
                                    {"stats", (folder_.path() / "user").string()},
                                    {"every_s", 1}}}}};
    const std::string text = list.dump();
    if (!write_file_atomic(settings_.boinc_projects, view(text))) throw std::runtime_error("list not written");
  }
  void write_export(const std::string& total, const std::string& cpid) {
    const std::string text = "<users>\n<user>\n <id>17</id>\n <name>J</name>\n <total_credit>" + total +
                             "</total_credit>\n <cpid>" + cpid + "</cpid>\n</user>\n</users>\n";
    ASSERT_TRUE(write_file_atomic(folder_.path() / "user", view(text)));
  }
  void start() {
    node_.reset();
    auto node = Node::start(settings_);
    if (!node) throw std::runtime_error(node.error().message);
    node_ = std::move(*node);
  }
  unit::Receipt receipt(const std::string& name, const keys::PublicKey& to, std::uint64_t credit = 2'000'000) {
    unit::Receipt r;
    r.flags = unit::kIdsConfirmed;
    r.node_pub = node_->node_pub();
    r.worker_pub = to;
    r.app_pub = to;
    r.job_id = Id16{4};
    r.output_hash = sha256(view(name));
    r.user_id = 3;
    r.host_id = 4;
    r.units = 1'000;
    r.credit_microcobble = credit;
    r.unix_ms = 1'795'234'564'000;
    r.project = kOwn;
    r.unit = name + "_wu";
    r.result = name;
    return r;
  }
  /// What the node answers to receipts that anybody brings.
  std::vector<CreditAnswer> bring(const std::vector<Bytes>& receipts) {
    http::Client client(*http::Url::parse(node_->url()));
    http::Request r;
    r.method = "POST";
    r.target = "/v1/boinc/receipts";
    const std::string body = protocol::to_json(protocol::BoincReceipts{receipts});
    r.body.assign(body.begin(), body.end());
    const auto answer = client.call(r);
    if (!answer || answer->status != 200) throw std::runtime_error("receipts not answered");
    const auto out = protocol::credit_answers_from_json(text(answer->body));
    if (!out) throw std::runtime_error(out.error().message);
    return *out;
  }
  static protocol::Account account(ScriptedWorker& w) {
    return *protocol::account_from_json(text(w.get("/v1/accounts/" + to_hex(w.pub())).body));
  }
  http::Response post(ScriptedWorker& w, const std::string& path, const std::string& body) {
    return w.send("POST", path, Bytes(body.begin(), body.end()));
  }
  static bool soon(const std::function<bool()>& holds) {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!holds()) {
      if (std::chrono::steady_clock::now() > until) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return true;
  }

  sparkmill::testing::TempFolder folder_;
  sparkmill::testing::RsaProject rsa_;
  keys::SigningKey assimilator_ = keys::KeyFile::from_seed(Hash32{9}).role("receipt");
  keys::SigningKey stranger_ = keys::KeyFile::from_seed(Hash32{10}).role("receipt");
  Settings settings_;
  std::unique_ptr<Node> node_;
};

TEST_F(BoincTest, AReceiptMakesTheBalanceGrowOnceHoweverOftenItComes) {
  ScriptedWorker w(node_->url(), 5);
  ASSERT_EQ(w.enlist().status, 200);
  EXPECT_EQ(account(w).credit_microcobble, 0u);
  const Bytes good = encode(receipt("wu_0", w.pub()), assimilator_);
  const auto first = bring({good});
  ASSERT_EQ(first.size(), 1u);
  ASSERT_EQ(first[0].state, CreditState::credited) << first[0].reason;
  EXPECT_TRUE(soon([&] { return account(w).balance > 0; }));
  EXPECT_EQ(account(w).credit_microcobble, 2'000'000u);

  // Replayed: alone, in a batch with itself, signed afresh at another time, after a restart.
  unit::Receipt later = receipt("wu_0", w.pub());
  later.unix_ms += 1;
  for (const auto& batch : {std::vector<Bytes>{good}, std::vector<Bytes>{good, good, encode(later, assimilator_)}}) {
    for (const CreditAnswer& a : bring(batch)) {
      EXPECT_EQ(a.state, CreditState::credited);
      EXPECT_EQ(a.receipt_id, first[0].receipt_id);
    }
  }
  start();
  ScriptedWorker again(node_->url(), 5);
  EXPECT_EQ(bring({good})[0].receipt_id, first[0].receipt_id);
  EXPECT_EQ(account(again).credit_microcobble, 2'000'000u);
  EXPECT_EQ(account(again).accepted, 1u);
  const auto stored = protocol::receipt_from_json(text(again.get("/v1/receipts/" + to_hex(first[0].receipt_id)).body));
  ASSERT_TRUE(stored);
  EXPECT_EQ(stored->worker_pub, w.pub());
  EXPECT_EQ(stored->answer_hash, sha256(view("wu_0")));
}

TEST_F(BoincTest, ForgedForeignAndDoubledReceiptsAreRefusedByThemselves) {
  ScriptedWorker w(node_->url(), 5);
  ScriptedWorker thief(node_->url(), 6);
  ASSERT_EQ(w.enlist().status, 200);
  ASSERT_EQ(thief.enlist().status, 200);
  Bytes bent = encode(receipt("wu_1", w.pub()), assimilator_);
  bent[72] ^= 1;  // of worker_pub
  unit::Receipt other_node = receipt("wu_1", w.pub());
  other_node.node_pub[0] ^= 1;
  unit::Receipt no_node = receipt("wu_1", w.pub());
  no_node.node_pub = {};
  unit::Receipt other_project = receipt("wu_1", w.pub());
  other_project.project = kFar;
  const auto answers = bring({bent,
                              {},
                              encode(receipt("wu_1", thief.pub()), stranger_),
                              encode(other_node, assimilator_),
                              encode(no_node, assimilator_),
                              encode(other_project, assimilator_),
                              encode(receipt("wu_1", keys::PublicKey{}), assimilator_),
                              encode(receipt("wu_1", w.pub()), assimilator_),
                              encode(receipt("wu_1", thief.pub()), assimilator_)});
  ASSERT_EQ(answers.size(), 9u);
  const char* reasons[] = {"refused",   "bad_input", "unknown_key", "other_node", "no_node", "other_project",
                           "bad_input", "",          "duplicate"};
  for (std::size_t i = 0; i < answers.size(); ++i) {
    EXPECT_EQ(answers[i].state, i == 7 ? CreditState::credited : CreditState::refused) << i;
    EXPECT_THAT(answers[i].reason, StartsWith(reasons[i])) << i;
  }
  EXPECT_EQ(account(w).credit_microcobble, 2'000'000u);
  EXPECT_EQ(account(thief).credit_microcobble, 0u);

  // The form of the request.
  http::Client client(*http::Url::parse(node_->url()));
  http::Request r;
  r.method = "POST";
  r.target = "/v1/boinc/receipts";
  for (const std::string bad :
       {"", "[]", "{\"receipts\": [1]}", "{\"receipts\": [\"xyz\"]}", "{\"receipts\": [], \"x\": 1}"}) {
    r.body.assign(bad.begin(), bad.end());
    EXPECT_EQ(client.call(r)->status, 400) << bad;
  }
  std::string many = "{\"receipts\": [\"00\"";
  for (int i = 0; i < 256; ++i) many += ",\"00\"";
  many += "]}";
  r.body.assign(many.begin(), many.end());
  EXPECT_EQ(client.call(r)->status, 400);
  r.body.assign(3u << 20, 'x');
  const auto large = client.call(r);
  EXPECT_TRUE(!large || large->status == 413);
}

TEST_F(BoincTest, TheListIsReadAgainWhileTheNodeRuns) {
  ScriptedWorker w(node_->url(), 5);
  ASSERT_EQ(w.enlist().status, 200);
  write_list(1);
  ASSERT_TRUE(node_->reload());
  const Bytes good = encode(receipt("wu_2", w.pub()), assimilator_);
  EXPECT_EQ(bring({good})[0].state, CreditState::pending);
  ASSERT_TRUE(write_file_atomic(settings_.boinc_projects, view("{")));
  EXPECT_EQ(node_->reload().status(), Status::bad_config);
  EXPECT_EQ(bring({good})[0].state, CreditState::pending);
  write_list(2);
  EXPECT_TRUE(soon([&] { return bring({good})[0].state == CreditState::credited; }));
  EXPECT_EQ(account(w).credit_microcobble, 2'000'000u);
  node_.reset();
  ASSERT_TRUE(write_file_atomic(settings_.boinc_projects, view("{")));
  EXPECT_EQ(Node::start(settings_).status(), Status::bad_config);
}

TEST_F(BoincTest, ABoundAccountIsPaidForWhatItGains) {
  ScriptedWorker w(node_->url(), 5);
  ScriptedWorker other(node_->url(), 6);
  ASSERT_EQ(w.enlist().status, 200);
  ASSERT_EQ(other.enlist().status, 200);
  const std::string cpid(32, 'c');
  protocol::OwnershipText text_of;
  text_of.cpid = *array_from_hex<16>(cpid);
  text_of.worker_pub = w.pub();
  text_of.node_pub = node_->node_pub();
  text_of.time_s = w.info().time_ms / 1000;
  const auto signed_text = [&](const protocol::OwnershipText& t, const std::string& project = kFar) {
    return protocol::to_json(rsa_.sign(project, 17, format(t)));
  };
  const auto send_claim = [&](const keys::SigningKey& by, const keys::PublicKey& node) {
    protocol::BoincClaim c;
    c.node_pub = node;
    c.project_url = kFar;
    c.result_name = "far_1_0";
    return post(w, "/v1/boinc/claims", protocol::boinc_claims_to_json({encode(c, by)}));
  };
  const auto claim = [&] {
    const auto answer = send_claim(w.envelope_key(), node_->node_pub());
    EXPECT_EQ(answer.status, 200);
    const auto list = protocol::boinc_claim_answers_from_json(text(answer.body));
    return list ? list->at(0).state + " " + list->at(0).reason : list.error().message;
  };
  EXPECT_EQ(claim(), "recorded no_binding");
  EXPECT_EQ(send_claim(other.envelope_key(), node_->node_pub()).status, 403);
  EXPECT_EQ(send_claim(w.envelope_key(), other.pub()).status, 403);

  // Not signed by the worker, by another worker, for another node, of the future, of another project.
  http::Client client(*http::Url::parse(node_->url()));
  http::Request unsigned_request;
  unsigned_request.method = "POST";
  unsigned_request.target = "/v1/boinc/bindings";
  EXPECT_EQ(client.call(unsigned_request)->status, 401);
  unsigned_request.target = "/v1/boinc/claims";
  EXPECT_EQ(client.call(unsigned_request)->status, 401);
  EXPECT_EQ(post(other, "/v1/boinc/bindings", signed_text(text_of)).status, 403);
  protocol::OwnershipText wrong = text_of;
  wrong.node_pub[0] ^= 1;
  EXPECT_EQ(post(w, "/v1/boinc/bindings", signed_text(wrong)).status, 403);
  wrong = text_of;
  wrong.time_s += 7'200;
  EXPECT_EQ(post(w, "/v1/boinc/bindings", signed_text(wrong)).status, 403);
  EXPECT_EQ(post(w, "/v1/boinc/bindings", signed_text(text_of, kOwn)).status, 404);
  EXPECT_EQ(post(w, "/v1/boinc/bindings", signed_text(text_of, "https://no.example/")).status, 404);
  protocol::BoincBinding forged = rsa_.sign(kFar, 18, format(text_of));
  forged.message = "17" + forged.message.substr(2);
  EXPECT_EQ(post(w, "/v1/boinc/bindings", protocol::to_json(forged)).status, 403);

  write_export("100.000000", cpid);
  const auto bound = post(w, "/v1/boinc/bindings", signed_text(text_of));
  ASSERT_EQ(bound.status, 200) << text(bound.body);
  EXPECT_EQ(protocol::boinc_bindings_from_json(text(bound.body))->at(0).user_id, 17u);
  const auto info = [&] {
    return protocol::boinc_bindings_from_json(text(w.get("/v1/boinc/bindings/" + to_hex(w.pub())).body))->at(0);
  };
  ASSERT_TRUE(soon([&] { return info().total_micro == 100'000'000; }));
  EXPECT_EQ(claim(), "recorded export_decides");
  EXPECT_EQ(account(w).credit_microcobble, 0u);
  write_export("103.500000", cpid);
  ASSERT_TRUE(soon([&] { return info().credit_microcobble == 3'500'000; }));
  EXPECT_EQ(account(w).credit_microcobble, 3'500'000u);
  EXPECT_TRUE(soon([&] { return account(w).balance > 0; }));
  EXPECT_EQ(post(w, "/v1/boinc/bindings", signed_text(text_of)).status, 200);
  wrong = text_of;
  wrong.time_s -= 1;
  EXPECT_EQ(post(w, "/v1/boinc/bindings", signed_text(wrong)).status, 410);
  EXPECT_EQ(w.get("/v1/boinc/bindings/12").status, 400);
}

TEST_F(BoincTest, TheWorkersClientSpeaksAllOfIt) {
  const auto key = keys::KeyFile::from_seed(Hash32{77});
  worker::KeyMemory memory{[](const std::string&) -> Result<std::optional<keys::PublicKey>> { return {std::nullopt}; },
                           [](const std::string&, const keys::PublicKey&) { return done(); }};
  const auto link = worker::NodeLink::make({node_->url(), {}, {}, {}}, key, memory, system_clock());
  ASSERT_TRUE(link);
  worker::NodeClient client(*link);
  ASSERT_TRUE(client.enlist("w", {}));
  const auto brought =
      client.bring_receipts({{encode(receipt("wu_3", (*link)->worker_pub()), assimilator_), Bytes{1}}});
  ASSERT_TRUE(brought) << brought.error().message;
  EXPECT_EQ(brought->at(0).state, CreditState::credited);
  EXPECT_EQ(brought->at(1).state, CreditState::refused);
  protocol::BoincClaim done_one;
  done_one.project_url = kOwn;
  done_one.result_name = "wu_3";
  protocol::BoincClaim other_one = done_one;
  other_one.result_name = "wu_4";
  const auto claimed = client.claim({done_one, other_one});
  ASSERT_TRUE(claimed) << claimed.error().message;
  EXPECT_EQ(claimed->at(0).state, "credited");
  EXPECT_EQ(claimed->at(0).credit_microcobble, 2'000'000u);
  EXPECT_EQ(claimed->at(1).state, "recorded");
  const auto stored = client.receipt(claimed->at(0).id);
  ASSERT_TRUE(stored && *stored) << stored.error().message;
  EXPECT_EQ((*stored)->credit_microcobble, 2'000'000u);
  const auto text_of = client.ownership_text(Id16{5});
  ASSERT_TRUE(text_of);
  const auto bound = client.bind_account(rsa_.sign(kFar, 17, *text_of));
  ASSERT_TRUE(bound) << bound.error().message;
  EXPECT_EQ(bound->user_id, 17u);
  EXPECT_EQ(client.bindings()->size(), 1u);
  EXPECT_EQ(client.bind_account(rsa_.sign(kFar, 17, "hello")).status(), Status::bad_input);
}

}  // namespace
}  // namespace sparkmill::node
