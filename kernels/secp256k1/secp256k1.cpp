// SPDX-License-Identifier: Apache-2.0
#include "kernels/secp256k1/secp256k1.h"

namespace sparkmill::secp256k1 {

std::string_view name(Check which) {
  switch (which) {
    case Check::ecdsa: return "ecdsa";
    case Check::ecdsa_compressed: return "ecdsa_compressed";
    case Check::bip340: return "bip340";
  }
  return "?";
}

Done check(Check which, const kernels::SignatureBatch& batch, const kernels::SignatureResults& results) {
  return kernels::check(batch, results,
                        {"secp256k1", key_bytes(which), kSignatureBytes, kEvidenceBytes,
                         which == Check::bip340 ? std::size_t{0} : kDigestBytes});
}

Done check_recover(const kernels::SignatureBatch& batch, const kernels::SignatureResults& results,
                   std::span<const std::uint8_t> public_keys) {
  if (public_keys.size() != batch.count * kPublicKeyBytes) {
    return fail(Status::bad_argument, "secp256k1: room for " + std::to_string(public_keys.size()) +
                                          " bytes of recovered keys, " + std::to_string(batch.count) + " items need " +
                                          std::to_string(batch.count * kPublicKeyBytes));
  }
  return kernels::check(batch, results, {"secp256k1", 0, kRecoverableBytes, kEvidenceBytes, kDigestBytes});
}

}  // namespace sparkmill::secp256k1
