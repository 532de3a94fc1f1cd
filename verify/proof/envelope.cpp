// SPDX-License-Identifier: Apache-2.0
// The signed frame around commits, openings and file proofs.
#include <algorithm>

#include "verify/proof/proof.h"

namespace sparkmill::proof {
namespace {

inline constexpr std::string_view kMagic = "SMP1";
inline constexpr std::string_view kDomain = "sparkmill/envelope/v1";
inline constexpr std::size_t kSignatureBytes = sizeof(keys::Signature);

Error malformed(const std::string& why) { return fail(Status::bad_input, "envelope: " + why); }

bool known(std::uint16_t kind) {
  return kind >= static_cast<std::uint16_t>(EnvelopeKind::commit) &&
         kind <= static_cast<std::uint16_t>(EnvelopeKind::unit_result);
}

}  // namespace

Bytes encode(Envelope envelope, const keys::SigningKey& envelope_key) {
  envelope.worker_pub = envelope_key.public_key();
  ByteWriter w;
  w.bytes(kMagic)
      .u16(static_cast<std::uint16_t>(envelope.kind))
      .u16(kEnvelopeVersion)
      .u32(static_cast<std::uint32_t>(envelope.body.size()))
      .bytes(envelope.node_pub)
      .bytes(envelope.job_id)
      .bytes(envelope.lease_id)
      .bytes(envelope.worker_pub)
      .bytes(envelope.body);
  w.bytes(envelope_key.sign(kDomain, w.data()));
  return std::move(w).data();
}

Result<Envelope> decode(ByteView bytes, std::uint64_t body_limit) {
  if (bytes.size() < kEnvelopeOverhead) {
    return malformed(std::to_string(bytes.size()) + " bytes, at least " + std::to_string(kEnvelopeOverhead));
  }
  ByteReader r(bytes);
  const ByteView magic = r.bytes(kMagic.size());
  const std::uint16_t kind = r.u16();
  const std::uint16_t version = r.u16();
  const std::uint32_t body_len = r.u32();
  if (text(magic) != kMagic) return malformed("does not begin with SMP1");
  if (version != kEnvelopeVersion) return malformed("version " + std::to_string(version) + ", expected 1");
  if (!known(kind)) return malformed("kind " + std::to_string(kind) + " is unknown");
  if (body_len > body_limit) {
    return malformed("a body of " + std::to_string(body_len) + " bytes, at most " + std::to_string(body_limit));
  }
  if (bytes.size() != kEnvelopeOverhead + body_len) {
    return malformed(std::to_string(bytes.size()) + " bytes, its header promises " +
                     std::to_string(kEnvelopeOverhead + body_len));
  }
  Envelope e;
  e.kind = static_cast<EnvelopeKind>(kind);
  e.node_pub = r.array<32>();
  e.job_id = r.array<16>();
  e.lease_id = r.array<16>();
  e.worker_pub = r.array<32>();
  const ByteView body = r.bytes(body_len);
  const auto signature = r.array<kSignatureBytes>();
  if (!keys::verify(e.worker_pub, kDomain, bytes.first(bytes.size() - kSignatureBytes), signature)) {
    return fail(Status::refused, "envelope: the signature is not that of its worker key");
  }
  e.body.assign(body.begin(), body.end());
  return e;
}

}  // namespace sparkmill::proof
