// SPDX-License-Identifier: Apache-2.0
// Runs the examples of docs/openapi.yaml against a live node: every answer has exactly the members, types and lengths
// that the example shows. With SPARKMILL_WRITE_EXAMPLES=1 the answers of this run become the examples.
#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "base/file.h"
#include "base/hex.h"
#include "node/node.h"
#include "scripted_worker.h"
#include "temp_folder.h"

namespace sparkmill::node {
namespace {

using Json = nlohmann::ordered_json;
using sparkmill::testing::commit_of;
using sparkmill::testing::ScriptedWorker;

const std::filesystem::path kDocs = std::filesystem::path(SPARKMILL_SOURCE_DIR) / "docs";

bool is_hex(const std::string& s) {
  return s.size() >= 16 && s.find_first_not_of("0123456789abcdef") == std::string::npos;
}

/// Same members in the same order, same types; hex texts of one length (lengths of other texts are free).
void expect_alike(const Json& example, const Json& live, const std::string& where) {
  ASSERT_EQ(example.type_name(), std::string(live.type_name())) << where;
  if (example.is_object()) {
    std::vector<std::string> expected, found;
    for (const auto& item : example.items()) expected.push_back(item.key());
    for (const auto& item : live.items()) found.push_back(item.key());
    ASSERT_EQ(expected, found) << where;
    for (const auto& item : example.items()) expect_alike(item.value(), live[item.key()], where + "." + item.key());
  } else if (example.is_array() && !example.empty()) {
    ASSERT_FALSE(live.empty()) << where;
    for (const auto& item : live) expect_alike(example[0], item, where + "[]");
  } else if (example.is_string() && is_hex(example.get<std::string>())) {
    EXPECT_TRUE(is_hex(live.get<std::string>())) << where;
    if (where.find(".job") == std::string::npos || where.find("job_id") != std::string::npos) {
      EXPECT_EQ(example.get<std::string>().size(), live.get<std::string>().size()) << where;
    }
  }
}

class OpenApiTest : public ::testing::Test {
 protected:
  OpenApiTest() {
    Settings s;
    s.data = folder_.path();
    s.proof_of_work = false;
    s.interval_ms = 100;
    s.min_open_ms = 20'000;
    s.job_requests = 512;
    s.job_users = 512;
    s.job_n = 512;
    s.job_predicate = "face.dot>=187";
    s.queue_ahead = 1;
    s.beacon_length = 10'000;
    auto node = Node::start(s);
    if (!node) throw std::runtime_error(node.error().message);
    node_ = std::move(*node);
  }

  /// Compares an answer with docs/openapi-examples/NAME.json, or writes it there.
  void example(const std::string& name, int status, const http::Response& answer) {
    SCOPED_TRACE(name);
    EXPECT_EQ(answer.status, status) << text(answer.body);
    const Json live = Json::parse(text(answer.body));
    check(name, live);
  }
  void check(const std::string& name, const Json& live) {
    const auto file = kDocs / "openapi-examples" / (name + ".json");
    used_.insert(name + ".json");
    if (std::getenv("SPARKMILL_WRITE_EXAMPLES")) {
      const std::string pretty = live.dump(2) + "\n";
      ASSERT_TRUE(write_file_atomic(file, view(pretty)));
    }
    const auto stored = read_text_file(file, 1 << 20);
    ASSERT_TRUE(stored) << stored.error().message;
    expect_alike(Json::parse(*stored), live, name);
  }

  /// What a node with proof of work says of a search and of a share.
  void mine(const std::string& solution) {
    Settings s;
    s.data = folder_.path() / "pow";
    s.generate = false;
    auto node = Node::start(s);
    ASSERT_TRUE(node.ok()) << node.error().message;
    ScriptedWorker w((*node)->url(), 6);
    ASSERT_EQ(w.enlist().status, 200);
    const Json ask = Json::parse(protocol::to_json(protocol::LeaseRequest{{"tensority"}, 1, 0, std::vector<Id16>()}));
    check("search-request", ask);
    const std::string body = ask.dump();
    example("search", 200, w.send("POST", "/v1/leases", Bytes(body.begin(), body.end())));
    example("solution-answer", 200, w.send("POST", "/v1/solutions", Bytes(solution.begin(), solution.end())));
  }

