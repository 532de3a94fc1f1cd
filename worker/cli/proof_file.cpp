// SPDX-License-Identifier: Apache-2.0
#include "worker/cli/proof_file.h"

#include <cstdio>

#include "base/file.h"
#include "base/hash.h"
#include "base/hex.h"
#include "verify/proof/proof.h"

namespace sparkmill::cli {

Result<std::optional<ProofSigner>> make_proof_signer(const Args& args) {
  if (!args.has("proof")) {
    if (args.has("key")) return fail(Status::bad_argument, "--key belongs to --proof FILE");
    return std::optional<ProofSigner>{};
  }
  const auto lease = random_array<16>();
  if (!args.has("key")) return std::optional<ProofSigner>{{keys::KeyFile::from_seed(random_array<32>()), lease, true}};
  SPARKMILL_ASSIGN(keys::KeyFile key, keys::KeyFile::load(args.get("key")));
  return std::optional<ProofSigner>{{std::move(key), lease, false}};
}

Done write_proof(const std::string& path, const ProofSigner& signer, const job::Work& work,
                 const job::Outcome& outcome) {
  proof::Envelope envelope;
  envelope.kind = proof::EnvelopeKind::file_proof;
  envelope.job_id = work.job().id;
  envelope.lease_id = signer.lease;
  SPARKMILL_ASSIGN(envelope.body, proof::make_file_proof(work, outcome));
  const Bytes bytes = proof::encode(std::move(envelope), signer.key.role("envelope"));
  SPARKMILL_TRY(write_file_atomic(path, bytes));
  std::fprintf(stderr, "proof: %s, %zu bytes, %llu leaves, signed by %s%s\n", path.c_str(), bytes.size(),
               static_cast<unsigned long long>(work.leaf_count()),
               to_hex(signer.key.role("envelope").public_key()).c_str(),
               signer.throw_away ? " (a throw-away key; --key FILE signs with yours)" : "");
  return done();
}

}  // namespace sparkmill::cli
