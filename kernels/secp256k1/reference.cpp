// SPDX-License-Identifier: Apache-2.0
// The oracle: the equations as reference.h writes them down, over plain 64-bit arithmetic.
#include "kernels/secp256k1/reference.h"

#include <algorithm>

#include "base/hash.h"
#include "kernels/backend/cpu.h"
#include "kernels/secp256k1/rows.h"

namespace sparkmill::secp256k1 {
namespace reference {
namespace {

using Curve = Group<Secp256k1>;

Evidence encode(const Curve::Point& p) {
  Evidence out{};
  if (Curve::is_infinity(p)) return out;
  const Curve::Affine a = Curve::affine(p);
  out[0] = a.y.odd() ? 3 : 2;
  to_big_endian(a.x.number(), out.data() + 1);
  return out;
}

}  // namespace

Words4 bip340_challenge(ByteView r, ByteView key, ByteView message) {
  static const Hash32 tag = sha256(view("BIP0340/challenge"));
  const Hash32 e = Sha256().update(tag).update(tag).update(r).update(key).update(message).finish();
  return from_big_endian(e.data());
}

Answer verify_vartime(Check which, ByteView key, ByteView signature, ByteView message, bool with_evidence) {
  const Words4 r = from_big_endian(signature.data()), s = from_big_endian(signature.data() + 32);
  std::optional<Curve::Equation> equation;
  if (which == Check::bip340) {
    equation = Curve::bip340(from_big_endian(key.data()), r, s, bip340_challenge(signature.first(32), key, message));
  } else {
    const auto q = which == Check::ecdsa ? Curve::key(from_big_endian(key.data()), from_big_endian(key.data() + 32))
                                         : Curve::compressed_key(key[0], from_big_endian(key.data() + 1));
    equation = Curve::ecdsa(q, r, s, from_big_endian(message.data()));
  }
  Answer answer;
  if (!equation) return answer;
  answer.valid = which == Check::bip340 ? Curve::bip340_holds(*equation, r) : Curve::ecdsa_holds(*equation, r);
  if (with_evidence) answer.evidence = encode(Curve::shifted_sum(*equation, kEvidenceShift));
  return answer;
}

Answer recover_vartime(RecoverRule rule, ByteView signature, ByteView digest, bool with_evidence,
                       std::uint8_t* public_key) {
  std::fill_n(public_key, kPublicKeyBytes, std::uint8_t{0});
  const auto equation = Curve::recovery(rule, from_big_endian(signature.data()), from_big_endian(signature.data() + 32),
                                        from_big_endian(digest.data()), signature[64]);
  Answer answer;
  if (!equation) return answer;
  const Curve::Point q = Curve::sum(*equation);
  answer.valid = !Curve::is_infinity(q);
  if (answer.valid) {
    const Curve::Affine a = Curve::affine(q);
    to_big_endian(a.x.number(), public_key);
    to_big_endian(a.y.number(), public_key + 32);
  }
  if (with_evidence) answer.evidence = encode(Curve::shifted_sum(*equation, kEvidenceShift));
  return answer;
}

}  // namespace reference

namespace {

void put(const reference::Answer& answer, std::size_t i, const kernels::SignatureResults& results) {
  results.valid[i] = answer.valid ? 1 : 0;
  if (results.evidence.empty()) return;
  std::copy(answer.evidence.begin(), answer.evidence.end(),
            results.evidence.begin() + static_cast<std::ptrdiff_t>(i * kEvidenceBytes));
}

class ReferenceKernel final : public Kernel {
 public:
  Done verify_vartime(Check which, const kernels::SignatureBatch& batch, const kernels::SignatureResults& results,
                      const StopToken& stop) override {
    SPARKMILL_TRY(check(which, batch, results));
    const std::size_t key_bytes = secp256k1::key_bytes(which);
    for (std::size_t i = 0; i < batch.count; ++i) {
      if (stop.stop_requested()) return fail(Status::cancelled, "stopped");
      put(reference::verify_vartime(which, batch.key(i, key_bytes), batch.signature(i, kSignatureBytes),
                                    batch.message(i), !results.evidence.empty()),
          i, results);
    }
    return done();
  }
  Done recover_vartime(RecoverRule rule, const kernels::SignatureBatch& batch, const kernels::SignatureResults& results,
                       std::span<std::uint8_t> public_keys, const StopToken& stop) override {
    SPARKMILL_TRY(check_recover(batch, results, public_keys));
    for (std::size_t i = 0; i < batch.count; ++i) {
      if (stop.stop_requested()) return fail(Status::cancelled, "stopped");
      put(reference::recover_vartime(rule, batch.signature(i, kRecoverableBytes), batch.message(i),
                                     !results.evidence.empty(), public_keys.data() + i * kPublicKeyBytes),
          i, results);
    }
    return done();
  }
  std::string row_id() const override { return "secp256k1/reference"; }
};

Result<std::unique_ptr<kernels::Kernel>> make(const kernels::Device&) {
  return std::unique_ptr<kernels::Kernel>(std::make_unique<ReferenceKernel>());
}

}  // namespace

kernels::Row reference_row() {
  return {kernels::Family::secp256k1, kernels::Backend::reference, "", 0, 1, kernels::probe_plain, make};
}

}  // namespace sparkmill::secp256k1
