// SPDX-License-Identifier: Apache-2.0
// The row for AVX-512 with IFMA: eight signatures in eight lanes.
#include "kernels/ed25519/field_ifma.h"

#include "kernels/ed25519/cpu_impl.h"

namespace sparkmill::ed25519::cpu {

const Ops& avx512_ops() {
  static const Ops table = Lanes<Ifma>::ops("avx512");
  return table;
}

}  // namespace sparkmill::ed25519::cpu
