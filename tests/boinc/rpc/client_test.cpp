// SPDX-License-Identifier: Apache-2.0
// Our side of GUI RPC against a peer that a test can bend: handshake, refusals, and every way a connection can go bad.
#include "boinc/rpc/client.h"

#include <gmock/gmock.h>

#include <chrono>

#include "boinc/rpc/attach.h"
#include "tests/fake/boinc_peer.h"

namespace sparkmill::boinc::rpc {
namespace {

using fake::BoincPeer;
using ::testing::HasSubstr;
using ::testing::Not;

ClientSettings settings_for(const BoincPeer& peer) {
  ClientSettings s;
  s.address.port = peer.port();
  s.reply_ms = 20'000;
  return s;
}

TEST(BoincClient, ConnectsAsksAndAuthorises) {
  BoincPeer peer;
  peer.set_password("97168ecc87b6991c2af09d78daf2a4a1");
  peer.set("get_cc_status", "<cc_status><task_suspend_reason>4</task_suspend_reason></cc_status>");
  Client client(settings_for(peer));
  ASSERT_TRUE(client.connect());
  EXPECT_EQ(client.version().text(), "7.20.5");
  EXPECT_EQ(client.cc_status()->task_suspend_reason, kSuspendUserRequest);
  ASSERT_TRUE(client.authorise("97168ecc87b6991c2af09d78daf2a4a1"));
  EXPECT_TRUE(client.set_mode(Client::What::run, Mode::never, 60));
  EXPECT_EQ(peer.count("set_run_mode"), 1u);
}

TEST(BoincClient, TheHashIsTheOneOfTheProtocolPage) {
  BoincPeer peer;  // nonce 1795234055.127750 and this password give 397d70dc...
  peer.set_password("97168ecc87b6991c2af09d78daf2a4a1");
  Client client(settings_for(peer));
  ASSERT_TRUE(client.connect());
  const auto sent = client.call("<auth2><nonce_hash>397d70dce20cb7b8166f4963a8fa62c0</nonce_hash></auth2>");
  ASSERT_TRUE(sent) << sent.error().message;
  EXPECT_EQ(password_hash("secret12", "Vol@Example.org"), password_hash("secret12", "vol@example.org"));
}

TEST(BoincClient, AWrongPasswordIsSaidSoAndTheNextConnectionIsFresh) {
  BoincPeer peer;
  peer.set_password("right");
  Client client(settings_for(peer));
  ASSERT_TRUE(client.connect());
  const auto refused = client.authorise("wrong");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.status(), Status::refused);
  EXPECT_THAT(refused.error().message, Not(HasSubstr("wrong")));
  EXPECT_THAT(refused.error().hint, HasSubstr("gui_rpc_auth.cfg"));
  EXPECT_FALSE(client.connected());
  ASSERT_TRUE(client.connect());
  EXPECT_TRUE(client.authorise("right"));
}

TEST(BoincClient, AnEmptyPasswordIsAPassword) {
  BoincPeer peer;
  Client client(settings_for(peer));
  ASSERT_TRUE(client.connect());
  EXPECT_TRUE(client.project_op("update", "http://a/"));
  EXPECT_TRUE(client.authorise(""));
}

TEST(BoincClient, ControlWithoutPasswordIsRefused) {
  BoincPeer peer;
  peer.set_password("right");
  Client client(settings_for(peer));
  ASSERT_TRUE(client.connect());
  const auto refused = client.project_op("update", "http://a/");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.status(), Status::refused);
  EXPECT_THAT(refused.error().message, HasSubstr("password"));
}

TEST(BoincClient, TheClientsErrorsKeepTheirMeaning) {
  BoincPeer peer;
  peer.set("project_update", "<error>No such project</error>");
  peer.set("project_reset", "<status>-183</status>");
  peer.set("project_attach", "<error>Already attached to project</error>");
  peer.set("quit", "<odd/>");
  Client client(settings_for(peer));
  ASSERT_TRUE(client.connect());
  EXPECT_EQ(client.project_op("update", "http://a/").status(), Status::not_found);
  const auto down = client.project_op("reset", "http://a/");
  EXPECT_EQ(down.status(), Status::refused);
  EXPECT_THAT(down.error().message, HasSubstr("down"));
  EXPECT_EQ(client.start_attach("http://a/", "k", "").status(), Status::duplicate);
  EXPECT_EQ(client.quit().status(), Status::bad_input);
  EXPECT_TRUE(client.connected());
}

TEST(BoincClient, NobodyThereIsUnreachable) {
  BoincPeer peer;
  const ClientSettings s = settings_for(peer);
  peer.stop();
  Client client(s);
  const auto gone = client.connect();
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.status(), Status::unreachable);
  EXPECT_THAT(gone.error().message, HasSubstr(std::to_string(s.address.port)));
  EXPECT_THAT(gone.error().hint, HasSubstr("boinc-client"));
}

