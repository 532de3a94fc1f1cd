// SPDX-License-Identifier: Apache-2.0
#include "verify/unit/receipt.h"

#include <algorithm>

#include "base/hash.h"

namespace sparkmill::unit {
namespace {

constexpr std::string_view kReceiptMagic = "SMR1";
constexpr std::string_view kReceiptDomain = "sparkmill/boinc-receipt/v1";
constexpr std::string_view kDayMagic = "SMRD";
constexpr std::string_view kDayDomain = "sparkmill/boinc-day/v1";
constexpr std::uint16_t kVersion = 1;
constexpr std::uint16_t kKnownFlags = kIdsConfirmed | kQuorum;
constexpr std::size_t kMaxText = 255;

bool printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

Bytes with_signature(ByteWriter w, const keys::SigningKey& key, std::string_view domain) {
  w.bytes(key.sign(domain, w.data()));
  return std::move(w).data();
}

/// The reader stands behind the frame's head (magic, version, u16). Error: bad_input.
Result<std::uint16_t> head(ByteReader& r, std::string_view magic, const std::string& what) {
  const ByteView found = r.bytes(magic.size());
  const std::uint16_t version = r.u16();
  const std::uint16_t flags = r.u16();
  if (text(found) != magic) return fail(Status::bad_input, what + ": does not begin with " + std::string(magic));
  if (version != kVersion) {
    return fail(Status::bad_input, what + ": version " + std::to_string(version) + ", expected 1");
  }
  return flags;
}

Done tail(ByteReader& r, ByteView bytes, const keys::PublicKey& key, std::string_view domain, const std::string& what) {
  const auto signature = r.array<sizeof(keys::Signature)>();
  if (!r.done()) return fail(Status::bad_input, what + (r.failed() ? ": too short" : ": bytes behind its end"));
  if (!keys::verify(key, domain, bytes.first(bytes.size() - signature.size()), signature)) {
    return fail(Status::refused, what + ": the signature is not that of its project key");
  }
  return done();
}

}  // namespace

Bytes encode(Receipt receipt, const keys::SigningKey& project_key) {
  ByteWriter w;
  w.bytes(kReceiptMagic).u16(kVersion).u16(receipt.flags).bytes(project_key.public_key()).bytes(receipt.node_pub);
  w.bytes(receipt.worker_pub).bytes(receipt.app_pub).bytes(receipt.job_id).bytes(receipt.output_hash);
  w.u64(receipt.user_id).u64(receipt.host_id).u64(receipt.units).u64(receipt.credit_microcobble).u64(receipt.unix_ms);
  w.len_bytes(receipt.project).len_bytes(receipt.unit).len_bytes(receipt.result);
  return with_signature(std::move(w), project_key, kReceiptDomain);
}

Result<Receipt> decode_receipt(ByteView bytes) {
  ByteReader r(bytes);
  Receipt out;
  SPARKMILL_ASSIGN(out.flags, head(r, kReceiptMagic, "receipt"));
  out.project_pub = r.array<32>();
  out.node_pub = r.array<32>();
  out.worker_pub = r.array<32>();
  out.app_pub = r.array<32>();
  out.job_id = r.array<16>();
  out.output_hash = r.array<32>();
  out.user_id = r.u64();
  out.host_id = r.u64();
  out.units = r.u64();
  out.credit_microcobble = r.u64();
  out.unix_ms = r.u64();
  for (std::string* into : {&out.project, &out.unit, &out.result}) {
    *into = text(r.len_bytes(kMaxText));
    if (!printable(*into)) return fail(Status::bad_input, "receipt: a name is not printable");
  }
  SPARKMILL_TRY(tail(r, bytes, out.project_pub, kReceiptDomain, "receipt"));
  if ((out.flags & ~kKnownFlags) != 0) return fail(Status::bad_input, "receipt: unknown flags");
  return out;
}

Hash32 receipt_leaf(ByteView receipt) {
  const std::uint8_t prefix = 0;
  return Sha256().update(ByteView(&prefix, 1)).update(receipt).finish();
}

Bytes encode(DayRoot day, const keys::SigningKey& project_key) {
  ByteWriter w;
  w.bytes(kDayMagic).u16(kVersion).u16(0).bytes(project_key.public_key()).u32(day.day).u32(day.receipts);
  w.bytes(day.root).bytes(day.secret_hash);
  return with_signature(std::move(w), project_key, kDayDomain);
}

Result<DayRoot> decode_day_root(ByteView bytes) {
  ByteReader r(bytes);
  SPARKMILL_ASSIGN(const std::uint16_t reserved, head(r, kDayMagic, "day root"));
  DayRoot out;
  out.project_pub = r.array<32>();
  out.day = r.u32();
  out.receipts = r.u32();
  out.root = r.array<32>();
  out.secret_hash = r.array<32>();
  SPARKMILL_TRY(tail(r, bytes, out.project_pub, kDayDomain, "day root"));
  if (reserved != 0) return fail(Status::bad_input, "day root: reserved bytes are not zero");
  return out;
}

}  // namespace sparkmill::unit
