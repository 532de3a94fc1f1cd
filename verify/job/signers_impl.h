// SPDX-License-Identifier: Apache-2.0
// Shared by the files of signers: one a family of schemes.
#pragma once

#include "verify/job/signers.h"

namespace sparkmill::job {

/// Flips one drawn bit of bytes [from, to).
void flip_bit(Bytes& bytes, std::size_t from, std::size_t to, ChaChaWords& draw);

}  // namespace sparkmill::job
