// SPDX-License-Identifier: Apache-2.0
// The reference node as a library: `sparkmill-node` runs it alone, `sparkmill run` without a node embeds it.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/keys/keys.h"
#include "base/result.h"

namespace sparkmill::node {

struct Settings {
  std::filesystem::path data;  ///< ledger.sqlite, blobs/, node.key; created
  std::string listen = "127.0.0.1";
  bool allow_remote = false;           ///< listen on an address that is not loopback
  std::uint16_t port = 0;              ///< 0: any free one
  std::uint64_t interval_ms = 10'000;  ///< block interval; 2,000 in the demo
  /// Blocks need a Tensority solution; a fallback block comes after six intervals without one. Off: a timer makes them,
  /// for nodes that only match. A ledger is one or the other for ever.
  bool proof_of_work = true;
  /// Expected hashes of the first blocks of a new ledger; 0: 16 for each second of the interval.
  std::uint64_t first_difficulty = 0;
  std::uint64_t min_open_ms = 60'000;  ///< an opening is never due earlier than this after block h+3
  std::uint64_t lease_ms = 600'000;
  std::uint32_t openings = 128;  ///< k
  /// Job generator: match.h jobs of real faces hidden in a seeded synthetic population, verify.batch and verify.blocks.
  bool generate = true;
  std::uint32_t job_signatures = 0;  ///< in a verify.batch job; 0: none
  std::uint32_t job_blocks = 0;      ///< items of a verify.blocks job; 0: none
  /// How the credit that is handed out is shared among kinds, "match.h=3,verify.batch=1"; a kind that is not named
  /// counts 1, one with 0 is not made.
  std::string shares;
  /// Kinds whose answers this node recomputes as a whole before it accepts them, "verify.batch": receipts then say
  /// "confirmed". Such work costs the node as much as the worker.
  std::string confirm;
  std::uint32_t job_requests = 1u << 13;
  std::uint32_t job_users = 1u << 13;
  std::uint32_t job_n = 2048;
  std::string job_predicate = "face.dot>=660";
  std::uint32_t queue_ahead = 2;  ///< jobs kept ready
  std::uint64_t max_jobs = 0;     ///< 0: endless
  std::uint64_t blob_limit_bytes = 8ull << 30;
  std::string seed_text;                   ///< non-empty: reproducible demo population
  std::uint32_t beacon_length = 1u << 20;  ///< secrets of one beacon chain; another one follows
  /// BOINC projects whose credit counts here (docs/boinc-credit.md); empty: none. Read again when the file changes.
  std::filesystem::path boinc_projects;
  std::uint64_t reissue_grace_ms = 0;  ///< 0: three intervals; see LedgerOptions
};

/// Error: bad_config naming the setting. start() checks too.
Done check(const Settings& settings);

class Node {
 public:
  /// Opens the ledger, makes keys on first start, starts blocks, generator and HTTP. Errors: bad_config, locked
  /// (another node uses the folder), corrupt, io_error, no_space, self_test_failed.
  static Result<std::unique_ptr<Node>> start(const Settings& settings, const Clock& clock = system_clock());
  ~Node();
  std::string url() const;  ///< "http://127.0.0.1:PORT"
  keys::PublicKey node_pub() const;
  Hash32 beacon_anchor() const;
  /// Why the generator makes no jobs at the moment; empty when it does.
  std::string idle_reason() const;
  /// Reads `boinc_projects` again at once. Error: what is wrong with it; the list read before stays in force.
  Done reload();
  /// Ends within about a second; everything decided so far is in the ledger.
  void stop();

 private:
  Node();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sparkmill::node
