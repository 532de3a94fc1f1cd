// SPDX-License-Identifier: Apache-2.0
// The upload protocol against a client's mistakes and misfortunes.
#include <thread>

#include "tests/boinc/project/rig.h"

namespace sparkmill::test {
namespace {

bool says(const std::string& reply, int status) {
  return reply.find("<status>" + std::to_string(status) + "</status>") != std::string::npos;
}

class UploadsTest : public ::testing::Test {
 protected:
  UploadsTest() : host(rig, "ann") {
    rig.add_unit("u");
    host.ask();
    EXPECT_EQ(host.held.size(), 1u);
    task = host.held.at(0);
  }
  std::string size_of(const std::string& name) {
    return host.send("<data_server_request>\n<get_file_size>" + name + "</get_file_size>\n</data_server_request>\n");
  }
  Rig rig;
  Host host;
  Held task;
};

TEST_F(UploadsTest, WholeFileAndOnceMore) {
  EXPECT_TRUE(says(host.upload(task, "good 1"), 0));
  EXPECT_EQ(read_all(rig.project->uploads().path(task.output)), "good 1");
  EXPECT_TRUE(says(host.upload(task, "good 1"), 0)) << "its answer may have been lost";
  EXPECT_NE(size_of(task.output).find("<file_size>6</file_size>"), std::string::npos);
  EXPECT_TRUE(says(host.upload(task, "good 1", 6), 0)) << "a client that was told the size sends no data";
}

TEST_F(UploadsTest, ResumesWhereItBroke) {
  const std::string content = "good " + std::string(20'000, 'x');
  EXPECT_NE(size_of(task.output).find("<file_size>0<"), std::string::npos);
  task.max_nbytes = 1000;
  EXPECT_TRUE(says(host.upload(task, content), -1)) << "longer than the unit allows";
  const std::string fits = content.substr(0, 900);
  // A connection that breaks gives no whole body; nothing is kept of it, and the client starts where we say.
  EXPECT_TRUE(says(host.upload(task, fits, 500), 1)) << "nothing is here yet";
  write_all(rig.folder() / "data/upload/incoming" / task.output, fits.substr(0, 500));
  EXPECT_NE(size_of(task.output).find("<file_size>500<"), std::string::npos);
  EXPECT_TRUE(says(host.upload(task, fits, 500), 0));
  EXPECT_EQ(read_all(rig.project->uploads().path(task.output)), fits);
}

TEST_F(UploadsTest, WrongChecksumIsSentAgain) {
  EXPECT_TRUE(says(host.upload(task, "good 1", 0, md5_hex("other")), 1));
  EXPECT_NE(size_of(task.output).find("<file_size>0<"), std::string::npos);
  EXPECT_TRUE(says(host.upload(task, "good 1"), 0));
}

TEST_F(UploadsTest, RefusedForGood) {
  Held bad = task;
  bad.signature = SigningKey::generate().sign(upload_text(task.output, task.max_nbytes));
  EXPECT_TRUE(says(host.upload(bad, "good 1"), -1)) << "another key";
  bad.signature = "";
  EXPECT_TRUE(says(host.upload(bad, "good 1"), -1));
  bad = task;
  bad.output = "unknown_0_r1_0";
  const std::string reply = host.upload(bad, "good 1");
  EXPECT_TRUE(says(reply, -1));
  EXPECT_NE(reply.find("unknown_0_r1_0"), std::string::npos) << "the message names the file";
  EXPECT_TRUE(says(size_of("unknown_0_r1_0"), -1));
  EXPECT_TRUE(says(host.send("nonsense"), -1));
}

TEST_F(UploadsTest, ReportedFilesAreFrozen) {
  EXPECT_TRUE(says(host.upload(task, "good 1"), 0));
  EXPECT_TRUE(says(host.upload(task, "good 2"), 0)) << "not reported yet: a new start of the task counts";
  EXPECT_EQ(read_all(rig.project->uploads().path(task.output)), "good 2");
  host.report(task.result);
  host.ask(0);
  EXPECT_TRUE(says(host.upload(task, "good 3"), -1));
  EXPECT_EQ(read_all(rig.project->uploads().path(task.output)), "good 2");
  EXPECT_TRUE(says(host.upload(task, "good 2"), 0));
}

// A client told of a refusal reports success all the same (specs/boinc.md 2.3).
TEST_F(UploadsTest, ReportWithoutFileIsAnError) {
  host.report(task.result);
  const std::string reply = host.ask(0);
  EXPECT_NE(reply.find("<result_ack>"), std::string::npos);
  EXPECT_NE(reply.find("never arrived"), std::string::npos);
  EXPECT_EQ(rig.result(task.result).outcome, "client error");
  rig.pass();
  EXPECT_EQ(rig.credit(), 0);
  EXPECT_EQ(rig.result("u_1").state, "unsent") << "another instance takes its place";
}

TEST_F(UploadsTest, TwoConnectionsOneFile) {
  std::vector<std::thread> threads;
  std::atomic<int> well{0};
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int k = 0; k < 20; ++k) {
        const std::string reply = host.upload(task, "good 1");
        EXPECT_TRUE(says(reply, 0) || says(reply, 1)) << reply;
        if (says(reply, 0)) ++well;
      }
    });
  }
  for (auto& t : threads) t.join();
  EXPECT_GT(well, 0);
  EXPECT_EQ(read_all(rig.project->uploads().path(task.output)), "good 1");
}

}  // namespace
}  // namespace sparkmill::test
