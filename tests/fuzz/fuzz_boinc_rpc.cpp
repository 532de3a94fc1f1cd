// SPDX-License-Identifier: Apache-2.0
// Whatever a peer says as a BOINC client: every parser of replies gives a value or an error, and values are within
// their bounds. The same bytes are tried as lines of a job log and as a URL.
#include <cstdlib>

#include "boinc/rpc/attach.h"
#include "boinc/rpc/types.h"

namespace {

using namespace sparkmill;
using namespace sparkmill::boinc::rpc;

void demand(bool holds) {
  if (!holds) std::abort();
}

void look_at(const Task& t) {
  demand(t.name.size() <= 4096 && t.project_url.size() <= 4096);
  demand(!(t.over() && t.runnable()));
  demand(!t.running() || t.active);
  demand(t.gpu_device() >= -1);
  (void)t.gpu_type();
  demand(!phase(t).empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view reply(reinterpret_cast<const char*>(data), size);
  (void)parse_version(reply);
  if (const auto s = parse_cc_status(reply)) (void)suspend_names(s->task_suspend_reason);
  (void)parse_host_info(reply);
  (void)parse_projects(reply);
  if (const auto tasks = parse_results(reply)) {
    for (const Task& t : *tasks) look_at(t);
  }
  (void)parse_old_results(reply);
  (void)parse_messages(reply);
  (void)parse_notices(reply);
  (void)parse_file_transfers(reply);
  (void)parse_statistics(reply);
  if (const auto state = parse_state(reply)) {
    for (const Task& t : state->tasks) look_at(t);
  }
  if (const auto config = parse_project_config(reply)) {
    demand(!attach_error(config->error_num, "u", config->error_text).message.empty());
  }
  (void)parse_account(reply);
  (void)parse_attach(reply);
  OldResult line;
  if (parse_job_log_line(reply, line)) demand(!line.name.empty() && line.name.size() <= 256);
  if (const auto url = canonical_url(reply)) {
    const auto again = canonical_url(*url);
    demand(again.ok() && *again == *url);
  }
  return 0;
}
