// SPDX-License-Identifier: Apache-2.0
// The same questions asked by BOINC's own RPC_CLIENT, behind plain types: its headers stay in oracle.cpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace sparkmill::test {

struct OracleAnswers {
  int version[3] = {};
  int task_suspend_reason = -1, task_mode = -1, gpu_mode = -1, network_mode = -1, network_status = -1;
  std::string domain_name, host_cpid, model, os_name;
  int cpus = 0;
  double fpops = 0, memory_bytes = 0;
  std::vector<std::string> messages;
  std::vector<int> message_numbers;
  std::vector<std::string> projects;
  std::vector<std::string> results;
  std::vector<std::string> platforms;
  int message_count = 0;
};

/// Nothing, with the reason in `why`, when this build has no oracle or it could not ask.
std::optional<OracleAnswers> ask_oracle(std::uint16_t port, const std::string& password, std::string& why);

}  // namespace sparkmill::test
