// SPDX-License-Identifier: Apache-2.0
// Whole lives of work units, from the first request to the credit, on a clock that jumps.
#include "tests/boinc/project/rig.h"

namespace sparkmill::test {
namespace {

constexpr std::uint64_t kHour = 3'600'000;
constexpr std::int64_t kCredit = 12'500'000;

TEST(Rounds, FromRequestToCredit) {
  Rig rig;
  Host ann(rig, "ann");
  rig.add_unit("u");
  const std::string reply = ann.ask();
  EXPECT_EQ(ann.id, 1);
  EXPECT_NE(reply.find("<code_sign_key>"), std::string::npos);
  EXPECT_NE(reply.find("<file_signature>"), std::string::npos);
  EXPECT_NE(reply.find("<api_version>7.20.5</api_version>"), std::string::npos);
  ASSERT_EQ(ann.held.size(), 1u);
  EXPECT_EQ(ann.held[0].deadline_s, static_cast<std::int64_t>(rig.clock.unix_ms() / 1000) + 3600);
  EXPECT_EQ(ann.ask().find("<code_sign_key>"), std::string::npos) << "a key that the client has is not sent again";
  ann.finish_all();
  rig.pass();
  EXPECT_EQ(rig.result("u_0").validity, "valid");
  EXPECT_TRUE(rig.unit("u").assimilated);
  EXPECT_EQ(rig.credit(), kCredit);
  ASSERT_EQ(rig.assimilated.size(), 1u);
  EXPECT_EQ(rig.assimilated[0].substr(0, 7), "1 u_0_r") << rig.assimilated[0];
  EXPECT_NE(rig.assimilated[0].find("[SPARKMILL_RESULT_IDS=u_0 1 1]"), std::string::npos);
  EXPECT_NE(ann.ask().find("<user_total_credit>12.500000<"), std::string::npos);
}

TEST(Rounds, NothingIsCountedTwice) {
  Rig rig;
  Host ann(rig, "ann"), bob(rig, "bob");
  rig.add_unit("u");
  ann.ask();
  const Held task = ann.held.at(0);
  ann.finish_all();
  rig.pass();
  ASSERT_EQ(rig.credit(), kCredit);
  ann.report(task.result);  // replayed
  std::string reply = ann.ask();
  EXPECT_NE(reply.find("<result_ack>"), std::string::npos);
  EXPECT_NE(reply.find("reported before"), std::string::npos);
  bob.ask();
  bob.report(task.result);  // somebody else's
  reply = bob.ask();
  EXPECT_NE(reply.find("not sent to this host"), std::string::npos);
  bob.report("nobody_0");  // of an unknown unit
  reply = bob.ask();
  EXPECT_NE(reply.find("<result_ack>"), std::string::npos) << "else the client says it for ever";
  EXPECT_NE(reply.find("not known here"), std::string::npos);
  rig.pass();
  EXPECT_EQ(rig.credit(), kCredit);
  EXPECT_EQ(rig.assimilated.size(), 1u);
}

TEST(Rounds, AWrongResultIsRefusedAndDoneAgain) {
  Rig rig;
  Host liar(rig, "liar"), ann(rig, "ann");
  rig.add_unit("u");
  liar.ask();
  liar.finish_all("bad 42");
  rig.pass();
  EXPECT_EQ(rig.result("u_0").outcome, "validate error");
  EXPECT_EQ(rig.result("u_0").note, "the answer is wrong");
  EXPECT_EQ(rig.credit(), 0);
  liar.ask();
  EXPECT_TRUE(liar.held.empty()) << "a user gets a unit once";
  ann.ask();
  ASSERT_EQ(ann.held.size(), 1u);
  EXPECT_EQ(ann.held[0].result, "u_1");
  ann.finish_all();
  rig.pass();
  EXPECT_EQ(rig.credit(), kCredit);
  EXPECT_EQ(rig.unit("u").canonical, "u_1");
}

TEST(Rounds, QuorumOfTwo) {
  Rig rig;
  Host ann(rig, "ann"), also_ann(rig, "ann"), bob(rig, "bob"), cid(rig, "cid");
  rig.add_unit("u", 2);
  ann.ask();
  also_ann.ask();
  EXPECT_TRUE(also_ann.held.empty()) << "nobody confirms himself with a second host";
  bob.ask();
  ann.finish_all("good 1");
  rig.pass();
  EXPECT_EQ(rig.result("u_0").validity, "waits");
  bob.finish_all("good 2");
  rig.pass();
  EXPECT_EQ(rig.result("u_0").validity, "inconclusive");
  EXPECT_EQ(rig.credit(), 0);
  cid.ask();
  ASSERT_EQ(cid.held.size(), 1u) << "a third decides";
  cid.finish_all("good 2");
  rig.pass();
  EXPECT_EQ(rig.result("u_0").validity, "invalid");
  EXPECT_EQ(rig.result("u_1").validity, "valid");
  EXPECT_EQ(rig.result("u_2").validity, "valid");
  EXPECT_EQ(rig.credit(), 2 * kCredit);
  EXPECT_EQ(rig.assimilated.size(), 1u);
}

// One client is gone for good, and the server is down for an hour around the deadline.
TEST(Rounds, SilenceAndAServerThatWasDown) {
  Rig rig;
  Host dead(rig, "dead"), ann(rig, "ann"), bob(rig, "bob");
  rig.add_unit("u1");
  rig.add_unit("u2");
  rig.add_unit("u3");
  dead.ask();
  ann.ask();
  ASSERT_EQ(dead.held.at(0).unit, "u1");
  ASSERT_EQ(ann.held.at(0).unit, "u2");
  rig.clock.advance_ms(kHour / 2);
  EXPECT_NE(ann.upload(ann.held[0], "good 1").find("<status>0"), std::string::npos);
  rig.down();
  rig.clock.advance_ms(kHour);
  rig.start();
  // The first contact after the outage is a report that is half an hour late; nobody has the unit yet.
  const Held late = ann.held[0];
  ann.report(late.result);
  ann.ask(0);
  rig.pass();
  EXPECT_EQ(rig.result(late.result).validity, "valid") << "late, but the unit still needed it";
  EXPECT_EQ(rig.credit(), kCredit);
  EXPECT_EQ(rig.result("u1_0").outcome, "no reply");
  bob.ask(100);
  ASSERT_EQ(bob.held.size(), 2u);
  EXPECT_EQ(bob.held[1].result, "u1_1") << "reissued";
  bob.finish_all();
  rig.pass();
  EXPECT_TRUE(rig.unit("u1").assimilated);
  EXPECT_EQ(rig.assimilated.size(), 3u);
  // The dead one comes back with its result after all: kept, not paid.
  dead.finish_all();
  rig.pass();
  EXPECT_EQ(rig.result("u1_0").validity, "too late");
  EXPECT_EQ(rig.credit(), 3 * kCredit);
}

TEST(Rounds, SilentHostsEndAUnitAtItsLimit) {
  Rig rig;
  rig.add_unit("u", 1, 60);
  std::vector<std::unique_ptr<Host>> hosts;
  for (int i = 0; i < 10; ++i) {
    hosts.push_back(std::make_unique<Host>(rig, "h" + std::to_string(i)));
    hosts.back()->ask();
    ASSERT_EQ(hosts.back()->held.size(), 1u) << i;
    rig.clock.advance_ms(61'000);
    rig.pass();
  }
  EXPECT_EQ(rig.unit("u").error_mask, kTooManyTotal);
  ASSERT_EQ(rig.assimilated.size(), 1u);
  EXPECT_EQ(rig.assimilated[0], "--error 8 u 1 0");
}

TEST(Rounds, LostResultsAreSentAgain) {
  Rig rig;
  Host ann(rig, "ann");
  rig.add_unit("u");
  ann.ask();
  const Held first = ann.held.at(0);
  ann.held.clear();  // the reply was lost, or the folder restored
  const std::string reply = ann.ask(0);
  EXPECT_NE(reply.find("Resent lost task u_0"), std::string::npos);
  ASSERT_EQ(ann.held.size(), 1u);
  EXPECT_EQ(ann.held[0].output, first.output);
  EXPECT_EQ(ann.held[0].deadline_s, first.deadline_s);
  rig.clock.advance_ms(3'500'000);
  ann.held.clear();
  ann.ask(0);
  EXPECT_TRUE(ann.held.empty()) << "too near to its deadline to be begun again";
  EXPECT_EQ(rig.result("u_0").outcome, "no reply");
}

TEST(Rounds, UnneededTasksAreAborted) {
  Rig rig;
  Host ann(rig, "ann"), bob(rig, "bob");
  rig.add_unit("u");
  rig.add_unit("v");
  ann.ask(0.5);
  bob.ask(0.5);
  ASSERT_EQ(ann.held.at(0).unit, "u");
  ASSERT_TRUE(rig.project->books().cancel_unit("v").ok());
  rig.pass();
  EXPECT_NE(bob.ask(0).find("<result_abort>\n<name>v_0</name>"), std::string::npos);
  rig.clock.advance_ms(2 * kHour);
  rig.pass();
  bob.held.clear();
  bob.ask();
  bob.finish_all();
  rig.pass();
  ASSERT_TRUE(rig.unit("u").assimilated);
  EXPECT_NE(ann.ask(0).find("<result_abort_if_not_started>\n<name>u_0</name>"), std::string::npos);
  ann.held[0].result = "of_another_life_0";
  EXPECT_NE(ann.ask(0).find("<result_abort>\n<name>of_another_life_0</name>"), std::string::npos);
}

TEST(Rounds, AUnitThatWasGivenUpCanBeReissued) {
  Policy policy;
  policy.repeat = Repeat::any;
  Rig rig(policy);
  Host ann(rig, "ann");
  rig.add_unit("u");
  EXPECT_EQ(rig.project->books().reissue_unit("u").status(), Status::refused) << "it is not given up";
  EXPECT_EQ(rig.project->books().reissue_unit("x").status(), Status::not_found);
  for (int k = 0; k < 10 && rig.unit("u").error_mask == 0; ++k) {
    ann.ask();
    ann.finish_all("bad");
    rig.pass();
  }
  ASSERT_EQ(rig.unit("u").error_mask, kTooManyErrors);
  rig.pass();
  ASSERT_EQ(rig.assimilated.size(), 1u);
  EXPECT_EQ(rig.assimilated[0].rfind("--error", 0), 0u);
  ASSERT_TRUE(rig.project->books().reissue_unit("u").ok());
  rig.pass();
  EXPECT_EQ(rig.unit("u").error_mask, 0u);
  ann.ask();
  ASSERT_EQ(ann.held.size(), 1u);
  const std::string result = ann.held[0].result;
  ann.finish_all();
  rig.pass();
  EXPECT_EQ(rig.unit("u").canonical, result);
  EXPECT_TRUE(rig.unit("u").assimilated);
  EXPECT_EQ(rig.credit(), 12'500'000);
  EXPECT_EQ(rig.project->books().reissue_unit("u").status(), Status::refused) << "it has its answer";
}

TEST(Rounds, AReissuedUnitHasAsManyTriesAsAtFirst) {
  Policy policy;
  policy.repeat = Repeat::any;
  Rig rig(policy);
  Host ann(rig, "ann");
  rig.add_unit("u");
  std::size_t tries = 0;
  const auto spoil = [&] {
    std::size_t n = 0;
    for (; n < 50 && rig.unit("u").error_mask == 0; ++n) {
      ann.ask();
      ann.finish_all("bad");
      rig.pass();
    }
    return n;
  };
  tries = spoil();
  ASSERT_TRUE(rig.project->books().reissue_unit("u").ok());
  rig.pass();
  EXPECT_EQ(spoil(), tries);
  ASSERT_TRUE(rig.project->books().cancel_unit("u").status() != Status::ok);
}

TEST(Rounds, TheAssimilatorLearnsWhoseEveryValidResultIs) {
  Rig rig;
  Host ann(rig, "ann"), bob(rig, "bob");
  rig.add_unit("u", 2);
  ann.ask();
  bob.ask();
  ann.finish_all();
  bob.finish_all();
  rig.pass();
  ASSERT_EQ(rig.assimilated.size(), 1u);
  EXPECT_NE(rig.assimilated[0].find("[SPARKMILL_RESULT_IDS=u_0 1 1;u_1 2 2]"), std::string::npos) << rig.assimilated[0];
}

TEST(Rounds, FilesGoWhenTheirUnitIsDoneAndOld) {
  Policy policy;
  policy.keep_files_s = 3600;
  Rig rig(policy);
  Host ann(rig, "ann"), bob(rig, "bob");
  rig.add_unit("u", 1, 5 * 3600);
  rig.add_unit("v", 1, 5 * 3600);
  ann.ask(0.5);
  const Held task = ann.held.at(0);
  ASSERT_EQ(task.unit, "u");
  const auto file = rig.project->uploads().path(task.output);
  ann.finish_all();
  rig.pass();
  ASSERT_TRUE(rig.unit("u").assimilated);
  EXPECT_TRUE(std::filesystem::exists(file));
  rig.clock.advance_ms(2 * kHour);
  rig.pass();
  EXPECT_FALSE(std::filesystem::exists(file));
  // Sent again it is known, and does not come back.
  EXPECT_NE(ann.upload(task, "good 42").find("<status>0<"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(file));
  // Of a unit that is not decided nothing goes.
  bob.ask(0.5);
  ASSERT_EQ(bob.held.at(0).unit, "v");
  const auto open = rig.project->uploads().path(bob.held[0].output);
  EXPECT_NE(bob.upload(bob.held[0], "good 1").find("<status>0<"), std::string::npos);
  rig.clock.advance_ms(2 * kHour);
  rig.pass();
  EXPECT_TRUE(std::filesystem::exists(open));
}

TEST(Rounds, ProgramsThatFailByThemselvesJudgeNobody) {
  Policy policy;
  policy.retry_ms = 30'000;
  Rig rig(policy);
  Host ann(rig, "ann");
  rig.add_unit("u");
  ann.ask();
  const Held task = ann.held.at(0);
  ann.finish_all("own failure");
  rig.pass();
  EXPECT_EQ(rig.result("u_0").validity, "waits");
  EXPECT_EQ(rig.unit("u").note, "validator: no database");
  write_all(rig.project->uploads().path(task.output), "good 1");
  rig.pass();
  EXPECT_EQ(rig.result("u_0").validity, "waits") << "not before its time";
  rig.clock.advance_ms(30'001);
  rig.assimilator_works = false;
  rig.pass();
  EXPECT_EQ(rig.credit(), kCredit);
  EXPECT_FALSE(rig.unit("u").assimilated);
  EXPECT_EQ(rig.unit("u").note, "assimilator: no disk");
  rig.assimilator_works = true;
  rig.clock.advance_ms(30'001);
  rig.pass();
  EXPECT_TRUE(rig.unit("u").assimilated);
  EXPECT_EQ(rig.unit("u").note, "");
  EXPECT_EQ(rig.credit(), kCredit);
}

TEST(Rounds, HostsAndAccounts) {
  Rig rig;
  Host ann(rig, "ann");
  ann.ask();
  const std::int64_t first = ann.id;
  ann.id = 0;  // detached and attached again
  ann.ask();
  EXPECT_EQ(ann.id, first) << "the same computer of the same user";
  Host bob(rig, "bob");
  bob.id = first;  // somebody else's number
  bob.ask();
  EXPECT_NE(bob.id, first);
  SchedulerRequest nobody;
  nobody.authenticator = "00000000000000000000000000000000";
  const auto answer = rig.project->books().schedule(nobody);
  ASSERT_TRUE(answer.ok());
  EXPECT_FALSE(answer->user.has_value());
  EXPECT_EQ(answer->delay_s, 3600u);
  EXPECT_TRUE(answer->messages.at(0).first) << "a notice: the user has to do something";
}

TEST(Rounds, PlatformsDevicesAndShares) {
  Rig rig;
  const auto version = rig.folder() / "apps/sum/1.00/x86_64-pc-linux-gnu__opencl_nv";
  write_all(version / "sum_1_gpu", "gpu\n");
  write_all(version / "version.xml",
            "<version><file><physical_name>sum_1_gpu</physical_name><main_program/></file>"
            "<api_version>7.20.5</api_version></version>");
  write_all(
      rig.folder() / "plan_class_spec.xml",
      "<plan_classes><plan_class><name>opencl_nv</name><gpu_type>nvidia</gpu_type><opencl/><cpu_frac>.1</cpu_frac>"
      "</plan_class></plan_classes>");
  rig.down();
  rig.start();
  for (int i = 0; i < 9; ++i) rig.add_unit("u" + std::to_string(i));
  Host ann(rig, "ann");
  const std::string gpu =
      "<coprocs><coproc_cuda><count>0</count><req_secs>100</req_secs><req_instances>1</req_instances>"
      "<peak_flops>1e13</peak_flops></coproc_cuda></coprocs>\n";
  const std::string reply = ann.ask(0, gpu);
  EXPECT_EQ(ann.held.size(), 2u) << "two for one device";
  EXPECT_NE(reply.find("<plan_class>opencl_nv</plan_class>"), std::string::npos);
  EXPECT_NE(reply.find("<coproc>\n<type>NVIDIA</type>"), std::string::npos);
  ann.ask(1000);
  EXPECT_EQ(ann.held.size(), 2u + 4u) << "and two for each core";
  EXPECT_NE(ann.ask(1000).find("has its share"), std::string::npos);
  SchedulerRequest other;
  other.authenticator = "?";
  other.platforms = {"windows_x86_64"};
  EXPECT_EQ(rig.project->books().schedule(other)->tasks.size(), 0u);
}

}  // namespace
}  // namespace sparkmill::test
