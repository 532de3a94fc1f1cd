// SPDX-License-Identifier: Apache-2.0
// The row for AVX2: two groups of four signatures in four lanes.
#include "kernels/secp256k1/field_avx2.h"

#include "kernels/secp256k1/cpu_impl.h"

namespace sparkmill::secp256k1::cpu {

const Ops& avx2_ops() {
  static const Ops table = Lanes<Avx2>::ops("avx2");
  return table;
}

}  // namespace sparkmill::secp256k1::cpu
