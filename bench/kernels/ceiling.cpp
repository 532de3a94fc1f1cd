// SPDX-License-Identifier: Apache-2.0
// Which ceiling belongs to which row.
#include "bench/kernels/ceiling.h"

namespace sparkmill::bench {

const Ceiling* find_ceiling(std::string_view isa, bool masked) {
#if defined(SPARKMILL_HAVE_X86)
  static const Ceiling table[] = {avx512_plain(), avx512_masked(), avx2_plain(), avx2_masked()};
  if (isa == "avx512") return &table[masked ? 1 : 0];
  if (isa == "avx2") return &table[masked ? 3 : 2];
#endif
  (void)isa, (void)masked;
  return nullptr;
}

}  // namespace sparkmill::bench
