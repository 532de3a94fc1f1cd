// SPDX-License-Identifier: Apache-2.0
#include "verify/unit/unit.h"

#include "base/hash.h"
#include "base/hex.h"

namespace sparkmill::unit {
namespace {

constexpr std::string_view kMagic = "SMU1";
constexpr std::string_view kDomain = "sparkmill/unit/v1";
constexpr std::uint16_t kVersion = 1;
constexpr std::size_t kMaxJobBytes = 128 * 1024;
constexpr std::size_t kMaxOpenName = 64;

Error malformed(const std::string& why) { return fail(Status::bad_input, "unit file: " + why); }

/// Letters, digits, '_', '-' and '.', not beginning with a dot: it becomes a file name in a slot.
bool plain_name(std::string_view name) {
  return name.size() <= kMaxOpenName && name.front() != '.' &&
         name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") ==
             std::string_view::npos;
}

Done check_input(const Input& input, const job::Job& job, std::size_t at) {
  const std::string what = "input " + std::to_string(at);
  if (input.hash != job.blobs[at]) return fail(Status::corrupt, "unit file: " + what + " is not the job's");
  if (input.open_name.empty()) {
    if (input.content.size() != input.bytes || sha256(input.content) != input.hash) {
      return fail(Status::corrupt, "unit file: the content of " + what + " does not fit its hash");
    }
  } else if (!input.content.empty()) {
    return malformed(what + " has both a name and content");
  } else if (!plain_name(input.open_name)) {
    return malformed(what + " has a name that is no plain file name");
  }
  return done();
}

}  // namespace

Bytes encode(Unit unit, const keys::SigningKey& project_key) {
  unit.project_pub = project_key.public_key();
  ByteWriter w;
  w.bytes(kMagic).u16(kVersion).u16(0).bytes(unit.project_pub).bytes(unit.whole_id).u32(unit.index).u32(unit.count);
  w.u64(unit.piece.origin[0]).u64(unit.piece.origin[1]).len_bytes(job::encode(unit.piece.job));
  w.u32(static_cast<std::uint32_t>(unit.inputs.size()));
  for (const Input& input : unit.inputs) {
    w.bytes(input.hash).u64(input.bytes).len_bytes(input.open_name).len_bytes(input.content);
  }
  w.bytes(project_key.sign(kDomain, w.data()));
  return std::move(w).data();
}

Result<Unit> decode(ByteView file) {
  if (file.size() > kMaxUnitBytes) return malformed("over " + std::to_string(kMaxUnitBytes) + " bytes");
  ByteReader r(file);
  const ByteView magic = r.bytes(kMagic.size());
  const std::uint16_t version = r.u16();
  const std::uint16_t reserved = r.u16();
  if (text(magic) != kMagic) return malformed("does not begin with SMU1");
  if (version != kVersion || reserved != 0) return malformed("version " + std::to_string(version) + ", expected 1");
  Unit unit;
  unit.project_pub = r.array<32>();
  unit.whole_id = r.array<16>();
  unit.index = r.u32();
  unit.count = r.u32();
  unit.piece.origin[0] = r.u64();
  unit.piece.origin[1] = r.u64();
  const ByteView job_bytes = r.len_bytes(kMaxJobBytes);
  const std::uint32_t inputs = r.u32();
  if (r.failed()) return malformed("too short, or a part is over its limit");
  if (inputs > job::kMaxBlobs) return malformed(std::to_string(inputs) + " inputs");
  for (std::uint32_t k = 0; k < inputs; ++k) {
    Input input;
    input.hash = r.array<32>();
    input.bytes = r.u64();
    input.open_name = text(r.len_bytes(kMaxOpenName));
    const ByteView content = r.len_bytes(kMaxInline);
    input.content.assign(content.begin(), content.end());
    unit.inputs.push_back(std::move(input));
  }
  const auto signature = r.array<sizeof(keys::Signature)>();
  if (!r.done()) return malformed(r.failed() ? "too short, or a part is over its limit" : "bytes behind its end");
  if (!keys::verify(unit.project_pub, kDomain, file.first(file.size() - signature.size()), signature)) {
    return fail(Status::refused, "unit file: the signature is not that of its project key");
  }
  if (unit.count == 0 || unit.count > job::kMaxPieces || unit.index >= unit.count) {
    return malformed("index " + std::to_string(unit.index) + " of " + std::to_string(unit.count));
  }
  SPARKMILL_ASSIGN(unit.piece.job, job::decode(job_bytes));
  if (unit.inputs.size() != unit.piece.job.blobs.size()) return malformed("inputs do not fit the job's blobs");
  for (std::size_t k = 0; k < unit.inputs.size(); ++k) SPARKMILL_TRY(check_input(unit.inputs[k], unit.piece.job, k));
  return unit;
}

Hash32 id_of(ByteView file) { return sha256(file); }

}  // namespace sparkmill::unit
