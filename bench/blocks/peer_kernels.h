// SPDX-License-Identifier: Apache-2.0
// Debian's libraries in the shape of kernels, an item after the other, so that a whole check (a block, a checkpoint, a
// tree) runs on them in the same run, and must come to the same verdicts.
#pragma once

#include <memory>

#include "kernels/ed25519/ed25519.h"
#include "kernels/hash/hash.h"
#include "kernels/rsa/rsa.h"
#include "kernels/secp256k1/secp256k1.h"

namespace sparkmill::bench {

/// OpenSSL's EVP. It has no Keccak-256: SHA3-256 stands for it, the same work with other digests.
std::unique_ptr<hashes::Kernel> openssl_hash();
/// libsodium, whatever the policy: the same verdicts on honest signatures and flipped bits.
std::unique_ptr<ed25519::Kernel> sodium_ed25519();
/// libsecp256k1's recovery and BIP-340; nullptr in a build without it.
std::unique_ptr<secp256k1::Kernel> libsecp256k1();
/// OpenSSL's public operation, keys parsed for each item, the encoding compared.
std::unique_ptr<rsa::Kernel> openssl_rsa();

/// The point of KeyAgg (BIP-327) by libsecp256k1: keys of 33 bytes with their coefficients of 32; x only. False where
/// it cannot, or in a build without it.
bool libsecp256k1_weighted_sum(ByteView keys, ByteView coefficients, std::span<std::uint8_t, 32> x);

}  // namespace sparkmill::bench
