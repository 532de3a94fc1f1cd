// SPDX-License-Identifier: Apache-2.0
// `sparkmill verify --header`: form, seed and proof of work of one serialised block header.
#include <cstdio>

#include "base/hex.h"
#include "verify/chain/difficulty.h"
#include "verify/chain/seed_rule.h"
#include "worker/cli/tensority.h"

namespace sparkmill::cli {
namespace {

/// The seed of the rule if the height alone tells it, else what the user says.
Result<Hash32> choose_seed(const chain::BlockHeader& header, const Args& args) {
  const auto from = chain::seed_height(chain::bytom_params(), header.height);
  const std::string block = "block " + std::to_string(header.height);
  if (!args.has("seed")) {
    if (!from) return chain::initial_seed();
    const std::string of = "the header hash of block " + std::to_string(*from);
    return fail(Status::bad_argument, "--seed is missing: " + block + " is hashed with " + of,
                "a header does not tell it; give --seed HEX");
  }
  SPARKMILL_ASSIGN(const Hash32 seed, array_from_hex<32>(args.get("seed"), "--seed"));
  if (auto fits = chain::check_seed(chain::bytom_params(), header, seed); !fits) {
    return fail(Status::bad_input, "--seed: " + fits.error().message, from ? "" : "leave --seed out");
  }
  return seed;
}

proof::Verdict refuse(std::string reason, std::string detail) { return {false, std::move(reason), std::move(detail)}; }

}  // namespace

Result<proof::Verdict> verify_header(const Args& args) {
  if (!args.words.empty()) {
    return fail(Status::bad_argument, "'" + args.words[0] + "': a proof file and --header exclude each other");
  }
  for (const char* other : {"requests", "users", "openings", "threads"}) {
    if (args.has(other)) return fail(Status::bad_argument, std::string("--") + other + " does not go with --header");
  }
  SPARKMILL_ASSIGN(const chain::BlockHeader header, chain::header_from_hex(args.get("header"), "--header"));
  SPARKMILL_ASSIGN(const Hash32 seed, choose_seed(header, args));
  const Hash32 id = chain::header_hash(header);
  const chain::Target target = chain::target_from_bits(header.bits);
  std::printf("block    %s\n", to_hex(id).c_str());
  std::printf("height   %llu, previous %s\n", static_cast<unsigned long long>(header.height),
              to_hex(header.previous).c_str());
  std::printf("time     %llu\n", static_cast<unsigned long long>(header.timestamp));
  std::printf("bits     %016llx, target %s, %.6g hashes expected\n", static_cast<unsigned long long>(header.bits),
              chain::target_text(header.bits).c_str(), chain::expected_hashes(target));
  std::printf("seed     %s\n", to_hex(seed).c_str());
  if (header.version != chain::kBlockVersion) {
    return refuse("bad_version", "version " + std::to_string(header.version) + ", the chain knows 1 only");
  }
  if (target.kind == chain::Target::Kind::negative) return refuse("bad_bits", "the target is negative");
  SPARKMILL_ASSIGN(const HashedBy hashed, tensority_hash(id, seed, args.get("backend")));
  std::printf("result   %s, by %s\n", to_hex(hashed.result).c_str(), hashed.row.c_str());
  if (!chain::meets(hashed.result, target)) return refuse("above_target", "the result is above the target");
  return proof::Verdict{true, "accepted", header.height == 0 ? "though no node checks a genesis block" : ""};
}

}  // namespace sparkmill::cli
