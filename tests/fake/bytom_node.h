// SPDX-License-Identifier: Apache-2.0
// A Bytom node as the mining page describes bytomd 1.1.1: a chain of headers, work, refusals that arrive as HTTP 200.
// One function from request to answer; a test mounts it in memory or behind a real server.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/http/message.h"
#include "base/result.h"
#include "verify/chain/header.h"

namespace sparkmill::fake {

class BytomNode {
 public:
  using Judge = std::function<Hash32(const Hash32& header_hash, const Hash32& seed)>;
  /// `bits` of every block. The genesis block is 150 s old.
  BytomNode(Judge judge, const Clock& clock, std::uint64_t bits);

  /// Error: unreachable, where the real one drops the connection.
  Result<http::Response> handle(const http::Request& request);

  /// A block of somebody else, `seconds` after the last one.
  void foreign_block(std::uint64_t seconds);
  /// Another coinbase: the template changes under the same parent.
  void new_transactions();
  std::string token;               ///< "id:hex" that is demanded; empty: none
  std::uint64_t header_calls = 0;  ///< get-block-header
  std::uint64_t work_calls = 0;
  std::uint64_t submissions = 0, blocks = 0, twice = 0;
  std::uint64_t height() const;
  const chain::BlockHeader& block(std::uint64_t height) const { return chain_[height]; }
  std::uint64_t template_timestamp_shift = 0;  ///< its clock goes wrong by so many seconds

 private:
  http::Response work(bool json);
  http::Response submit(const chain::BlockHeader& header);
  chain::BlockHeader current() const;
  std::uint64_t median() const;
  void append(chain::BlockHeader header);

  Judge judge_;
  const Clock& clock_;
  std::uint64_t bits_;
  std::uint64_t transactions_ = 1;
  std::vector<chain::BlockHeader> chain_;
  std::map<Hash32, int> seen_;
  mutable std::mutex mutex_;
};

}  // namespace sparkmill::fake
