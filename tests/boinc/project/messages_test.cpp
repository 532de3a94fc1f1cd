// SPDX-License-Identifier: Apache-2.0
// What clients send, as captured from the stock client (cut), and what is none of it.
#include "boinc/project/messages.h"

#include <gtest/gtest.h>

namespace sparkmill::boinc::project {
namespace {

constexpr std::string_view kRequest = R"(<scheduler_request>
    <authenticator>2c67152cd4565f858a69c8b52b73c898</authenticator>
    <hostid>7</hostid>
    <rpc_seqno>3</rpc_seqno>
    <core_client_major_version>7</core_client_major_version>
    <core_client_minor_version>20</core_client_minor_version>
    <core_client_release>5</core_client_release>
    <dont_send_work>0</dont_send_work>
    <work_req_seconds>1.000000</work_req_seconds>
    <cpu_req_secs>12.500000</cpu_req_secs>
    <cpu_req_instances>1.000000</cpu_req_instances>
    <platform_name>x86_64-pc-linux-gnu</platform_name>
    <alt_platform><name>i686-pc-linux-gnu</name></alt_platform>
<code_sign_key>
1024
a53b
.
</code_sign_key>
<host_info>
    <domain_name>vm</domain_name>
    <host_cpid>f0e5a0611437bda52f836cb3cf36e382</host_cpid>
    <p_ncpus>2</p_ncpus>
    <p_model>AMD EPYC &amp; more</p_model>
    <p_features>fpu avx2 avx512f</p_features>
    <p_fpops>1000000000.000000</p_fpops>
    <m_nbytes>25276510208.000000</m_nbytes>
</host_info>
<disk_usage><d_boinc_used_project>1000.0</d_boinc_used_project><d_project_share>5000.0</d_project_share></disk_usage>
<coprocs>
<coproc_cuda><count>0</count><name>Fake</name><req_secs>3.0</req_secs><req_instances>2.0</req_instances>
<peak_flops>1e13</peak_flops></coproc_cuda>
<coproc><type>odd</type><count>1</count></coproc>
</coprocs>
<result>
    <name>upper_wu1_0</name>
    <final_cpu_time>8.827440</final_cpu_time>
    <exit_status>0</exit_status>
    <state>5</state>
<stderr_out>
<![CDATA[
<stderr_txt>
04:16:00 (27886): called boinc_finish(0) <not> a & tag
</stderr_txt>
]]>
</stderr_out>
</result>
<result><name>upper_wu2_0</name><state>3</state><exit_status>193</exit_status></result>
<other_results>
<other_result><name>wu_3_0</name><app_version>0</app_version></other_result>
</other_results>
</scheduler_request>
)";

TEST(SchedulerRequest, AsTheStockClientSendsIt) {
  const auto r = read_request(kRequest);
  ASSERT_TRUE(r.ok()) << r.error().message;
  EXPECT_EQ(r->authenticator, "2c67152cd4565f858a69c8b52b73c898");
  EXPECT_EQ(r->host, 7);
  EXPECT_EQ(r->seqno, 3);
  EXPECT_EQ(r->client, "7.20.5");
  EXPECT_EQ(r->platforms, (std::vector<std::string>{"x86_64-pc-linux-gnu", "i686-pc-linux-gnu"}));
  EXPECT_EQ(r->code_sign_key, "1024\na53b\n.");
  EXPECT_EQ(r->cpus, 2);
  EXPECT_EQ(r->cpu, "AMD EPYC & more");
  EXPECT_EQ(r->disk_bytes, 4000);
  ASSERT_EQ(r->wants.size(), 3u);
  EXPECT_EQ(r->wants[0].type, "CPU");
  EXPECT_EQ(r->wants[0].seconds, 12.5);
  EXPECT_EQ(r->wants[1].type, "NVIDIA") << "count 0 is what fake devices say; they are served";
  EXPECT_EQ(r->wants[1].instances, 2);
  EXPECT_EQ(r->wants[1].peak_flops, 1e13);
  EXPECT_EQ(r->wants[2].type, "odd");
  EXPECT_FALSE(r->wants[2].wants());
  ASSERT_EQ(r->reported.size(), 2u);
  EXPECT_TRUE(r->reported[0].success());
  EXPECT_NE(r->reported[0].stderr_out.find("boinc_finish(0)"), std::string::npos);
  EXPECT_FALSE(r->reported[1].success());
  EXPECT_EQ(r->reported[1].exit_status, 193);
  EXPECT_TRUE(r->lists_results);
  EXPECT_EQ(r->others, std::vector<std::string>{"wu_3_0"});
}

TEST(SchedulerRequest, BadInput) {
  EXPECT_EQ(read_request("").status(), Status::bad_input);
  EXPECT_EQ(read_request("<scheduler_request>").status(), Status::bad_input);
  EXPECT_EQ(read_request("<scheduler_request></scheduler_request>").status(), Status::bad_input);
  EXPECT_EQ(read_request(std::string(kRequest.substr(0, kRequest.size() - 30))).status(), Status::bad_input);
  EXPECT_EQ(read_request(std::string(kRequestLimit + 1, ' ')).status(), Status::too_large);
  const auto odd = read_request(
      "<scheduler_request><authenticator>a</authenticator><cpu_req_secs>nan</cpu_req_secs><cpu_req_instances>1e400"
      "</cpu_req_instances><hostid>999999999999999999999</hostid></scheduler_request>");
  ASSERT_TRUE(odd.ok());
  EXPECT_FALSE(odd->wants[0].wants());
  EXPECT_EQ(odd->host, 0);
}

TEST(SchedulerRequest, ALongListOfHeldResultsLosesNone) {
  std::string body = "<scheduler_request><authenticator>a</authenticator><other_results>";
  for (int i = 0; i < 3000; ++i) body += "<other_result><name>r_" + std::to_string(i) + "</name></other_result>";
  const auto r = read_request(body + "</other_results></scheduler_request>");
  ASSERT_TRUE(r.ok());
  EXPECT_EQ(r->others.size(), kMaxReported);
  EXPECT_FALSE(r->lists_results) << "what was cut off must not look lost";
}

std::string upload(const std::string& name, const std::string& nbytes, const std::string& offset,
                   const std::string& data) {
  return "<data_server_request>\n    "
         "<core_client_major_version>7</core_client_major_version>\n<file_upload>\n<file_info>"
         "\n<name>" +
         name +
         "</name>\n<xml_signature>\nabcd\n.</xml_signature>\n<max_nbytes>100000</max_nbytes>\n</file_info>\n<nbytes>" +
         nbytes + "</nbytes>\n<md5_cksum>6fda5e42c4173032942c3e304e05017b</md5_cksum>\n<offset>" + offset +
         "</offset>\n<data>\n" + data;
}

TEST(Upload, HeaderAndData) {
  // The request points into its text, which must outlive it.
  const std::string body = upload("wu_0_r5_0", "17", "2", "<data>\n\0x</name>") + std::string(40, 'x');
  const auto r = read_upload(body);
  ASSERT_TRUE(r.ok()) << r.error().message;
  EXPECT_EQ(r->name, "wu_0_r5_0");
  EXPECT_EQ(r->signature, "abcd\n.");
  EXPECT_EQ(r->max_nbytes, 100'000u);
  EXPECT_EQ(r->nbytes, 17u);
  EXPECT_EQ(r->offset, 2u);
  EXPECT_EQ(r->data.size(), 15u) << "what follows the announced length is dropped";
  EXPECT_EQ(r->data.substr(0, 7), "<data>\n") << "data may look like anything";
  const auto size =
      read_upload("<data_server_request>\n<get_file_size>wu_0_r5_0</get_file_size>\n</data_server_request>");
  ASSERT_TRUE(size.ok());
  EXPECT_TRUE(size->ask_size);
}

TEST(Upload, BadInput) {
  EXPECT_EQ(read_upload("").status(), Status::bad_input);
  EXPECT_EQ(read_upload("<data_server_request>").status(), Status::bad_input);
  EXPECT_EQ(read_upload(upload("a", "17", "0", "short")).status(), Status::cancelled);
  EXPECT_EQ(read_upload(upload("a", "17", "18", "")).status(), Status::bad_input);
  EXPECT_EQ(read_upload(upload("a", "-1", "0", "")).status(), Status::bad_input);
  EXPECT_EQ(read_upload(upload("a", "99999999999999999999", "0", "")).status(), Status::bad_input);
  for (const std::string name : {"", "../a", "a/b", "..", ".hidden", "a%2fb", "a b", "a\x01", "a<b"}) {
    EXPECT_EQ(read_upload(upload(name, "1", "0", "x")).status(), Status::bad_input) << name;
  }
  EXPECT_EQ(read_upload(upload(std::string(256, 'a'), "1", "0", "x")).status(), Status::bad_input);
  EXPECT_TRUE(read_upload(upload(std::string(255, 'a'), "1", "0", "x")).ok());
  // The mark of the data must come early: a header without end is not searched through.
  EXPECT_EQ(read_upload(upload(std::string(kUploadHeader, ' ') + "a", "1", "0", "x")).status(), Status::bad_input);
}

}  // namespace
}  // namespace sparkmill::boinc::project
