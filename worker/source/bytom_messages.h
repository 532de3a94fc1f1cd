// SPDX-License-Identifier: Apache-2.0
// The texts of a Bytom node's HTTP interface (mining page A): work, submissions, refusals. A refusal arrives as HTTP
// 200 like everything else, so nothing here looks at the HTTP status alone.
#pragma once

#include "base/http/message.h"
#include "worker/source/mining.h"

namespace sparkmill::mining::bytom {

struct Work {
  chain::BlockHeader header;
  Hash32 seed{};
};

/// Requests; `token` ("id:64hex") becomes HTTP Basic, empty sends none.
http::Request get_work(bool json, const std::string& token);
/// Error: bad_input (an integer that the node could not store).
Result<http::Request> submit_work(bool json, const chain::BlockHeader& header, const std::string& token);
http::Request get_block_header(std::uint64_t height, const std::string& token);

/// Answers to get-work or get-work-json. Errors: refused (token), unsupported (not a Bytom node), bad_input (makes no
/// sense), unreachable (the node says it cannot now).
Result<Work> read_work(bool json, const http::Response& response);
/// Answer to get-block-header. Errors as read_work.
Result<chain::BlockHeader> read_block_header(const http::Response& response);

/// How a submission ended; never not_sent.
struct Verdict {
  ShareEnd end = ShareEnd::unknown;
  ShareReason reason = ShareReason::no_verdict;
  std::string text;
};
Verdict read_submit(const http::Response& response);

/// Standard base64 with padding.
std::string base64(std::string_view text);

}  // namespace sparkmill::mining::bytom
