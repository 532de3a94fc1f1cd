// SPDX-License-Identifier: Apache-2.0
// Replies as a 7.20.5 client sends them.
#include <gmock/gmock.h>

#include "boinc/rpc/types.h"

namespace sparkmill::boinc::rpc {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr std::string_view kStatus = R"(
<cc_status>
   <network_status>0</network_status>
   <task_suspend_reason>1024</task_suspend_reason>
   <task_mode>1</task_mode> <task_mode_perm>1</task_mode_perm> <task_mode_delay>12.500000</task_mode_delay>
   <gpu_suspend_reason>2</gpu_suspend_reason>
   <gpu_mode>3</gpu_mode>
   <network_mode>2</network_mode>
   <disallow_attach>0</disallow_attach>
</cc_status>
)";

constexpr std::string_view kResults = R"(
<results>
<result>
    <name>upper_wu2_0</name>
    <wu_name>upper_wu2</wu_name>
    <plan_class></plan_class>
    <project_url>http://127.0.0.1:8099/demo/</project_url>
    <exit_status>0</exit_status>
    <state>2</state>
    <report_deadline>1795321083.000000</report_deadline>
    <estimated_cpu_time_remaining>48.000000</estimated_cpu_time_remaining>
<active_task>
    <active_task_state>1</active_task_state>
    <slot>0</slot>
    <pid>28522</pid>
    <scheduler_state>2</scheduler_state>
    <fraction_done>0.200000</fraction_done>
    <current_cpu_time>7.058652</current_cpu_time>
    <elapsed_time>16.072724</elapsed_time>
</active_task>
</result>
<result>
    <name>gpu_1</name>
    <state>5</state>
    <ready_to_report/>
    <completed_time>1795235239.661935</completed_time>
    <resources>0.1 CPUs + 1 NVIDIA GPU (device 3)</resources>
</result>
</results>
)";

TEST(BoincReplies, ReadsTheStatus) {
  const auto s = parse_cc_status(kStatus);
  ASSERT_TRUE(s) << s.error().message;
  EXPECT_EQ(s->task_suspend_reason, kSuspendCpuBusy);
  EXPECT_EQ(s->task_mode, Mode::always);
  EXPECT_EQ(s->gpu_mode, Mode::never);
  EXPECT_EQ(s->network_mode, Mode::automatic);
  EXPECT_DOUBLE_EQ(s->task_mode_delay_s, 12.5);
  EXPECT_THAT(suspend_names(s->task_suspend_reason), ElementsAre("cpu_busy"));
  EXPECT_THAT(suspend_names(s->gpu_suspend_reason), ElementsAre("user_active"));
}

TEST(BoincReplies, NamesSuspendReasons) {
  EXPECT_THAT(suspend_names(0), IsEmpty());
  EXPECT_THAT(suspend_names(1 | 8 | 1024), ElementsAre("battery", "schedule", "cpu_busy"));
  EXPECT_THAT(suspend_names(4099), ElementsAre("overheated"));
  EXPECT_THAT(suspend_names(5000), ElementsAre("reason_5000"));
}

TEST(BoincReplies, ReadsTasks) {
  const auto tasks = parse_results(kResults);
  ASSERT_TRUE(tasks) << tasks.error().message;
  ASSERT_EQ(tasks->size(), 2u);
  const Task& cpu = (*tasks)[0];
  EXPECT_EQ(cpu.name, "upper_wu2_0");
  EXPECT_EQ(cpu.project_url, "http://127.0.0.1:8099/demo/");
  EXPECT_TRUE(cpu.running());
  EXPECT_TRUE(cpu.runnable());
  EXPECT_FALSE(cpu.over());
  EXPECT_FALSE(cpu.uses_gpu());
  EXPECT_EQ(cpu.pid, 28522);
  EXPECT_DOUBLE_EQ(cpu.fraction_done, 0.2);
  EXPECT_EQ(phase(cpu), "running");
  const Task& gpu = (*tasks)[1];
  EXPECT_TRUE(gpu.ready_to_report);
  EXPECT_TRUE(gpu.over());
  EXPECT_FALSE(gpu.runnable());
  EXPECT_TRUE(gpu.uses_gpu());
  EXPECT_EQ(gpu.gpu_type(), "NVIDIA");
  EXPECT_EQ(gpu.gpu_device(), 3);
  EXPECT_EQ(phase(gpu), "to be reported");
}