  sparkmill::testing::TempFolder folder_;
  std::unique_ptr<Node> node_;
  std::set<std::string> used_;
};

TEST_F(OpenApiTest, ExamplesRunAgainstALiveNode) {
  ScriptedWorker w(node_->url(), 5);
  example("info", 200, w.get("/v1/info"));
  example("error-unsigned", 401, w.get("/v1/blobs/" + std::string(64, '0')));
  protocol::Registration r;
  r.worker_pub = w.pub();
  r.request_pub = w.request_key().public_key();
  r.binding = w.envelope_key().sign("sparkmill/request-key/v1",
                                    ByteWriter().bytes(w.info().node_pub).bytes(r.request_pub).data());
  r.name = "attic machine";
  r.kinds = {"match.h"};
  r.devices = {"cpu: AMD EPYC, 2 lanes, match/cpu/avx512"};
  const Json registration = Json::parse(protocol::to_json(r));
  check("registration", registration);
  const std::string enlisting = registration.dump();
  example("registered", 200, w.send("POST", "/v1/workers", Bytes(enlisting.begin(), enlisting.end())));
  const Json ask = Json::parse(protocol::to_json(protocol::LeaseRequest{{"match.h"}, 1, 30'000}));
  check("lease-request", ask);
  const std::string body = ask.dump();
  const auto leases = w.send("POST", "/v1/leases", Bytes(body.begin(), body.end()));
  example("leases", 200, leases);
  const protocol::Lease lease = protocol::leases_from_json(text(leases.body))->front();
  const auto id = to_hex(lease.lease_id);
  example("renewal", 200, w.send("POST", "/v1/leases/" + id + "/renew", {}));

  sparkmill::testing::Assignment a;
  a.lease = lease;
  a.job = *job::decode(lease.job);
  for (const Hash32& sha : a.job.blobs) {
    const auto blob = w.send("GET", "/v1/blobs/" + to_hex(sha), {});
    ASSERT_EQ(blob.status, 200);
    ASSERT_EQ(a.blobs.add(blob.body), sha);
  }
  a.work = std::move(*job::open(a.job, a.blobs, job::Binding::to_lease(lease.lease_id, w.pub())));
  const job::Outcome outcome = w.compute(*a.work);
  example("error-undecided", 404, w.get("/v1/receipts/" + id));
  const auto committed = w.commit(a, commit_of(outcome));
  example("commit-answer", 200, committed);
  proof::Commit other = commit_of(outcome);
  other.root[0] ^= 1;
  example("error-second-commit", 409, w.commit(a, other));
  const auto answer = protocol::commit_answer_from_json(text(committed.body));
  ASSERT_TRUE(answer);
  const auto opened = w.open(a, *answer, commit_of(outcome), outcome);
  example("receipt", 200, opened);
  example("receipt", 200, w.get("/v1/receipts/" + id));
  const auto receipt = protocol::receipt_from_json(text(opened.body));
  ASSERT_TRUE(receipt);
  w.wait_block(receipt->height);
  example("block", 200, w.get("/v1/blocks/" + std::to_string(receipt->height)));
  example("block", 200, w.get("/v1/blocks/latest"));
  example("account", 200, w.get("/v1/accounts/" + to_hex(w.pub())));
  example("error-no-block", 404, w.get("/v1/blocks/999999999"));
  const Json solution = Json::parse(protocol::to_json(protocol::Solution{lease.lease_id, 0}));
  check("solution", solution);
  const std::string nonce = solution.dump();
  example("error-solutions", 404, w.send("POST", "/v1/solutions", Bytes(nonce.begin(), nonce.end())));
  mine(nonce);

  // The page names every file that ran here, and no other.
  const auto page = read_text_file(kDocs / "openapi.yaml", 1 << 20);
  ASSERT_TRUE(page);
  std::set<std::string> named;
  const std::regex reference("openapi-examples/([a-z-]+\\.json)");
  for (std::sregex_iterator it(page->begin(), page->end(), reference), end; it != end; ++it) named.insert((*it)[1]);
  named.erase("event-challenge.json");
  named.erase("event-cancel.json");
  EXPECT_EQ(named, used_);
}

TEST_F(OpenApiTest, EventsCarryBlocksAndChallenges) {
  ScriptedWorker w(node_->url(), 6);
  ASSERT_EQ(w.enlist().status, 200);
  const auto a = w.take();
  const job::Outcome outcome = w.compute(*a->work);
  ASSERT_EQ(w.commit(*a, commit_of(outcome)).status, 200);
  http::Client client(*http::Url::parse(node_->url()));
  http::Request r;
  r.target = "/v1/events";
  int blocks = 0;
  std::string challenge;
  const Done ended = client.events(r,
                                   [&](std::string_view event, std::string_view data) {
                                     if (event == "block") {
                                       EXPECT_TRUE(protocol::block_from_json(data));
                                       ++blocks;
                                     }
                                     if (event == "challenge") challenge = data;
                                     return challenge.empty() && blocks < 100;
                                   },
                                   {});
  EXPECT_TRUE(ended) << ended.error().message;
  EXPECT_GT(blocks, 0);
  ASSERT_FALSE(challenge.empty());
  const Json live = Json::parse(challenge);
  EXPECT_EQ(live["lease_id"], to_hex(a->lease.lease_id));
  check("event-challenge", live);
}

}  // namespace
}  // namespace sparkmill::node
