// SPDX-License-Identifier: Apache-2.0
// `sparkmill sign-checkpoint`: a validator's vote for one checkpoint, under the rule that never signs twice.
#include <cstdio>

#include "base/hex.h"
#include "kernels/registry.h"
#include "worker/cli/args.h"
#include "worker/cli/command.h"
#include "worker/cli/verify_blocks.h"
#include "worker/signing/checkpoint_signer.h"

namespace sparkmill::cli {
namespace {

constexpr OwnOption kOwn[] = {
    {"key", "FILE", "the validator's secp256k1 secret, 64 hex digits, readable by its owner only"},
    {"marks", "FILE", "where it is kept what was signed last; made when missing, never to be deleted"},
};
constexpr Usage kUsage = {
    "sign-checkpoint",
    "DATA",
    "Signs a yes vote for a BTTC checkpoint; DATA is what Delivery hands out, 192 or 224 bytes of hex. Refuses (exit "
    "7) what starts at or below the last block signed for on that chain, unless it is the same vote again.",
    kOwn,
    1,
    false};

Done sign(const Args& args) {
  for (const char* option : {"key", "marks"}) {
    if (!args.has(option)) {
      return fail(Status::bad_argument, std::string("--") + option + " is missing", "sparkmill help sign-checkpoint");
    }
  }
  if (args.words.empty()) return fail(Status::bad_argument, "no data is given", "sparkmill help sign-checkpoint");
  SPARKMILL_ASSIGN(const Bytes data, from_hex(args.words[0], "DATA"));
  SPARKMILL_ASSIGN(const TestedKernel hash, tested_kernel(kernels::Family::hash, {}));
  auto& keccak = dynamic_cast<hashes::Kernel&>(*hash.kernel);
  SPARKMILL_ASSIGN(bttc::Signer key, signing::load_validator_key(args.get("key"), keccak));
  SPARKMILL_ASSIGN(const auto signer, signing::CheckpointSigner::open(args.get("marks"), std::move(key), keccak));
  SPARKMILL_ASSIGN(const signing::SignedCheckpoint result, signer->sign(data));
  if (!result.signature) {
    return fail(Status::refused,
                "not signed: " + std::string(result.reason) + (result.detail.empty() ? "" : ", " + result.detail));
  }
  std::printf("signer     %s\n", to_hex(signer->address()).c_str());
  std::printf("hash       %s\n", to_hex(result.hash).c_str());
  std::printf("precommit  %s\n", to_hex(bttc::precommit_signature(*result.signature)).c_str());
  const bttc::SignatureWords words = bttc::contract_words(*result.signature);
  std::printf("contract   %s %s %s\n", to_hex(words.r).c_str(), to_hex(words.s).c_str(), to_hex(words.v).c_str());
  return done();
}

}  // namespace

int run_sign_checkpoint(std::span<const std::string> args) {
  auto parsed = parse_args(kUsage, args);
  if (!parsed) return report("sign-checkpoint", parsed.error());
  if (parsed->help) return 0;
  const Done result = sign(*parsed);
  return result ? 0 : report("sign-checkpoint", result.error());
}

}  // namespace sparkmill::cli
