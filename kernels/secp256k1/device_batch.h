// SPDX-License-Identifier: Apache-2.0
// What the rows on devices share on the host: the table of multiples of G and the flags of a launch.
#pragma once

#include <vector>

#include "kernels/backend/signature_launch.h"
#include "kernels/secp256k1/device.h"
#include "kernels/secp256k1/secp256k1.h"

namespace sparkmill::secp256k1 {

/// SM_K1_BASE_WORDS words, as sm_k1_climb reads them.
std::vector<sm_u32> device_base_table();

constexpr sm_u32 device_flags(Check which, bool evidence) {
  const sm_u32 mode = which == Check::ecdsa              ? SM_K1_ECDSA
                      : which == Check::ecdsa_compressed ? SM_K1_ECDSA_COMPRESSED
                                                         : SM_K1_BIP340;
  return mode | (evidence ? SM_K1_EVIDENCE : 0u);
}
constexpr sm_u32 device_flags(RecoverRule rule, bool evidence) {
  return SM_K1_RECOVER | (rule == RecoverRule::unranged ? SM_K1_UNRANGED : 0u) | (evidence ? SM_K1_EVIDENCE : 0u);
}
constexpr bool needs_finish(sm_u32 flags) {
  return (flags & SM_K1_EVIDENCE) != 0 || (flags & SM_K1_MODE) == SM_K1_BIP340 || (flags & SM_K1_MODE) == SM_K1_RECOVER;
}
/// Threads of the launches in which one thread serves many items.
constexpr std::size_t chunk_threads(std::size_t count) { return (count + SM_K1_CHUNK - 1) / SM_K1_CHUNK; }

}  // namespace sparkmill::secp256k1
