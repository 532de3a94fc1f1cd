// SPDX-License-Identifier: Apache-2.0
#include "tests/boinc/rpc/oracle.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>

#include <gui_rpc_client.h>

namespace sparkmill::test {

std::optional<OracleAnswers> ask_oracle(std::uint16_t port, const std::string& password, std::string& why) {
  ::signal(SIGPIPE, SIG_IGN);  // it writes without MSG_NOSIGNAL
  RPC_CLIENT rpc;
  if (const int e = rpc.init("127.0.0.1", port); e != 0) return why = "init: " + std::to_string(e), std::nullopt;
  if (const int e = rpc.authorize(password.c_str()); e != 0)
    return why = "authorize: " + std::to_string(e), std::nullopt;
  OracleAnswers a;
  VERSION_INFO version;
  CC_STATUS status;
  HOST_INFO host;
  MESSAGES messages;
  PROJECTS projects;
  RESULTS results;
  CC_STATE state;
  int e = rpc.exchange_versions("oracle", version);
  if (e == 0) e = rpc.get_cc_status(status);
  if (e == 0) e = rpc.get_host_info(host);
  if (e == 0) e = rpc.get_messages(0, messages);
  if (e == 0) e = rpc.get_message_count(a.message_count);
  if (e == 0) e = rpc.get_project_status(projects);
  if (e == 0) e = rpc.get_results(results);
  if (e == 0) e = rpc.get_state(state);
  if (e != 0) return why = "a call: " + std::to_string(e), std::nullopt;
  a.version[0] = version.major, a.version[1] = version.minor, a.version[2] = version.release;
  a.task_suspend_reason = status.task_suspend_reason;
  a.task_mode = status.task_mode;
  a.gpu_mode = status.gpu_mode;
  a.network_mode = status.network_mode;
  a.network_status = status.network_status;
  a.domain_name = host.domain_name;
  a.host_cpid = host.host_cpid;
  a.model = host.p_model;
  a.os_name = host.os_name;
  a.cpus = host.p_ncpus;
  a.fpops = host.p_fpops;
  a.memory_bytes = host.m_nbytes;
  for (const MESSAGE* m : messages.messages) {
    a.messages.push_back(m->body);
    a.message_numbers.push_back(m->seqno);
  }
  for (const PROJECT* p : projects.projects) a.projects.push_back(p->master_url);
  for (const RESULT* r : results.results) a.results.push_back(r->name);
  a.platforms = state.platforms;
  return a;
}

}  // namespace sparkmill::test
