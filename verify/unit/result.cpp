// SPDX-License-Identifier: Apache-2.0
#include "verify/unit/result.h"

#include <algorithm>

#include "base/hash.h"
#include "base/hex.h"

namespace sparkmill::unit {
namespace {

constexpr std::uint16_t kVersion = 1;
constexpr std::string_view kStatementDomain = "sparkmill/app-key/v1";
constexpr std::string_view kNameDomain = "sparkmill/result-name/v1";
constexpr std::size_t kMaxName = 255;

Error malformed(const std::string& why) { return fail(Status::bad_input, "result file: " + why); }

Bytes stated(const keys::PublicKey& app_pub, const keys::PublicKey& worker_pub, std::uint64_t unix_ms) {
  return ByteWriter().bytes(app_pub).bytes(worker_pub).u64(unix_ms).data();
}

Id16 lease_of(std::string_view result_name) {
  const Hash32 h = Sha256().update(kNameDomain).update(result_name).finish();
  Id16 id{};
  std::copy_n(h.begin(), id.size(), id.begin());
  return id;
}

proof::Verdict refuse(std::string reason, std::string detail) { return {false, std::move(reason), std::move(detail)}; }

}  // namespace

Bytes make_statement(const keys::SigningKey& worker_key, const keys::PublicKey& app_pub, std::uint64_t unix_ms) {
  const keys::PublicKey& worker_pub = worker_key.public_key();
  const keys::Signature signature = worker_key.sign(kStatementDomain, stated(app_pub, worker_pub, unix_ms));
  return ByteWriter().bytes(worker_pub).u64(unix_ms).bytes(signature).data();
}

Result<Statement> decode_statement(ByteView bytes, const keys::PublicKey& app_pub) {
  if (bytes.size() != kStatementBytes) {
    return fail(Status::bad_input,
                "statement: " + std::to_string(bytes.size()) + " bytes, expected " + std::to_string(kStatementBytes));
  }
  ByteReader r(bytes);
  Statement s;
  s.worker_pub = r.array<32>();
  s.unix_ms = r.u64();
  s.signature = r.array<64>();
  if (!keys::verify(s.worker_pub, kStatementDomain, stated(app_pub, s.worker_pub, s.unix_ms), s.signature)) {
    return fail(Status::refused, "statement: not signed by its worker key for the application key " + to_hex(app_pub));
  }
  return s;
}

job::Binding binding(std::string_view result_name, const keys::PublicKey& app_pub) {
  return {Bytes(result_name.begin(), result_name.end()), app_pub};
}

Result<Bytes> encode_result(const Unit& unit, const Hash32& unit_id, const job::Work& work, const job::Outcome& outcome,
                            const ResultFacts& facts, const keys::SigningKey& app_key) {
  SPARKMILL_ASSIGN(const Bytes proof_body, proof::make_file_proof(work, outcome));
  ByteWriter w;
  w.u16(kVersion).u16(0).bytes(unit_id).len_bytes(facts.result_name).u64(facts.user_id).u64(facts.host_id);
  w.len_bytes(facts.statement).len_bytes(proof_body);
  proof::Envelope envelope;
  envelope.kind = proof::EnvelopeKind::unit_result;
  envelope.node_pub = unit.project_pub;
  envelope.job_id = unit.piece.job.id;
  envelope.lease_id = lease_of(facts.result_name);
  envelope.body = std::move(w).data();
  return proof::encode(std::move(envelope), app_key);
}

Result<UnitResult> decode_result(ByteView file) {
  SPARKMILL_ASSIGN(const proof::Envelope envelope, proof::decode(file, kMaxResultBytes));
  if (envelope.kind != proof::EnvelopeKind::unit_result) return malformed("a message of another kind");
  ByteReader r(envelope.body);
  const std::uint16_t version = r.u16();
  const std::uint16_t reserved = r.u16();
  UnitResult out;
  out.unit_id = r.array<32>();
  out.result_name = text(r.len_bytes(kMaxName));
  out.user_id = r.u64();
  out.host_id = r.u64();
  const ByteView statement = r.len_bytes(kStatementBytes);
  const ByteView proof_body = r.len_bytes(kMaxResultBytes);
  if (!r.done()) return malformed(r.failed() ? "too short, or a part is over its limit" : "bytes behind its end");
  if (version != kVersion || reserved != 0) return malformed("version " + std::to_string(version) + ", expected 1");
  if (envelope.lease_id != lease_of(out.result_name)) return malformed("the frame is for another result name");
  out.project_pub = envelope.node_pub;
  out.app_pub = envelope.worker_pub;
  out.job_id = envelope.job_id;
  if (!statement.empty()) {
    SPARKMILL_ASSIGN(out.statement, decode_statement(statement, out.app_pub));
  }
  out.proof.assign(proof_body.begin(), proof_body.end());
  return out;
}

Result<Bytes> answer_of(ByteView file) {
  SPARKMILL_ASSIGN(const UnitResult result, decode_result(file));
  return proof::file_proof_answer(result.proof);
}

Result<proof::Verdict> check_result(const Unit& unit, const Hash32& unit_id, std::string_view result_name,
                                    const UnitResult& result, const job::Work& work, const Hash32& seed,
                                    std::uint32_t k, job::Executor& executor) {
  if (result.project_pub != unit.project_pub) {
    return refuse("wrong_project", "made for the project key " + to_hex(result.project_pub));
  }
  if (result.unit_id != unit_id || result.job_id != unit.piece.job.id) {
    return refuse("wrong_unit", "made for another unit file, " + to_hex(result.unit_id));
  }
  if (result.result_name != result_name) {
    return refuse("wrong_name", "made as " + result.result_name + ", handed in as " + std::string(result_name));
  }
  return proof::check_file_proof(work, result.proof, seed, k, executor);
}

}  // namespace sparkmill::unit
