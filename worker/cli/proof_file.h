// SPDX-License-Identifier: Apache-2.0
// Proof files that offline commands write: who signs them, and what ties evidence to the signer.
#pragma once

#include <optional>

#include "base/keys/keys.h"
#include "verify/job/job.h"
#include "worker/cli/args.h"

namespace sparkmill::cli {

struct ProofSigner {
  keys::KeyFile key;
  Id16 lease;
  bool throw_away;
  job::Binding binding() const { return job::Binding::to_lease(lease, key.role("envelope").public_key()); }
};
/// None without --proof. --key FILE names the key; otherwise one is made and thrown away. Errors: bad_argument (--key
/// alone), those of the key file.
Result<std::optional<ProofSigner>> make_proof_signer(const Args& args);
/// Signs and writes the proof of `work`, which was opened with the signer's binding, and says so on stderr.
Done write_proof(const std::string& path, const ProofSigner& signer, const job::Work& work,
                 const job::Outcome& outcome);

}  // namespace sparkmill::cli
