// SPDX-License-Identifier: Apache-2.0
#include "kernels/rsa/rsa.h"

namespace sparkmill::rsa {

std::string_view name(Encoding encoding) {
  switch (encoding) {
    case Encoding::draw: return "draw";
    case Encoding::pkcs1_sha256: return "pkcs1_sha256";
  }
  return "?";
}

Done check(const kernels::SignatureBatch& batch, const kernels::SignatureResults& results) {
  return kernels::check(batch, results, {"rsa", kModulusBytes, kSignatureBytes, kEvidenceBytes, kHashBytes});
}

}  // namespace sparkmill::rsa
