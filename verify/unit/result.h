// SPDX-License-Identifier: Apache-2.0
// The result file of a unit: a signed envelope of kind 4 (unit_result) that carries the proof in verifier mode: all
// digests and the answer. The digests are keyed by the BOINC result name and the application's key, so two honest
// results of a unit differ in their digests and agree in their answers; `compare` looks at answers only.
// Source: jobs and proofs 6, 8.
//
// Body: u16 version = 1 | u16 0 | unit_id[32] = H(unit file) | len result name | u64 user id | u64 host id |
// len statement (0 or 104 bytes) | len file proof (verify/proof). In the envelope: node_pub = the project's key,
// job_id = the piece's, lease_id = first 16 bytes of H("sparkmill/result-name/v1" | result name), worker_pub = the
// application's key.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "verify/proof/proof.h"
#include "verify/unit/unit.h"

namespace sparkmill::unit {

/// "The work of this application key is mine": made by a worker (the companion beside the BOINC client). Layout:
/// worker_pub[32] | u64 unix_ms | sig[64], sig by the worker's role key "envelope" over "sparkmill/app-key/v1" |
/// app_pub | worker_pub | u64 unix_ms. The application agrees by signing results that carry it.
struct Statement {
  keys::PublicKey worker_pub{};
  std::uint64_t unix_ms = 0;
  keys::Signature signature{};
};
inline constexpr std::size_t kStatementBytes = 32 + 8 + 64;
Bytes make_statement(const keys::SigningKey& worker_key, const keys::PublicKey& app_pub, std::uint64_t unix_ms);
/// Errors: bad_input (length), refused (signature, or made for another application key).
Result<Statement> decode_statement(ByteView bytes, const keys::PublicKey& app_pub);

/// Names in the application's project folder.
inline constexpr std::string_view kAppKeyFile = "sparkmill-app.key";              ///< key file, mode 0600
inline constexpr std::string_view kAppPublicFile = "sparkmill-app.pub";           ///< 64 hex digits, for the companion
inline constexpr std::string_view kAppStatementFile = "sparkmill-app.statement";  ///< written by the companion
inline constexpr std::string_view kAppResultsFile = "sparkmill-app.results";      ///< lines "<result name> <SHA-256>"

struct UnitResult {
  keys::PublicKey project_pub{};
  keys::PublicKey app_pub{};
  Hash32 unit_id{};
  Id16 job_id{};
  std::string result_name;
  std::uint64_t user_id = 0;  ///< as the client told the application; 0 without a client
  std::uint64_t host_id = 0;
  std::optional<Statement> statement;
  Bytes proof;  ///< file proof body
  /// Who is paid: the worker of the statement, else the application's own key.
  const keys::PublicKey& beneficiary() const { return statement ? statement->worker_pub : app_pub; }
};

inline constexpr std::uint64_t kMaxResultBytes = 256u << 20;

/// What a computation of this result is bound to.
job::Binding binding(std::string_view result_name, const keys::PublicKey& app_pub);

struct ResultFacts {
  std::string result_name;
  std::uint64_t user_id = 0;
  std::uint64_t host_id = 0;
  Bytes statement;  ///< empty or kStatementBytes
};
/// Same unit, outcome, facts and key: same bytes. Errors: those of make_file_proof.
Result<Bytes> encode_result(const Unit& unit, const Hash32& unit_id, const job::Work& work, const job::Outcome& outcome,
                            const ResultFacts& facts, const keys::SigningKey& app_key);
/// Parses and verifies signature and statement. Errors: bad_input, refused.
Result<UnitResult> decode_result(ByteView file);
/// The answer that a result claims, unchecked. Errors: as decode_result.
Result<Bytes> answer_of(ByteView file);

/// Verifier mode: recomputes what `seed` draws. The work is the unit's, bound to this result. Besides the findings of
/// check_file_proof: "wrong_unit", "wrong_name", "wrong_project". Errors only for our own failures.
Result<proof::Verdict> check_result(const Unit& unit, const Hash32& unit_id, std::string_view result_name,
                                    const UnitResult& result, const job::Work& work, const Hash32& seed,
                                    std::uint32_t k, job::Executor& executor);

}  // namespace sparkmill::unit
