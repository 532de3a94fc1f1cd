// SPDX-License-Identifier: Apache-2.0
// A project without network and threads, on a clock that is told to move, with clients that say what the stock client
// says. Validator: a file that begins with "good" is valid, one that begins with "own" makes it fail by itself.
#pragma once

#include <gtest/gtest.h>

#include <fstream>

#include "base/file.h"
#include "boinc/project/project.h"
#include "boinc/xml/scan.h"
#include "tests/base/temp_folder.h"

namespace sparkmill::test {

using namespace boinc::project;

inline std::string read_all(const std::filesystem::path& path) {
  auto text = read_text_file(path, 1u << 20);
  return text ? *text : std::string();
}

inline void write_all(const std::filesystem::path& path, std::string_view text) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

/// What a client remembers of a task.
struct Held {
  std::string result, unit, output, signature;
  std::uint64_t max_nbytes = 0;
  std::int64_t deadline_s = 0;
};

class Rig {
 public:
  explicit Rig(Policy policy = {}) {
    policy_ = policy;
    const auto version = folder_.path() / "apps" / "sum" / "1.00" / "x86_64-pc-linux-gnu";
    write_all(version / "sum_1", "#!/bin/true\n");
    write_all(version / "version.xml",
              "<version><file><physical_name>sum_1</physical_name><main_program/></file>"
              "<api_version>7.20.5</api_version></version>");
    start();
  }

  void start() {
    Settings s;
    s.data = folder_ / "data";
    s.apps = folder_ / "apps";
    s.port = 0;
    s.policy = policy_;
    s.programs.validator = {"validator"};
    s.programs.assimilator = {"assimilator"};
    s.background = false;
    auto made = Project::start(
        s, clock, [this](const auto& words, const auto& environment) { return judge(words, environment); });
    ASSERT_TRUE(made.ok()) << made.error().message;
    project = std::move(*made);
  }
  /// As kill -9 would leave it: nothing is done at the end, SQLite finds its journal.
  void down() { project.reset(); }

  void add_unit(const std::string& name, std::uint32_t quorum = 1, std::int64_t delay_s = 3600) {
    UnitSpec u;
    u.name = name;
    u.app = "sum";
    u.fpops_est = 4'300'000'000;
    u.fpops_bound = 1'000'000'000'000;
    u.memory_bytes = u.disk_bytes = 1'000'000;
    u.delay_s = delay_s;
    u.credit_microcobble = 12'500'000;
    u.limits.quorum = u.limits.target = quorum;
    u.outputs.push_back({"out", 1000, false});
    const Done added = project->books().add_unit(u);
    ASSERT_TRUE(added.ok()) << added.error().message;
  }

  ResultView result(const std::string& name) {
    const auto all = project->books().overview(1000);
    for (const ResultView& r : all->results) {
      if (r.name == name) return r;
    }
    ADD_FAILURE() << "no result " << name;
    return {};
  }
  UnitView unit(const std::string& name) {
    const auto all = project->books().overview(1000);
    for (const UnitView& u : all->units) {
      if (u.name == name) return u;
    }
    ADD_FAILURE() << "no unit " << name;
    return {};
  }
  std::int64_t credit() {
    std::int64_t sum = 0;
    const auto all = project->books().overview(0);
    for (const UserView& u : all->users) sum += u.credit_microcobble;
    return sum;
  }
  void pass() {
    const Done done = project->pass();
    ASSERT_TRUE(done.ok()) << done.error().message;
  }

  ManualClock clock;
  std::unique_ptr<Project> project;
  std::vector<std::string> assimilated;  ///< the words of each call, joined
  bool assimilator_works = true;

  const test::TempFolder& folder() const { return folder_; }

 private:
  Said judge(const std::vector<std::string>& words, const std::vector<std::string>& environment) {
    if (words[0] == "assimilator") {
      if (!assimilator_works) return {Opinion::later, "no disk"};
      std::string all;
      for (std::size_t i = 1; i < words.size(); ++i) {
        all += (i == 1 ? "" : " ") + std::filesystem::path(words[i]).filename().string();
      }
      for (const std::string& e : environment) all += " [" + e + "]";
      assimilated.push_back(all);
      return {Opinion::yes, {}};
    }
    if (words[1] == "compare") {
      return {read_all(words[2]) == read_all(words[3]) ? Opinion::yes : Opinion::no, "differ"};
    }
    const std::string content = read_all(words[2]);
    if (content.rfind("own", 0) == 0) return {Opinion::later, "no database"};
    return {content.rfind("good", 0) == 0 ? Opinion::yes : Opinion::no, "the answer is wrong"};
  }

  test::TempFolder folder_;
  Policy policy_;
};

/// A client of one host.
class Host {
 public:
  Host(Rig& rig, const std::string& user) : rig_(rig) {
    const auto key = rig.project->books().create_account(user + "@example.org", std::string(32, 'a'), user);
    EXPECT_TRUE(key.ok());
    key_ = key ? *key : "";
    cpid_ = md5_hex(user + std::to_string(reinterpret_cast<std::uintptr_t>(this)));
  }

