// SPDX-License-Identifier: Apache-2.0
// Typed messages of the node protocol (DESIGN 7) and their JSON codecs, shared by client and server. docs/openapi.yaml
// is the same contract for others. Parsers are strict: a missing, extra-long or ill-typed field is bad_input naming the
// field.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/keys/keys.h"
#include "base/result.h"

namespace sparkmill::protocol {

/// GET /v1/info
struct Info {
  std::uint32_t protocol = 1;
  std::string version;
  std::uint64_t time_ms = 0;   ///< the clock that counts for signatures and deadlines
  keys::PublicKey node_pub{};  ///< role key "receipt": names the node in signed texts and verifies its receipts
  Id16 boot_id{};              ///< new at each start
  std::uint64_t height = 0;
  std::uint64_t interval_ms = 0;   ///< aimed at between blocks
  Hash32 beacon_anchor{};          ///< H^n of the hash chain's end, published at first start
  bool operator_trusted = true;    ///< single-operator beacon
  std::vector<std::string> kinds;  ///< of the jobs that it makes; a node of an older release names none
};

/// POST /v1/workers; the request itself is signed by the request key that it brings. `binding` = envelope key's
/// signature, domain "sparkmill/request-key/v1", over node_pub | request_pub.
struct Registration {
  keys::PublicKey worker_pub{};
  keys::PublicKey request_pub{};
  keys::Signature binding{};
  std::string name;
  std::vector<std::string> kinds;
  std::vector<std::string> devices;  ///< "cpu: AMD EPYC, 2 lanes, match/cpu/avx512"
};

inline constexpr std::size_t kMaxHeldLeases = 256;  ///< named in a LeaseRequest

/// POST /v1/leases. Texts: at most 16 kinds of 32 bytes, 64 devices of 256 bytes, a name of 128 bytes; max 1 to 16.
struct LeaseRequest {
  std::vector<std::string> kinds;
  std::uint32_t max = 1;
  std::uint32_t wait_ms = 0;  ///< long poll, at most 30,000
  /// Leases the worker knows of. When given, leases without a commit that are not named here are handed out again: the
  /// answer that carried them was lost.
  std::optional<std::vector<Id16>> held{};
};
struct Lease {
  Id16 lease_id{};
  Bytes job;                      ///< job::encode
  std::uint64_t deadline_ms = 0;  ///< commit by then (node time)
  std::uint32_t attempt = 1;
  std::uint32_t openings = 128;  ///< k of the challenge
};

/// POST /v1/solutions: a nonce of a leased search (kind tensority) that meets its share target.
struct Solution {
  Id16 lease_id{};
  std::uint64_t nonce = 0;  ///< below 2^63
};
struct SolutionAnswer {
  bool accepted = false;
  std::string reason;        ///< "accepted", "stale", "unknown_lease", "out_of_range", "duplicate", "high_hash"
  bool block = false;        ///< it made the block
  std::uint64_t height = 0;  ///< of the block that is or was searched
};

/// Answer to POST /v1/leases/{id}/renew (empty body): the lease's new deadline.
struct Renewal {
  std::uint64_t deadline_ms = 0;
};

/// Answer to POST /v1/leases/{id}/commit, whose body is the envelope (proof::encode). The challenge is drawn from
/// beacons height + 2 and height + 3.
struct CommitAnswer {
  std::uint64_t height = 0;
  std::uint64_t open_by_height = 0;
  std::uint64_t open_by_ms = 0;
};

/// GET /v1/receipts/{id} and the answer to POST /v1/leases/{id}/open. Signed by the node's receipt key.
struct Receipt {
  Id16 id{};  ///< = lease_id
  Id16 job_id{};
  keys::PublicKey worker_pub{};
  bool accepted = false;
  std::string reason;  ///< "accepted", "leaf_mismatch", "ringer_missing", "late", ...
  std::string detail;
  std::uint64_t units = 0;  ///< counted by the checker
  std::uint64_t credit_microcobble = 0;
  Hash32 answer_hash{};
  std::uint64_t height = 0;  ///< block that carries it
  bool operator_trusted = true;
  keys::Signature signature{};
};
/// What `signature` covers (domain "sparkmill/receipt/v1") and what the block's receipts tree hashes: id | job_id |
/// worker_pub | u8 accepted | len reason | len detail | u64 units | u64 credit | answer_hash | u64 height |
/// u8 operator_trusted.
Bytes signed_bytes(const Receipt& receipt);

/// GET /v1/blocks/{height}; {height} may be "latest". `hash` is the Bytom header hash (Tensority page 4.2) of version
/// 1, height, previous, time_ms, receipts_root, beacon_anchor (in the place of the status hash), bits, nonce.
struct Block {
  std::uint64_t height = 0;
  Hash32 hash{};
  Hash32 previous{};
  Hash32 receipts_root{};
  std::uint64_t time_ms = 0;
  std::uint64_t nonce = 0;  ///< solves the block; 63 random bits of a fallback block or without proof of work
  Hash32 beacon_secret{};   ///< s_h, revealed with the block
  Hash32 beacon{};
  std::uint64_t reward_units = 0;  ///< emission of this block, 1e-8 BTK
  std::uint32_t receipts = 0;
  bool fallback = false;
  Hash32 beacon_anchor{};  ///< beacon chain in force for the next block: its secret hashes down to this
  std::uint64_t bits = 0;  ///< difficulty; 0x2100000000ffffff, which all results meet, without proof of work
};

/// GET /v1/events (server-sent). `block`: to_json(Block). `challenge`: {"lease_id", "height"}, sent when block
/// height = commit height + 3 is there, so the opening can be made. `cancel`: {"lease_id", "reason"}: the lease is
/// void. POST open and GET receipts answer 202 with {code: "pending"} and Retry-After while the check still runs.

/// GET /v1/accounts/{pub}. Amounts in 1e-8 BTK.
struct Account {
  keys::PublicKey pub{};
  std::uint64_t balance = 0;  ///< free + locked
  std::uint64_t free = 0;
  std::uint64_t locked = 0;
  std::uint64_t credit_microcobble = 0;
  std::uint64_t accepted = 0;  ///< receipts
  std::uint64_t refused = 0;
};

std::string to_json(const Info&);
std::string to_json(const Registration&);
std::string to_json(const LeaseRequest&);
std::string to_json(const std::vector<Lease>&);
std::string to_json(const Solution&);
std::string to_json(const SolutionAnswer&);
std::string to_json(const Renewal&);
std::string to_json(const CommitAnswer&);
std::string to_json(const Receipt&);
std::string to_json(const Block&);
std::string to_json(const Account&);
Result<Info> info_from_json(std::string_view);
Result<Registration> registration_from_json(std::string_view);
Result<LeaseRequest> lease_request_from_json(std::string_view);
Result<std::vector<Lease>> leases_from_json(std::string_view);
Result<Solution> solution_from_json(std::string_view);
Result<SolutionAnswer> solution_answer_from_json(std::string_view);
Result<Renewal> renewal_from_json(std::string_view);
Result<CommitAnswer> commit_answer_from_json(std::string_view);
Result<Receipt> receipt_from_json(std::string_view);
Result<Block> block_from_json(std::string_view);
Result<Account> account_from_json(std::string_view);

/// The HTTP status of an error answer, and back when a body cannot be read.
int http_status(Status status);
Status status_of_http(int http_status);

/// {code, message, hint} of an error answer; never fails (an unreadable body becomes code "internal").
Error error_from_json(std::string_view body, int http_status);

}  // namespace sparkmill::protocol
