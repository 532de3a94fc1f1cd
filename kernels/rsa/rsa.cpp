// SPDX-License-Identifier: Apache-2.0
// Names of the encodings, and the check of a batch that every row starts with.
#include "kernels/rsa/rsa.h"

#include <string>

namespace sparkmill::rsa {

std::string_view name(Encoding encoding) {
  switch (encoding) {
    case Encoding::draw: return "draw";
    case Encoding::pkcs1_sha256: return "pkcs1_sha256";
  }
  return "?";
}

Done check(Encoding encoding, const kernels::SignatureBatch& batch, const kernels::SignatureResults& results) {
  const bool draw = encoding == Encoding::draw;
  SPARKMILL_TRY(
      kernels::check(batch, results, {"rsa", kModulusBytes, kSignatureBytes, kEvidenceBytes, draw ? 0 : kHashBytes}));
  for (std::size_t i = 0; draw && i < batch.count; ++i) {
    const std::size_t bytes = batch.message(i).size();
    if (bytes >= 1 && bytes <= kMostDrawBytes) continue;
    return fail(Status::bad_input, "rsa: item " + std::to_string(i) + ": its message has " + std::to_string(bytes) +
                                       " bytes, it must have 1 to " + std::to_string(kMostDrawBytes));
  }
  return done();
}

}  // namespace sparkmill::rsa
