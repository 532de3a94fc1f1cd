// SPDX-License-Identifier: Apache-2.0
// The stock client of the system, and BOINC's own RPC library asking it the same.
#include <gmock/gmock.h>

#include "boinc/rpc/attach.h"
#include "tests/base/raw_server.h"
#include "tests/boinc/real_client.h"
#include "tests/boinc/rpc/oracle.h"

namespace sparkmill::boinc::rpc {
namespace {

using test::RealClient;
using ::testing::HasSubstr;

#define NEED_BOINC() \
  if (!test::boinc_installed()) GTEST_SKIP() << "the stock client is not installed (package boinc-client)"

std::string trimmed(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text.substr(std::min(text.find_first_not_of(" \n"), text.size()));
}

TEST(RealBoincClient, SaysTheSameToUsAndToItsOwnLibrary) {
  NEED_BOINC();
  RealClient boinc({"--no_gpus"});
  ASSERT_TRUE(boinc.ready()) << boinc.log();
  Client client(boinc.settings());
  ASSERT_TRUE(client.connect());
  ASSERT_TRUE(client.authorise(boinc.password()));
  ASSERT_TRUE(client.set_mode(Client::What::run, Mode::never, 0));
  ASSERT_TRUE(client.set_mode(Client::What::gpu, Mode::always, 0));
  for (int i = 0; i < 100 && client.cc_status()->task_suspend_reason != kSuspendUserRequest; ++i) ::usleep(100'000);
  std::string why;
  const auto oracle = test::ask_oracle(boinc.port(), boinc.password(), why);
  if (!oracle) GTEST_SKIP() << why;
  EXPECT_EQ(client.version().text(), std::to_string(oracle->version[0]) + "." + std::to_string(oracle->version[1]) +
                                         "." + std::to_string(oracle->version[2]));
  const auto status = client.cc_status();
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_EQ(status->task_suspend_reason, oracle->task_suspend_reason);
  EXPECT_EQ(status->task_suspend_reason, kSuspendUserRequest);
  EXPECT_EQ(static_cast<int>(status->task_mode), oracle->task_mode);
  EXPECT_EQ(status->task_mode, Mode::never);
  EXPECT_EQ(static_cast<int>(status->gpu_mode), oracle->gpu_mode);
  EXPECT_EQ(static_cast<int>(status->network_mode), oracle->network_mode);
  EXPECT_EQ(status->network_status, oracle->network_status);
  const auto host = client.host_info();
  ASSERT_TRUE(host);
  EXPECT_EQ(host->domain_name, oracle->domain_name);
  EXPECT_EQ(host->host_cpid, oracle->host_cpid);
  EXPECT_EQ(host->model, oracle->model);
  EXPECT_EQ(host->os_name, oracle->os_name);
  EXPECT_EQ(static_cast<int>(host->cpus), oracle->cpus);
  EXPECT_DOUBLE_EQ(host->fpops, oracle->fpops);
  EXPECT_DOUBLE_EQ(host->memory_bytes, oracle->memory_bytes);
  const auto messages = client.messages(0);
  ASSERT_TRUE(messages);
  ASSERT_GE(messages->size(), oracle->messages.size());  // the client may have logged more meanwhile
  ASSERT_GT(oracle->messages.size(), 10u);
  for (std::size_t i = 0; i < oracle->messages.size(); ++i) {
    EXPECT_EQ((*messages)[i].body, trimmed(oracle->messages[i]));
    EXPECT_EQ((*messages)[i].number, oracle->message_numbers[i]);
  }
  EXPECT_GE(*client.message_count(), oracle->message_count);
  const auto state = client.state();
  ASSERT_TRUE(state);
  EXPECT_EQ(state->platforms, oracle->platforms);
  EXPECT_EQ(state->core.text(), client.version().text());
  EXPECT_EQ(state->host.host_cpid, oracle->host_cpid);
  EXPECT_EQ(state->projects.size(), oracle->projects.size());
  EXPECT_EQ(client.results()->size(), oracle->results.size());
}

TEST(RealBoincClient, EveryCallIsUnderstood) {
  NEED_BOINC();
  RealClient boinc({"--no_gpus"});
  ASSERT_TRUE(boinc.ready()) << boinc.log();
  Client client(boinc.settings());
  ASSERT_TRUE(client.connect());
  EXPECT_TRUE(client.cc_status());
  EXPECT_TRUE(client.projects());
  EXPECT_TRUE(client.results());
  EXPECT_TRUE(client.old_results());
  EXPECT_TRUE(client.notices(0));
  EXPECT_TRUE(client.file_transfers());
  EXPECT_TRUE(client.statistics());
  const auto refused = client.read_cc_config();
  ASSERT_FALSE(refused) << "without its password it obeyed";
  EXPECT_EQ(refused.status(), Status::refused);
  ASSERT_TRUE(client.connect());
  EXPECT_EQ(client.authorise("not the password").status(), Status::refused);
  ASSERT_TRUE(client.connect());
  ASSERT_TRUE(client.authorise(boinc.password()));
  EXPECT_EQ(client.project_op("update", "http://no.such.project/").status(), Status::not_found);
  EXPECT_TRUE(client.read_cc_config());
  const auto set =
      client.set_prefs_override("<global_preferences><suspend_cpu_usage>0</suspend_cpu_usage></global_preferences>");
  EXPECT_TRUE(set) << set.error().message;
  EXPECT_TRUE(client.read_prefs_override());
  EXPECT_THAT(*client.prefs_override(), HasSubstr("suspend_cpu_usage"));
  // Restarted under us: noticed, and used again.
  boinc.stop(SIGKILL);
  EXPECT_FALSE(client.results());
  EXPECT_FALSE(client.connected());
  boinc.start();
  ASSERT_TRUE(boinc.ready());
  ASSERT_TRUE(client.connect());
  EXPECT_TRUE(client.results());
}

TEST(RealBoincClient, AnswersOnItsUnixSocket) {
  NEED_BOINC();
  RealClient boinc({"--no_gpus", "--gui_rpc_unix_domain"});
  Places places;
  places.data_dir = boinc.folder();
  for (int i = 0; i < 300 && !find_socket(places); ++i) ::usleep(100'000);
  const auto socket = find_socket(places);
  ASSERT_TRUE(socket) << boinc.log();
  ClientSettings s = boinc.settings();
  s.address.unix_socket = socket->string();
  Client client(s);
  const auto up = client.connect();
  ASSERT_TRUE(up) << up.error().message;
  EXPECT_TRUE(client.cc_status());
  EXPECT_TRUE(client.authorise(boinc.password()));
}

/// A web server that is or is not a project: what the client makes of it reaches the user as one sentence.
TEST(RealBoincClient, SaysWhyAnAttachFails) {
  NEED_BOINC();
  RealClient boinc({"--no_gpus"});
  ASSERT_TRUE(boinc.ready()) << boinc.log();
  Client client(boinc.settings());
  ASSERT_TRUE(client.connect());
  ASSERT_TRUE(client.authorise(boinc.password()));
  AttachOrder order;
  order.account_key = "0123456789abcdef0123456789abcdef";
  order.patience_ms = 60'000;
  order.url = "http://127.0.0.1:" + std::to_string(test::free_port()) + "/none/";
  const auto closed = attach(client, order);
  ASSERT_FALSE(closed);
  EXPECT_EQ(closed.status(), Status::unreachable) << closed.error().message;

  test::RawServer page([](int fd, int) {
    test::RawServer::read_head(fd);
    test::RawServer::send_all(
        fd, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 27\r\n\r\n<html>just a page</html>\n\n\n");
  });
  order.url = page.url() + "/blog/";
  const auto no_project = attach(client, order);
  ASSERT_FALSE(no_project);
  EXPECT_EQ(no_project.status(), Status::not_found) << no_project.error().message;
  EXPECT_EQ(client.projects()->size(), 0u) << "a failed attach must not stay behind";
}

}  // namespace
}  // namespace sparkmill::boinc::rpc
