// SPDX-License-Identifier: Apache-2.0
// The row for AVX-512 with IFMA: two groups of eight signatures in eight lanes.
#include "kernels/secp256k1/field_ifma.h"

#include "kernels/secp256k1/cpu_impl.h"

namespace sparkmill::secp256k1::cpu {

const Ops& avx512_ops() {
  static const Ops table = Lanes<Ifma>::ops("avx512");
  return table;
}

}  // namespace sparkmill::secp256k1::cpu
