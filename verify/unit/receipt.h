// SPDX-License-Identifier: Apache-2.0
// A project's word that a result was validated and is canonical: the one thing a worker cannot prove by itself. Made by
// the assimilator, credited by a node to `worker_pub` once for each (project_pub, result name).
// Source: jobs and proofs 8; BOINC page 5.
//
// Layout: "SMR1" | u16 version = 1 | u16 flags | project_pub[32] | node_pub[32] | worker_pub[32] | app_pub[32] |
// job_id[16] (whole job) | output_hash[32] | u64 user id | u64 host id | u64 units | u64 credit (1e-6 cobblestones) |
// u64 unix_ms | len project | len unit name | len result name | sig[64], sig by the project's role key "receipt" over
// "sparkmill/boinc-receipt/v1" | everything before it. Texts are printable ASCII of at most 255 bytes.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/keys/keys.h"
#include "base/result.h"

namespace sparkmill::unit {

/// User and host id come from the project's database; without it they are what the application reported.
inline constexpr std::uint16_t kIdsConfirmed = 1;
/// Answers of at least two results agreed (quorum), besides the recomputed part.
inline constexpr std::uint16_t kQuorum = 2;

struct Receipt {
  std::uint16_t flags = 0;
  keys::PublicKey project_pub{};  ///< who signs
  keys::PublicKey node_pub{};     ///< the node that shall credit it; all zero: any that trusts the project
  keys::PublicKey worker_pub{};   ///< who is credited
  keys::PublicKey app_pub{};      ///< who computed; equal to worker_pub without a statement
  Id16 job_id{};
  Hash32 output_hash{};  ///< SHA-256 of the result file
  std::uint64_t user_id = 0;
  std::uint64_t host_id = 0;
  std::uint64_t units = 0;
  std::uint64_t credit_microcobble = 0;
  std::uint64_t unix_ms = 0;
  std::string project;  ///< master URL
  std::string unit;     ///< workunit name
  std::string result;   ///< result name
};

/// project_pub is taken from the key. Requires printable texts of at most 255 bytes.
Bytes encode(Receipt receipt, const keys::SigningKey& project_key);
/// Parses and verifies the signature by the key inside; whether that project is trusted is the caller's. Errors:
/// bad_input, refused.
Result<Receipt> decode_receipt(ByteView bytes);

/// Leaf of a day's tree: H(0x00 | receipt bytes); the tree is verify/merkle's, receipts ordered by these hashes.
Hash32 receipt_leaf(ByteView receipt);

/// The root of a UTC day's receipts. Layout: "SMRD" | u16 version = 1 | u16 0 | project_pub[32] | u32 day (days since
/// 1970) | u32 receipts | root[32] | secret_hash[32] of the day's draw secret | sig[64] ("sparkmill/boinc-day/v1").
struct DayRoot {
  keys::PublicKey project_pub{};
  std::uint32_t day = 0;
  std::uint32_t receipts = 0;
  Hash32 root{};
  Hash32 secret_hash{};
};
Bytes encode(DayRoot day, const keys::SigningKey& project_key);
Result<DayRoot> decode_day_root(ByteView bytes);

}  // namespace sparkmill::unit
