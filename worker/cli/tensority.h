// SPDX-License-Identifier: Apache-2.0
// What the commands about Tensority share: one hash on the row that the user names or the best of the CPU.
#pragma once

#include <string>

#include "base/bytes.h"
#include "verify/proof/proof.h"
#include "worker/cli/args.h"

namespace sparkmill::cli {

struct HashedBy {
  Hash32 result{};
  std::string row;  ///< "tensority/cpu/avx512"
};
/// Self-tests the row, builds the seed's matrices, hashes once. Errors: bad_argument and no_device (the row),
/// self_test_failed.
Result<HashedBy> tensority_hash(const Hash32& header_hash, const Hash32& seed, const std::string& backend);

/// `sparkmill verify --header HEX [--seed HEX]`. Errors: bad_input (header, seed), bad_argument (a seed is needed).
Result<proof::Verdict> verify_header(const Args& args);

}  // namespace sparkmill::cli
