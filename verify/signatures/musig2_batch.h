// SPDX-License-Identifier: Apache-2.0
// Aggregated keys (BIP-327) of many lists of signers at once. Each a_i P_i is a recovery on a kernel row: with r =
// x(P_i), s = a_i r and z = 0 what is recovered is [s / r]P_i, decoding included.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/stop.h"
#include "kernels/secp256k1/secp256k1.h"

namespace sparkmill::signatures {

/// x(Q) of every list; nothing where a key is no point or the keys add up to infinity: the same as aggregate_keys
/// without tweaks. A list: 33 bytes a signer, at least one. Errors: cancelled, what the kernel reports.
Result<std::vector<std::optional<Hash32>>> aggregate_lists(std::span<const ByteView> lists, secp256k1::Kernel& kernel,
                                                           const StopToken& stop);

}  // namespace sparkmill::signatures
