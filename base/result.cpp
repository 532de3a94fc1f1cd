// SPDX-License-Identifier: Apache-2.0
#include "base/result.h"

namespace sparkmill {

std::string_view name(Status status) {
  switch (status) {
    case Status::ok: return "ok";
    case Status::bad_argument: return "bad_argument";
    case Status::bad_input: return "bad_input";
    case Status::bad_config: return "bad_config";
    case Status::not_found: return "not_found";
    case Status::io_error: return "io_error";
    case Status::no_space: return "no_space";
    case Status::corrupt: return "corrupt";
    case Status::refused: return "refused";
    case Status::unreachable: return "unreachable";
    case Status::timeout: return "timeout";
    case Status::late: return "late";
    case Status::duplicate: return "duplicate";
    case Status::cancelled: return "cancelled";
    case Status::too_large: return "too_large";
    case Status::no_device: return "no_device";
    case Status::self_test_failed: return "self_test_failed";
    case Status::mismatch: return "mismatch";
    case Status::locked: return "locked";
    case Status::unsupported: return "unsupported";
    case Status::internal: return "internal";
  }
  return "internal";
}

int exit_code(Status status) {
  switch (status) {
    case Status::ok: return 0;
    case Status::bad_argument: return 2;
    case Status::bad_config: return 3;
    case Status::no_device:
    case Status::unsupported: return 4;
    case Status::self_test_failed: return 5;
    case Status::unreachable:
    case Status::timeout: return 6;
    case Status::refused: return 7;
    case Status::locked: return 10;
    case Status::mismatch: return 11;
    case Status::cancelled: return 12;
    case Status::bad_input:
    case Status::not_found:
    case Status::corrupt:
    case Status::too_large:
    case Status::late:
    case Status::duplicate: return 13;
    case Status::io_error:
    case Status::no_space: return 75;
    case Status::internal: return 1;
  }
  return 1;
}

}  // namespace sparkmill
