// SPDX-License-Identifier: Apache-2.0
// Shared by the files of signers: one a family of schemes.
#pragma once

#include "verify/job/signers.h"

namespace sparkmill::job {

/// Flips one drawn bit of bytes [from, to).
void flip_bit(Bytes& bytes, std::size_t from, std::size_t to, ChaChaWords& draw);

/// S + L of an Ed25519 signature: the same number, another text.
void add_group_order(Bytes& signature);

/// Requires a form of ECDSA or BIP-340; of RSA-2048.
std::unique_ptr<Signers> secp256k1_signers(const signatures::Form& form, const Hash32& seed);
std::unique_ptr<Signers> rsa_signers(const signatures::Form& form, const Hash32& seed);

}  // namespace sparkmill::job
