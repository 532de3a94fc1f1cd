// SPDX-License-Identifier: Apache-2.0
#include "kernels/rsa/encoding.h"

#include <algorithm>

namespace sparkmill::rsa {

std::array<std::uint8_t, kModulusBytes> encoded(Encoding encoding, ByteView message) {
  std::array<std::uint8_t, kModulusBytes> em;
  em.fill(0xff);
  em[0] = 0;
  em[1] = 1;
  auto at = std::copy_backward(message.begin(), message.end(), em.end());
  if (encoding == Encoding::pkcs1_sha256) at = std::copy_backward(std::begin(kDigestInfo), std::end(kDigestInfo), at);
  *--at = 0;
  return em;
}

}  // namespace sparkmill::rsa
