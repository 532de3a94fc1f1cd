// SPDX-License-Identifier: Apache-2.0
// `sparkmill hash`: Tensority of one header hash under one seed, printed as hex.
#include <cstdio>

#include "base/hex.h"
#include "kernels/registry.h"
#include "kernels/tensority/tensority.h"
#include "worker/cli/command.h"
#include "worker/cli/offline.h"
#include "worker/cli/tensority.h"

namespace sparkmill::cli {
namespace {

constexpr OwnOption kOwn[] = {
    {"header", "HEX", "the header hash, 64 hex digits in memory order"},
    {"seed", "HEX", "the seed, 64 hex digits"},
    {"backend", "ROW", "kernel row, for example cpu/avx2 (default: the best of the CPU)"},
};
constexpr Usage kUsage = {
    "hash",
    "",
    "Prints Tensority of a header hash under a seed, as hex in memory order (a little-endian number). The row that "
    "computes it has passed its self-test. Exit 13: not 64 hex digits.",
    kOwn,
    0,
    false};

Result<Hash32> hash_option(const Args& args, const char* option) {
  if (!args.has(option)) {
    return fail(Status::bad_argument, std::string("--") + option + " is missing", "sparkmill help hash");
  }
  return array_from_hex<32>(args.get(option), std::string("--") + option);
}

Done hash(const Args& args) {
  SPARKMILL_ASSIGN(const Hash32 header, hash_option(args, "header"));
  SPARKMILL_ASSIGN(const Hash32 seed, hash_option(args, "seed"));
  SPARKMILL_ASSIGN(const HashedBy hashed, tensority_hash(header, seed, args.get("backend")));
  std::printf("%s\n", to_hex(hashed.result).c_str());
  return done();
}

}  // namespace

Result<HashedBy> tensority_hash(const Hash32& header_hash, const Hash32& seed, const std::string& backend) {
  SPARKMILL_ASSIGN(const kernels::Device device, device_for(kernels::Family::tensority, backend));
  SPARKMILL_ASSIGN(const kernels::Choice choice, kernels::choose(kernels::Family::tensority, device, backend));
  SPARKMILL_ASSIGN(const std::unique_ptr<kernels::Kernel> made, kernels::make_tested(*choice.row, device));
  SPARKMILL_ASSIGN(const std::shared_ptr<const tensority::Epoch> epoch, tensority::Epoch::build(seed));
  HashedBy out;
  out.row = choice.row->id();
  auto& kernel = static_cast<tensority::Kernel&>(*made);
  SPARKMILL_TRY(kernel.hash(*epoch, {&header_hash, 1}, {&out.result, 1}, {}));
  return out;
}

int run_hash(std::span<const std::string> args) {
  auto parsed = parse_args(kUsage, args);
  if (!parsed) return report("hash", parsed.error());
  if (parsed->help) return 0;
  const Done result = hash(*parsed);
  return result ? 0 : report("hash", result.error());
}

}  // namespace sparkmill::cli
