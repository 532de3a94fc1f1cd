// SPDX-License-Identifier: Apache-2.0
// The row for AVX2: four signatures in four lanes.
#include "kernels/ed25519/field_avx2.h"

#include "kernels/ed25519/cpu_impl.h"

namespace sparkmill::ed25519::cpu {

const Ops& avx2_ops() {
  static const Ops table = Lanes<Avx2>::ops("avx2");
  return table;
}

}  // namespace sparkmill::ed25519::cpu