TEST(BoincReplies, UnderstandsResources) {
  const auto of = [](const char* text) {
    Task t;
    t.resources = text;
    return t;
  };
  EXPECT_EQ(of("0.5 CPUs + 0.5 AMD/ATI GPUs").gpu_type(), "AMD/ATI");
  EXPECT_EQ(of("0.5 CPUs + 0.5 AMD/ATI GPUs").gpu_device(), -1);
  EXPECT_EQ(of("1 CPU + 1 Intel GPU (device 0)").gpu_type(), "Intel");
  EXPECT_EQ(of("1 CPU + 1 Intel GPU (device 0)").gpu_device(), 0);
  EXPECT_EQ(of("2 CPUs").gpu_type(), "");
  EXPECT_EQ(of("1 GPU").gpu_type(), "");
  EXPECT_EQ(of("(device -3) GPU").gpu_device(), -1);
}

TEST(BoincReplies, ReadsTheWholeState) {
  const auto s = parse_state(R"(<client_state>
<host_info><p_ncpus>2</p_ncpus><p_model>X &lt;1&gt;</p_model><m_nbytes>25276510208.000000</m_nbytes>
<coprocs><coproc_cuda><count>2</count><name>H200</name></coproc_cuda><coproc><type>NVIDIA</type><count>1</count></coproc></coprocs>
</host_info>
<project><master_url>http://a/</master_url><project_name>A</project_name><userid>7</userid><hostid>9</hostid>
<external_cpid>3538eb46a08ee6ca65a2905634d5f0e5</external_cpid><rsc_backoff_time><name>CPU</name></rsc_backoff_time>
<suspended_via_gui/><gui_urls><gui_url><name>n</name><url>http://a/?x=1&y=2</url></gui_url></gui_urls>
<project_dir>/d/projects/a</project_dir></project>
<app><name>x</name></app><workunit><name>w</name></workunit><result><name>w_0</name><state>2</state></result>
<project><master_url>http://b/</master_url></project><result><name>v_0</name></result>
<platform_name>p</platform_name><core_client_major_version>7</core_client_major_version>
<core_client_minor_version>20</core_client_minor_version><core_client_release>5</core_client_release><platform>p</platform>
</client_state>)");
  ASSERT_TRUE(s) << s.error().message;
  EXPECT_EQ(s->core.text(), "7.20.5");
  EXPECT_EQ(s->host.cpus, 2u);
  EXPECT_EQ(s->host.model, "X <1>");
  ASSERT_EQ(s->host.coprocs.size(), 2u);
  EXPECT_EQ(s->host.coprocs[0].type, "NVIDIA");
  EXPECT_EQ(s->host.coprocs[0].count, 2u);
  ASSERT_EQ(s->projects.size(), 2u);
  EXPECT_EQ(s->projects[0].name, "A");
  EXPECT_EQ(s->projects[0].host_id, 9);
  EXPECT_TRUE(s->projects[0].suspended);
  EXPECT_FALSE(s->projects[1].suspended);
  ASSERT_EQ(s->tasks.size(), 2u);
  EXPECT_EQ(s->tasks[0].project_url, "http://a/");
  EXPECT_EQ(s->tasks[1].project_url, "http://b/");
  EXPECT_THAT(s->platforms, ElementsAre("p"));
}