  /// A scheduler request; reports what is to be reported and keeps what comes.
  std::string ask(double seconds = 1, const std::string& more = {}) {
    std::string body = "<scheduler_request>\n<authenticator>" + key_ + "</authenticator>\n<hostid>" +
                       std::to_string(id) + "</hostid>\n<rpc_seqno>" + std::to_string(seqno_++) +
                       "</rpc_seqno>\n<cpu_req_secs>" + std::to_string(seconds) +
                       "</cpu_req_secs>\n<platform_name>x86_64-pc-linux-gnu</platform_name>\n"
                       "<host_info><host_cpid>" +
                       cpid_ + "</host_cpid><p_ncpus>2</p_ncpus><p_fpops>1000000000.0</p_fpops></host_info>\n";
    if (!code_key.empty()) body += "<code_sign_key>\n" + code_key + "\n</code_sign_key>\n";
    body += reports_ + more + "<other_results>\n";
    for (const Held& h : held) body += "<other_result><name>" + h.result + "</name></other_result>\n";
    body += "</other_results>\n</scheduler_request>\n";
    const http::Response response = rig_.project->scheduler(body);
    EXPECT_EQ(response.status, 200);
    const std::string reply(text(response.body));
    read(reply);
    return reply;
  }

  void report(const std::string& result, int state = 5, int exit_status = 0) {
    reports_ += "<result><name>" + result + "</name><state>" + std::to_string(state) + "</state><exit_status>" +
                std::to_string(exit_status) + "</exit_status><final_cpu_time>3.5</final_cpu_time></result>\n";
    held.erase(std::remove_if(held.begin(), held.end(), [&](const Held& h) { return h.result == result; }), held.end());
  }

  /// The handler's whole answer.
  std::string upload(const Held& h, const std::string& content, std::uint64_t offset = 0, std::string md5 = {}) {
    if (md5.empty()) md5 = md5_hex(content);
    std::string body =
        "<data_server_request>\n<core_client_major_version>7</core_client_major_version>\n<file_upload>\n<file_info>\n"
        "<name>" +
        h.output + "</name>\n<xml_signature>\n" + h.signature + "\n</xml_signature>\n<max_nbytes>" +
        std::to_string(h.max_nbytes) + "</max_nbytes>\n</file_info>\n<nbytes>" + std::to_string(content.size()) +
        "</nbytes>\n<md5_cksum>" + md5 + "</md5_cksum>\n<offset>" + std::to_string(offset) + "</offset>\n<data>\n" +
        content.substr(offset);
    return send(body);
  }
  std::string send(const std::string& body) { return std::string(text(rig_.project->uploads().handle(body).body)); }
  /// Computes everything that it holds: upload and report.
  void finish_all(const std::string& content = "good 42") {
    while (!held.empty()) {
      const Held h = held.front();
      EXPECT_NE(upload(h, content).find("<status>0<"), std::string::npos);
      report(h.result);
    }
    ask(0);
  }

  std::int64_t id = 0;
  std::string code_key;
  std::vector<Held> held;

 private:
  void read(const std::string& reply) {
    const auto top = boinc::xml::find(reply, "scheduler_reply");
    ASSERT_TRUE(top.has_value()) << reply;
    std::map<std::string, std::string> signatures;
    std::map<std::string, std::uint64_t> limits;
    boinc::xml::Scanner scan(top->inner);
    for (boinc::xml::Element e; scan.next(e);) {
      if (e.name == "hostid") {
        id = *boinc::xml::integer(e);
        seqno_ = 0;
      }
      if (e.name == "code_sign_key") code_key = std::string(boinc::xml::trim(e.inner));
      if (e.name == "file_info" && boinc::xml::find(e.inner, "xml_signature")) {
        const std::string name = boinc::xml::child_text(e.inner, "name");
        signatures[name] = boinc::xml::child_text(e.inner, "xml_signature");
        limits[name] = static_cast<std::uint64_t>(boinc::xml::child_integer(e.inner, "max_nbytes"));
      }
      if (e.name == "result_ack") reports_.clear();
      if (e.name != "result") continue;
      Held h;
      h.result = boinc::xml::child_text(e.inner, "name");
      h.unit = boinc::xml::child_text(e.inner, "wu_name");
      h.deadline_s = boinc::xml::child_integer(e.inner, "report_deadline");
      h.output = boinc::xml::child_text(boinc::xml::find(e.inner, "file_ref")->inner, "file_name");
      h.signature = signatures[h.output];
      h.max_nbytes = limits[h.output];
      held.push_back(h);
    }
  }

  Rig& rig_;
  std::string key_, cpid_, reports_;
  std::int64_t seqno_ = 0;
};

}  // namespace sparkmill::test
