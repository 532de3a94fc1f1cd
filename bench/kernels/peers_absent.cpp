// SPDX-License-Identifier: Apache-2.0
// No peer library was found when this was configured.
#include "bench/kernels/match.h"

namespace sparkmill::bench {

void register_peers() {}
const char* peers_absent() { return "faiss was not found when this was configured (Debian package libfaiss-dev)"; }

}  // namespace sparkmill::bench