TEST(BoincClient, ARestartedClientIsNoticedAndUsedAgain) {
  BoincPeer peer;
  peer.set("get_results", "<results></results>");
  Client client(settings_for(peer));
  ASSERT_TRUE(client.connect());
  ASSERT_TRUE(client.results());
  peer.stop();
  const auto lost = client.results();
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.status(), Status::unreachable);
  EXPECT_FALSE(client.connected());
  EXPECT_EQ(client.results().status(), Status::unreachable) << "not connected is said, not crashed on";
  peer.restart();
  ASSERT_TRUE(client.connect());
  EXPECT_TRUE(client.results());
}

struct FaultCase {
  BoincPeer::Fault fault;
  Status status;
};
class BoincFaults : public ::testing::TestWithParam<FaultCase> {};

TEST_P(BoincFaults, EndInAnErrorAndAClosedConnection) {
  BoincPeer peer;
  peer.set("get_results", "<results></results>");
  ClientSettings s = settings_for(peer);
  s.reply_limit = 1u << 20;
  if (GetParam().fault == BoincPeer::Fault::silent) s.reply_ms = 300;
  Client client(s);
  ASSERT_TRUE(client.connect());
  peer.set_fault(GetParam().fault);
  const auto t0 = std::chrono::steady_clock::now();
  const auto bad = client.results();
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.status(), GetParam().status) << bad.error().message;
  EXPECT_THAT(bad.error().message, HasSubstr(std::to_string(s.address.port)));
  EXPECT_LT(bad.error().message.size(), 300u);
  EXPECT_FALSE(client.connected());
  EXPECT_LT(std::chrono::steady_clock::now() - t0, std::chrono::seconds(15));
  peer.set_fault(BoincPeer::Fault::none);
  ASSERT_TRUE(client.connect());
  EXPECT_TRUE(client.results());
}

INSTANTIATE_TEST_SUITE_P(All, BoincFaults,
                         ::testing::Values(FaultCase{BoincPeer::Fault::garbage, Status::bad_input},
                                           FaultCase{BoincPeer::Fault::http, Status::unreachable},
                                           FaultCase{BoincPeer::Fault::endless, Status::too_large},
                                           FaultCase{BoincPeer::Fault::endless_junk, Status::bad_input},
                                           FaultCase{BoincPeer::Fault::silent, Status::timeout},
                                           FaultCase{BoincPeer::Fault::closes, Status::unreachable},
                                           FaultCase{BoincPeer::Fault::cut, Status::bad_input}));

TEST(BoincClient, AStopEndsAWait) {
  BoincPeer peer;
  StopSource stop;
  ClientSettings s = settings_for(peer);
  s.stop = stop.token();
  Client client(s);
  ASSERT_TRUE(client.connect());
  peer.set_fault(BoincPeer::Fault::silent);
  std::thread later([&] {
    while (peer.count("get_results") == 0) ::usleep(1000);
    stop.request_stop();
  });
  EXPECT_EQ(client.results().status(), Status::cancelled);
  later.join();
}