TEST(BoincReplies, ReadsMessagesAndOldResults) {
  const auto m = parse_messages(
      "<msgs><msg>\n <project>P</project><pri>2</pri><seqno>23</seqno>\n<body><![CDATA[\nat 5 < 6 "
      "&amp;\n]]></body><time>1795233900</time></msg></msgs>");
  ASSERT_TRUE(m);
  ASSERT_EQ(m->size(), 1u);
  EXPECT_EQ((*m)[0].body, "at 5 < 6 &amp;");
  EXPECT_EQ((*m)[0].number, 23);
  EXPECT_EQ((*m)[0].priority, 2);
  const auto o = parse_old_results(
      "<old_results><old_result>\n<project_url>http://a/</project_url><result_name>w_0</result_name><app_name>upper</"
      "app_name><exit_status>-185</exit_status><elapsed_time>7.021809</elapsed_time><cpu_time>2.5</"
      "cpu_time><completed_time>1795235039.5</completed_time></old_result></old_results>");
  ASSERT_TRUE(o);
  ASSERT_EQ(o->size(), 1u);
  EXPECT_EQ((*o)[0].name, "w_0");
  EXPECT_EQ((*o)[0].exit_status, -185);
}

TEST(BoincReplies, ReadsPolls) {
  EXPECT_EQ(parse_project_config("<project_config><error_num>-204</error_num></project_config>")->error_num, -204);
  const auto p = parse_project_config(
      "<?xml version=\"1.0\"?>\n<project_config><name>Demo &amp; co</name><master_url>http://a/</master_url>"
      "<min_passwd_length>6</min_passwd_length><account_creation_disabled/></project_config>");
  ASSERT_TRUE(p);
  EXPECT_EQ(p->name, "Demo & co");
  EXPECT_EQ(p->min_password, 6u);
  EXPECT_TRUE(p->creation_disabled);
  EXPECT_EQ(parse_project_config("<error><error_num>-183</error_num></error>")->error_num, -183);
  const auto bad = parse_account("<error><error_num>-206</error_num><error_msg>Invalid password</error_msg></error>");
  ASSERT_TRUE(bad);
  EXPECT_EQ(bad->error_num, -206);
  EXPECT_EQ(bad->error_text, "Invalid password");
  EXPECT_EQ(parse_account("<account_out><authenticator>abc</authenticator></account_out>")->authenticator, "abc");
  EXPECT_EQ(
      parse_attach("<project_attach_reply><error_num>-189</error_num><message>no</message></project_attach_reply>")
          ->error_num,
      -189);
}

TEST(BoincReplies, SaysWhatIsMissing) {
  const auto s = parse_cc_status("<results></results>");
  ASSERT_FALSE(s);
  EXPECT_EQ(s.status(), Status::bad_input);
  EXPECT_THAT(s.error().message, HasSubstr("cc_status"));
  for (const char* text : {"", "<", "<cc_status", "\x03", "<client_state>"}) EXPECT_FALSE(parse_projects(text)) << text;
}

TEST(BoincJobLog, ReadsLines) {
  OldResult r;
  ASSERT_TRUE(
      parse_job_log_line("1795234564 ue 60.000000 ct 8.827440 fe 60000000000 nm upper_wu1_0 et 9.020636 es 0", r));
  EXPECT_EQ(r.name, "upper_wu1_0");
  EXPECT_DOUBLE_EQ(r.completed_time, 1795234564);
  EXPECT_DOUBLE_EQ(r.cpu_s, 8.82744);
  EXPECT_DOUBLE_EQ(r.elapsed_s, 9.020636);
  for (const char* bad : {"", "x", "1795234564", "1795234564 ue", "1795234564 nm a", "z nm a es 0", "1 nm a es x",
                          "1 es 0", "1 nm a es 0 cut"}) {
    EXPECT_FALSE(parse_job_log_line(bad, r)) << bad;
  }
}

TEST(BoincJobLog, NamesFilesAsTheClientDoes) {
  EXPECT_EQ(escaped_url("http://127.0.0.1:8099/demo/"), "127.0.0.1_8099_demo");
  EXPECT_EQ(escaped_url("https://boinc.bakerlab.org/rosetta/"), "boinc.bakerlab.org_rosetta");
}

}  // namespace
}  // namespace sparkmill::boinc::rpc
