// SPDX-License-Identifier: Apache-2.0
#include "tests/boinc/rpc/oracle.h"

namespace sparkmill::test {

std::optional<OracleAnswers> ask_oracle(std::uint16_t, const std::string&, std::string& why) {
  why = "built without BOINC's own RPC library (libboinc-app-dev; never with sanitizers)";
  return std::nullopt;
}

}  // namespace sparkmill::test