TEST(BoincClient, ARequestThatTheClientWouldCloseOnIsNotSent) {
  BoincPeer peer;
  Client client(settings_for(peer));
  ASSERT_TRUE(client.connect());
  EXPECT_EQ(client.set_prefs_override(std::string(200'000, ' ')).status(), Status::too_large);
}

/// Attaching, with a project that answers as told. The order of replies is that of the real client.
struct AttachTest : ::testing::Test {
  AttachTest() : client(settings_for(peer)) {
    peer.set("get_cc_status", "<cc_status></cc_status>");
    peer.set("get_project_status", "<projects></projects>");
    peer.set("get_message_count", "<seqno>3</seqno>");
    peer.set("get_messages", "<msgs></msgs>");
    peer.set("get_project_config_poll",
             "<project_config><name>Demo</name><master_url>http://a.b/</master_url><min_passwd_length>6</"
             "min_passwd_length></project_config>");
    peer.set("lookup_account_poll", "<account_out><authenticator>k1</authenticator></account_out>");
    peer.set("project_attach_poll", "<project_attach_reply><error_num>0</error_num></project_attach_reply>");
    order.url = "http://a.b";
    order.account_key = "abcd";
    order.patience_ms = 5'000;
    order.sleep = [this](unsigned) {
      if (on_sleep) on_sleep();
    };
    EXPECT_TRUE(client.connect());
  }
  void attached(const std::string& inside) {
    peer.set("get_project_status",
             "<projects><project><master_url>http://a.b/</master_url><project_name>Demo</project_name>" + inside +
                 "</project></projects>");
  }
  /// The project shows up once the client was told to attach.
  void then(const std::string& inside) {
    on_sleep = [this, inside] { attached(inside); };
    peer.set("project_attach_poll", "<project_attach_reply><error_num>-204</error_num></project_attach_reply>");
    on_sleep = [this, inside] {
      attached(inside);
      peer.set("project_attach_poll", "<project_attach_reply><error_num>0</error_num></project_attach_reply>");
    };
  }
  Error refused() {
    auto result = rpc::attach(client, order);
    EXPECT_FALSE(result);
    return result ? fail(Status::ok, "attached") : result.error();
  }
  BoincPeer peer;
  Client client;
  AttachOrder order;
  std::function<void()> on_sleep;
};

TEST_F(AttachTest, WaitsForARealHost) {
  then("<hostid>0</hostid>");
  int naps = 0;
  auto first = on_sleep;
  on_sleep = [this, first, &naps] {
    first();
    if (++naps == 3) attached("<hostid>17</hostid>");
  };
  const auto done = rpc::attach(client, order);
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(done->url, "http://a.b/");
  EXPECT_EQ(done->name, "Demo");
  EXPECT_EQ(done->host_id, 17);
  EXPECT_GE(naps, 3);
}

TEST_F(AttachTest, ByAddressLooksUpTheAccount) {
  order.account_key.clear();
  order.email = "v@x.org";
  order.password = "secret12";
  then("<hostid>1</hostid>");
  ASSERT_TRUE(rpc::attach(client, order));
  EXPECT_EQ(peer.count("lookup_account"), 1u);
  EXPECT_EQ(peer.count("create_account"), 0u);
}

TEST_F(AttachTest, MakesTheAccountOnlyWhenAsked) {
  order.account_key.clear();
  order.email = "v@x.org";
  order.password = "secret12";
  peer.set("lookup_account_poll", "<error><error_num>-136</error_num><error_msg>Not found</error_msg></error>");
  const Error e = refused();
  EXPECT_EQ(e.code, Status::not_found);
  EXPECT_THAT(e.hint, HasSubstr("--create"));
  order.create = true;
  peer.set("create_account_poll", "<account_out><authenticator>k2</authenticator></account_out>");
  then("<hostid>1</hostid>");
  EXPECT_TRUE(rpc::attach(client, order));
  EXPECT_EQ(peer.count("create_account"), 1u);
}

TEST_F(AttachTest, NamesEachRefusal) {
  order.url = "not a url";
  EXPECT_EQ(refused().code, Status::bad_input);
  order.url = "http://a.b";
  peer.set("get_project_config_poll", "<project_config><error_num>-184</error_num></project_config>");
  EXPECT_EQ(refused().code, Status::unreachable);
  peer.set("get_project_config_poll", "<project_config><error_num>-238</error_num></project_config>");
  EXPECT_THAT(refused().hint, HasSubstr("https://"));
  peer.set("get_project_config_poll", "<project_config><error_num>-204</error_num></project_config>");
  EXPECT_EQ(refused().code, Status::timeout);
  peer.set("get_project_config_poll",
           "<project_config><name>D</name><min_passwd_length>6</min_passwd_length><account_creation_disabled/></"
           "project_config>");
  order.account_key.clear();
  order.email = "nobody";
  EXPECT_EQ(refused().code, Status::bad_input);
  order.email = "v@x.org";
  order.password = "short";
  EXPECT_THAT(refused().message, HasSubstr("6 characters"));
  order.password = "secret12";
  peer.set("lookup_account_poll", "<error><error_num>-206</error_num><error_msg>Invalid password</error_msg></error>");
  const Error wrong = refused();
  EXPECT_EQ(wrong.code, Status::refused);
  EXPECT_THAT(wrong.message, HasSubstr("wrong password"));
  EXPECT_THAT(wrong.message, Not(HasSubstr("secret12")));
  peer.set("lookup_account_poll", "<error><error_num>-136</error_num></error>");
  order.create = true;
  EXPECT_THAT(refused().message, HasSubstr("does not accept new accounts"));
  attached("<hostid>4</hostid>");
  EXPECT_EQ(refused().code, Status::duplicate);
  peer.set("get_cc_status", "<cc_status><disallow_attach>1</disallow_attach></cc_status>");
  EXPECT_THAT(refused().message, HasSubstr("does not allow"));
  EXPECT_EQ(peer.count("project_attach"), 0u);
}

TEST_F(AttachTest, ZeroIsNoSuccessAndAFailedAttachLeavesNothingBehind) {
  then("<hostid>0</hostid>");
  peer.set("get_messages",
           "<msgs><msg><project>Demo</project><pri>2</pri><seqno>9</seqno><body><![CDATA[\nInvalid or missing account "
           "key.\n]]></body></msg></msgs>");
  const Error key = refused();
  EXPECT_EQ(key.code, Status::refused);
  EXPECT_THAT(key.message, HasSubstr("account key"));
  EXPECT_EQ(peer.count("project_detach"), 1u);

  peer.set("get_project_status", "<projects></projects>");
  peer.set("get_messages", "<msgs></msgs>");
  then("<hostid>0</hostid><master_fetch_failures>1</master_fetch_failures>");
  EXPECT_EQ(refused().code, Status::unreachable);
  EXPECT_EQ(peer.count("project_detach"), 2u);

  peer.set("get_project_status", "<projects></projects>");
  then("<hostid>0</hostid>");
  const Error late = refused();
  EXPECT_EQ(late.code, Status::timeout);
  EXPECT_EQ(peer.count("project_detach"), 2u) << "the client may still succeed";
}

}  // namespace
}  // namespace sparkmill::boinc::rpc
